# SPDX-License-Identifier: MIT
# Both ways of following RWX memory, on what JIT compilers do. modes-NAME: one program only.
use strict;
use warnings;
use Bench;
use Workloads;

sub modes {
    my ($only) = @_;
    my $rounds = setting(rounds => 3);
    my @workloads = (
        workloads(),
        [php => 'php', '-d', 'opcache.enable_cli=1', '-d', 'opcache.jit=1254', '-d',
            'opcache.jit_buffer_size=64M', '-d', 'opcache.jit_debug=16',
            'Benchmarks/workloads/hot.php', 20000],
    );
    my @rows;
    for (@workloads) {
        my ($name, @command) = @$_;
        next unless !$only || $only eq $name;
        my (@alone, %ratio);
        for (1 .. $rounds) {
            push @alone, time_of($name, @command);
            for my $mode (qw(observe trap)) {
                my $seconds = time_of($name, $husk, 'run', '--rwx', $mode, '--json', '--log',
                    "$work/$name-$mode.jsonl", '--quiet', '--', @command);
                push @{$ratio{$mode}}, $seconds / $alone[-1];
            }
        }
        push @rows, [$name, sprintf('%.2f', median @alone),
            map { (sprintf('%.2f', median @{$ratio{$_}}), spread(@{$ratio{$_}})) } qw(observe trap)];
    }
    table($only ? "modes-$only" : 'modes', "RWX memory in whole programs ($rounds alternating rounds)",
        ['workload', 'alone, s', 'observe: ratio', '<spread', 'trap: ratio', '<spread'], \@rows);
}

1;
