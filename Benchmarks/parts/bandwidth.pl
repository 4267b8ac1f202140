# SPDX-License-Identifier: MIT
# 64 MiB become executable, several times in a row: how fast the kernel side copies them, and how
# fast they are consumed, both beside memcpy in the same process.
#
# The kernel side is what mprotect costs the target, by its own clock, waiting for room included.
# The total is from the first mprotect to the end of the tracer, less the same with no rounds:
# which takes off what ending costs anyway (detaching, the last look, a pause of the reader). What
# stays in is the target's own part: going back to RW and a new word in each page, some
# milliseconds a round. Bytes that were lost do not count as consumed.
use strict;
use warnings;
use Bench;

sub bandwidth {
    my $pairs = setting(pairs => 5);
    my $rounds = setting(rounds => 32);
    my $region = compile('region');
    my $ring = 256 << 20;
    my @ways = (
        ['alone'],
        ['naive reader', naive($ring)],
        ['`husk run`', $husk, 'run', '--ring-size', '256M', '--quiet', '--'],
    );
    my (%speed, %kept);
    for (1 .. $pairs) {
        for (@ways) {
            my ($name, @before) = @$_;
            my ($empty, $full) = map { run([@before, $region, '-n', $_]) } 0, $rounds;
            my ($start, $reply) = map { reply($_, 'begun') // die "$name: no answer\n" } $empty, $full;
            my $seconds = ($full->{ended} - $reply->{begun}) - ($empty->{ended} - $start->{begun});
            my $counts = reply($full, 'records');
            my $bytes = $counts ? $counts->{bytes} : $reply->{bytes};
            my $speed = $speed{$name} //= {};
            push @{$speed->{memcpy}}, $reply->{memcpy_bytes_per_second};
            push @{$speed->{mprotect}}, $reply->{mprotect_bytes_per_second};
            push @{$speed->{kernel}}, $reply->{mprotect_bytes_per_second} / $reply->{memcpy_bytes_per_second};
            push @{$speed->{total}}, $bytes / $seconds;
            push @{$speed->{all}}, $bytes / $seconds / $reply->{memcpy_bytes_per_second};
            push @{$kept{$name}}, $counts ? $counts->{records} / ($reply->{bytes} / 4096) : $full->{status} == 0;
        }
    }
    my $gigabytes = sub { sprintf '%.2f', median(@_) / 1e9 };
    my @rows = map {
        my ($name, $speed) = ($_->[0], $speed{$_->[0]});
        my $traced = $name ne 'alone';
        my $least = (sort { $a <=> $b } @{$kept{$name}})[0];
        [$name, $gigabytes->(@{$speed->{memcpy}}), $gigabytes->(@{$speed->{mprotect}}),
            $traced ? (sprintf('%.3f', median @{$speed->{kernel}}), spread(@{$speed->{kernel}}),
                $gigabytes->(@{$speed->{total}}), sprintf('%.3f', median @{$speed->{all}}), spread(@{$speed->{all}}),
                $least == 1 ? 'complete' : $name =~ /husk/ ? 'incomplete' : sprintf('%.0f %% of the pages lost', 100 - 100 * $least))
            : ('', '', '', '', '', '')]
    } @ways;
    table(bandwidth => "$rounds times 64 MiB become executable, ring of 256 MiB ($pairs alternating rounds)",
        ['', 'memcpy, GB/s', 'mprotect, GB/s', 'to memcpy', '<spread', 'consumed, GB/s', 'to memcpy', '<spread', '<capture'],
        \@rows, unit => 'GB/s',
        bars => [['memcpy', median(@{$speed{alone}{memcpy}}) / 1e9],
            map { my $name = $_; $name =~ s/`//g; (["$name, kernel side", median(@{$speed{$_}{mprotect}}) / 1e9],
                ["$name, consumed", median(@{$speed{$_}{total}}) / 1e9]) } map { $_->[0] } @ways[1, 2]]);
}

1;
