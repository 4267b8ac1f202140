# SPDX-License-Identifier: MIT
# 64 MiB become executable, several times in a row: how fast the kernel side copies them, and how
# fast they are consumed, both beside memcpy in the same process.
#
# The kernel side is what mprotect costs the target by its own clock. Twelve rounds fit into the
# ring, and the reader is stopped meanwhile: nobody waits for room, nothing is lost, nothing else uses
# the memory, so this is the copy itself. In many rounds it is what
# the reader lets pass: Husk's target waits for room, the naive reader's loses pages instead, and is
# fast because it does.
#
# Consumed is from the first mprotect to the end of the tracer, less the same with no rounds: which
# takes off what ending costs anyway (detaching, the last look). What stays in is the target's own
# part: going back to RW and a new word in each page, some milliseconds a round. Bytes that were
# lost do not count.
use strict;
use warnings;
use Bench;

sub bandwidth {
    my $pairs = setting(pairs => 5);
    my $rounds = setting(rounds => 32);
    my $region = compile('region');
    my $ring = 1 << 30;
    my $few = 12; # of which three are those in which it is found out that all is new each time
    my @ways = (
        ['alone'],
        ['naive reader', naive($ring)],
        ['`husk run`', $husk, 'run', '--ring-size', '1G', '--quiet', '--'],
    );
    my (%speed, %kept);
    for (1 .. $pairs) {
        for (@ways) {
            my ($name, @before) = @$_;
            my ($empty, $few, $many) = map { run([@before, $region, '-n', $_, $_ == $few && @before ? '-p' : ()]) } 0, $few, $rounds;
            my ($none, $room, $reply) = map { reply($_, 'begun') // die "$name: no answer\n" } $empty, $few, $many;
            my $seconds = ($many->{ended} - $reply->{begun}) - ($empty->{ended} - $none->{begun});
            my $counts = reply($many, 'records');
            my $consumed = ($counts ? $counts->{bytes} : $reply->{bytes}) / $seconds;
            my %now = (
                memcpy => $reply->{memcpy_bytes_per_second},
                room => $room->{mprotect_bytes_per_second},
                room_ratio => $room->{mprotect_bytes_per_second} / $room->{memcpy_bytes_per_second},
                target => $reply->{bytes} / $reply->{seconds},
                consumed => $consumed,
                consumed_ratio => $consumed / $reply->{memcpy_bytes_per_second},
            );
            push @{$speed{$name}{$_}}, $now{$_} for keys %now;
            push @{$kept{$name}}, $counts ? $counts->{bytes} / $reply->{bytes} : $many->{status} == 0;
        }
    }
    my @rows = map {
        my $name = $_->[0];
        my %of = %{$speed{$name}};
        my $gigabytes = sub { sprintf '%.2f', median(@{$of{$_[0]}}) / 1e9 };
        my $ratio = sub { (sprintf('%.3f', median @{$of{$_[0]}}), spread(@{$of{$_[0]}})) };
        my ($least) = sort { $a <=> $b } @{$kept{$name}};
        my $capture = $least == 1 ? 'complete' : $name =~ /husk/ ? 'incomplete'
            : sprintf('%.0f %% of the pages lost', 100 - 100 * $least);
        $name eq 'alone' ? [$name, $gigabytes->('memcpy'), $gigabytes->('room'), '', '', $gigabytes->('target'), '', '', '', '']
            : [$name, $gigabytes->('memcpy'), $gigabytes->('room'), $ratio->('room_ratio'), $gigabytes->('target'),
                $gigabytes->('consumed'), $ratio->('consumed_ratio'), $capture]
    } @ways;
    my @bars = ['memcpy', median(@{$speed{alone}{memcpy}}) / 1e9];
    for my $way (@ways[1, 2]) {
        my $of = $speed{$way->[0]};
        push @bars, ["$way->[0], kernel side", median(@{$of->{room}}) / 1e9],
            ["$way->[0], consumed", median(@{$of->{consumed}}) / 1e9];
    }
    table(bandwidth => "64 MiB become executable, ring of 1 GiB ($pairs alternating rounds)",
        ['', 'memcpy, GB/s', 'mprotect with room, GB/s', 'to memcpy', '<spread', "target in $rounds times, GB/s",
            'consumed, GB/s', 'to memcpy', '<spread', '<capture'],
        \@rows, unit => 'GB/s', bars => \@bars);
}

1;
