# SPDX-License-Identifier: MIT
# How often two threads can make 64 KiB executable with nothing lost: Husk holds them back, so its
# rate is what it lets pass. The naive reader does not, so its rate is the highest that it bears:
# found by bisection in short tries, then confirmed over the full time in each round.
#
# The naive reader copies the pages and counts them. `husk run --quiet` does what is like it: copies,
# hashes, counts. With --json each page has its SHA-256 and each run another one, and each transition
# a line.
use strict;
use warnings;
use Bench;

my $ring = 64 << 20;

sub toggles {
    my $rounds = setting(rounds => 3);
    my $seconds = setting(seconds => 10);
    my $toggle = compile('toggle');
    my (@rows, @bars);
    for ([16, 'all 16 pages change'], [1, 'one page changes']) {
        my ($changed, $label) = @$_;
        my @load = ($toggle, '-t', 2, '-k', 64, '-c', $changed);
        my ($rate, $unlimited) = lossless_rate(@load);
        my (@alone, @naive, %husk, %ratios, %complete);
        my $log = "$work/toggles.jsonl";
        my %ways = (quiet => [], json => ['--json', '--log', $log]);
        for (1 .. $rounds) {
            push @alone, reply(run([@load, '-s', 2]), 'toggles')->{per_second};
            my $try;
            # A rate that was borne for 3 seconds need not be over 10.
            until (($try = naive_try($rate, $seconds, @load))->{lost} == 0) { $rate *= 0.9 }
            push @naive, $try->{rate};
            for my $way (keys %ways) {
                my $run = run([$husk, 'run', '--ring-size', '64M', '--quiet', @{$ways{$way}}, '--', @load, '-s', $seconds]);
                my $reply = reply($run, 'toggles') or die "no toggles under husk\n";
                push @{$husk{$way}}, $reply->{per_second};
                push @{$ratios{$way}}, $reply->{per_second} / $naive[-1];
                # (122: something is missing.)
                $complete{$way}++ if $run->{status} == 0;
                unlink $log;
            }
        }
        push @rows,
            ["$label: alone", sprintf('%.0f', median @alone), '', '', ''],
            ["$label: naive reader, unlimited", sprintf('%.0f', $unlimited->{rate}), '', '',
                sprintf('%.1f %% of the pages lost', 100 * $unlimited->{share})],
            ["$label: naive reader, without loss", sprintf('%.0f', median @naive), 1, '', "nothing lost in $rounds of $rounds"],
            map { ["$label: `husk run --quiet" . ($_ eq 'json' ? ' --json`' : '`'), sprintf('%.0f', median @{$husk{$_}}),
                sprintf('%.2f', median @{$ratios{$_}}), spread(@{$ratios{$_}}),
                sprintf('complete in %d of %d', $complete{$_} // 0, $rounds)] } qw(quiet json);
        push @bars, ["naive, $label", median @naive], ["husk, $label", median @{$husk{quiet}}];
    }
    table(toggles => "Two threads toggle 64 KiB, ring of 64 MiB ($seconds s, $rounds alternating rounds)",
        ['', 'toggles/s', 'ratio, median', '<spread', '<capture'], \@rows,
        unit => 'toggles a second without loss', bars => \@bars);
}

# One try of the naive reader: the rate, the pages lost and their share. Rate 0: unlimited.
sub naive_try {
    my ($rate, $seconds, @load) = @_;
    my $run = run([naive($ring), @load, '-s', $seconds, '-r', $rate]);
    my $counts = reply($run, 'records') or die "the naive reader failed\n";
    my $lost = $counts->{lost} + $counts->{unread};
    return {rate => reply($run, 'toggles')->{per_second}, lost => $lost,
        share => $lost / ($lost + $counts->{records} || 1)};
}

sub lossless_rate {
    my @load = @_;
    my $seconds = setting(seconds => 10) < 3 ? setting(seconds => 10) : 3;
    my $unlimited = naive_try(0, $seconds, @load);
    return (0, $unlimited) if $unlimited->{lost} == 0;
    my ($low, $high) = (0, $unlimited->{rate});
    # Where to: within 3 % of the answer.
    while ($high - $low > 0.03 * $high) {
        my $middle = ($low + $high) / 2;
        my $try = naive_try($middle, $seconds, @load);
        ($try->{lost} ? $high : $low) = $middle;
        # It could not go faster than that, and bore it.
        last if !$try->{lost} && $try->{rate} < 0.95 * $middle;
    }
    return ($low, $unlimited);
}

1;
