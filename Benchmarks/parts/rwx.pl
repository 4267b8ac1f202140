# SPDX-License-Identifier: MIT
# 200,000 system calls of a program with one region that is writable and executable.
use strict;
use warnings;
use Bench;

sub rwx {
    my $rounds = setting(rounds => 5);
    my $program = compile('rwx');
    my @ways = (
        ['alone'], ['husk run --rwx observe', $husk, 'run', '--quiet', '--rwx', 'observe', '--'],
        ['husk run --rwx trap', $husk, 'run', '--quiet', '--rwx', 'trap', '--'],
        ['strace (stops at every call)', 'strace', '-f', '-o', '/dev/null'],
    );
    my (%cost, %ratio);
    for (1 .. $rounds) {
        for (@ways) {
            my ($name, @before) = @$_;
            open my $out, '-|', @before, $program, 200000 or die;
            push @{$cost{$name}}, 0 + <$out>;
            close $out or die "$name failed\n";
            push @{$ratio{$name}}, $cost{$name}[-1] / $cost{alone}[-1];
        }
    }
    table(rwx => "200,000 calls of a program with one RWX region ($rounds rounds)",
        ['', 'a call, ns', 'ratio, median', '<spread'],
        [map {
            my $name = $_->[0];
            [$name, sprintf('%.0f', median @{$cost{$name}}), sprintf('%.1f', median @{$ratio{$name}}),
                spread(@{$ratio{$name}})]
        } @ways]);
}

1;
