# SPDX-License-Identifier: MIT
# Whether a transition costs more the more there have been: 4 KiB toggled 10^3 to 10^6 times.
use strict;
use warnings;
use Bench;

sub growth {
    my $most = setting(most => 1_000_000);
    my $toggle = compile('toggle');
    my (@rows, @bars, $first);
    for (my $count = 1000; $count <= $most; $count *= 10) {
        my $rounds = $count > 100_000 ? 1 : setting(rounds => 3);
        my (@alone, @traced, @whole, @memory);
        my $complete = 0;
        for (1 .. $rounds) {
            my @load = ($toggle, '-k', 4, '-n', $count);
            push @alone, reply(run(\@load), 'toggles')->{seconds} * 1e6 / $count;
            my $run = run([$husk, 'run', '--quiet', '--', @load], memory => 1, limit => setting(limit => 600));
            my $reply = reply($run, 'toggles');
            $run->{status} == -1 || !$reply and last;
            push @traced, $reply->{seconds} * 1e6 / $count;
            push @whole, $run->{seconds};
            push @memory, $run->{memory}{RssAnon} / 1024;
            $complete++ if $run->{status} == 0;
        }
        if (@traced < $rounds) {
            push @rows, [$count, sprintf('%.2f', median @alone), 'over the limit', '', '', '', '', ''];
            last;
        }
        my $each = median @traced;
        $first //= $each;
        push @rows, [$count, sprintf('%.2f', median @alone), sprintf('%.1f', $each), spread(@traced),
            sprintf('%.2f', $each / $first), sprintf('%.2f', median @whole), sprintf('%.0f', median @memory),
            $complete == $rounds ? 'complete' : "complete in $complete of $rounds"];
        push @bars, [$count, $each];
    }
    table(growth => 'A transition of 4 KiB under `husk run`, by their number',
        ['transitions', 'alone, µs', 'under husk, µs', '<spread', 'to the first row', 'whole, s', 'RssAnon, MiB', '<capture'],
        \@rows, unit => 'µs a transition', bars => \@bars);
}

1;
