# SPDX-License-Identifier: MIT
# What a system call costs a process that is not traced, while Husk traces another one.
use strict;
use warnings;
use Bench;

sub untraced {
    my $pairs = setting(pairs => 5);
    my $program = compile('syscalls');
    my (@alone, @beside, @ratios);
    for (1 .. $pairs) {
        push @alone, 0 + `$program`;
        my $target = sleeper();
        my $tracer = start_tracer('--no-present', $target);
        push @beside, 0 + `$program`;
        stop_tracer($tracer);
        end_of($target);
        push @ratios, $beside[-1] / $alone[-1];
    }
    table(untraced => "A system call of a process that is not traced ($pairs alternating pairs)",
        ['', 'getppid, ns', 'ratio, median', '<spread'],
        [
            ['nothing attached', sprintf('%.0f', median @alone), 1, ''],
            ['beside `husk attach`', sprintf('%.0f', median @beside), sprintf('%.2f', median @ratios), spread(@ratios)],
        ],
        unit => 'ns', bars => [['nothing attached', median @alone], ['beside husk attach', median @beside]]);
}

1;
