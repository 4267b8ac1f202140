# SPDX-License-Identifier: MIT
# Whole programs under `husk run`, their output compared. runtimes-NAME, or NAME: one program only.
use strict;
use warnings;
use Bench;
use Workloads;

sub runtimes {
    my ($only) = @_;
    my $pairs = setting(pairs => 11);
    my @workloads = (
        workloads(),
        # Thousands of mprotect calls of 128 MiB, each of which is about a page or two.
        [ruby => 'ruby', '--yjit', 'Benchmarks/workloads/hot.rb', setting(methods => 3300)],
        # The worst case: nothing but pages that change and become executable. (Short, alone: under
        # Husk it is not.)
        [toggle => compile('toggle'), '-t', 2, '-n', setting(toggles => 20000)],
    );
    my (@rows, @bars);
    for (grep { !$only || $only eq $_->[0] } @workloads) {
        my ($row, $ratio) = runtime(@$_);
        push @rows, $row;
        push @bars, [$row->[0], $ratio] if $ratio;
    }
    table($only ? "runtimes-$only" : 'runtimes', "Whole programs under `husk run` ($pairs alternating pairs)",
        ['workload', 'alone, s', 'under husk, s', 'ratio, median', '<spread', 'transitions', 'pages', 'MiB', '<capture'],
        \@rows, unit => 'times the program alone', bars => \@bars);
}

# The row of one program, and the median ratio. What takes more than `limit` seconds is ended, and
# not tried again.
sub runtime {
    my ($name, @command) = @_;
    my $pairs = setting(pairs => 11);
    my $limit = setting(limit => 120);
    my $log = "$work/$name.jsonl";
    my (@alone, @traced, @ratios, $summary, $limited, $expected);
    my $complete = 0;
    for (1 .. $pairs) {
        my $alone = run(\@command);
        $alone->{status} == 0 or die "@command failed\n";
        my $traced = run([$husk, 'run', '--json', '--log', $log, '--quiet', '--', @command], limit => $limit);
        push @alone, $alone->{seconds};
        push @traced, $traced->{seconds};
        push @ratios, $traced->{seconds} / $alone->{seconds};
        $limited = 1, last if $traced->{status} == -1;
        $traced->{status} == 0 || $traced->{status} == 122 or die "@command failed under husk\n";
        # (toggle prints its own time.)
        $expected //= $alone->{text};
        $name eq 'toggle' || $alone->{text} eq $expected && $traced->{text} eq $expected
            or die "@command printed something else\n";
        $summary = last_line($log);
        $complete++ if $summary->{complete};
    }
    unlink $log;
    my $alone = sprintf '%.2f', median @alone;
    return [$name, $alone, "more than $limit", sprintf('more than %.0f', $ratios[-1]), '', '', '', '', 'ended at the limit']
        if $limited;
    my $lost = join ', ', map { "$_ $summary->{losses}{$_}" } sort keys %{$summary->{losses}};
    return [$name, $alone, sprintf('%.2f', median @traced), sprintf('%.3f', median @ratios), spread(@ratios),
        $summary->{transitions}, $summary->{pages}, sprintf('%.1f', $summary->{bytes} / (1 << 20)),
        $complete == @ratios ? 'complete' : "complete in $complete of @{[scalar @ratios]}" . ($lost && "; lost: $lost")],
        median @ratios;
}

1;
