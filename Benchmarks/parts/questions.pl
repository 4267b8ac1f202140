# SPDX-License-Identifier: MIT
# Questions to a capture file with a million snapshots: a region of 64 KiB all of whose pages
# change each time that it becomes executable. (Pages that hold what they held are not captured again.)
use strict;
use warnings;
use Bench;
use Time::HiRes qw(time);

sub questions {
    my $rounds = setting(rounds => 3);
    my $snapshots = setting(snapshots => 1_000_000);
    my $capture = setting(folder => $work) . '/questions.husk';
    my $toggle = compile('toggle');
    my $run = run([$husk, 'run', '--quiet', '--force', '-o', $capture, '--',
        $toggle, '-k', 64, '-c', 16, '-n', int($snapshots / 16)], limit => setting(limit => 900));
    $run->{status} == 0 or die "the capture failed: status $run->{status}\n";
    my ($region) = grep { /-\s+anonymous$/ } split /\n/, `$husk list $capture --hide file,kernel`;
    my ($address) = $region =~ /([0-9a-f]+)-[0-9a-f]+/ or die "no region in $capture\n";
    my ($last) = `$husk list pages $capture --address $address --json | tail -n 1`
        =~ /"sha256":"([0-9a-f]{8})/ or die "no page at $address\n";
    my $size = -s $capture;
    ($snapshots) = `$husk info --json $capture` =~ /"pages":(\d+)/;

    my @rows;
    for (
        ['info', "$husk info $capture"],
        ['list, first line', "$husk list $capture | head -n 1"],
        ['list pages, first line', "$husk list pages $capture | head -n 1"],
        ['list --address', "$husk list $capture --address $address"],
        ['list pages --sha256', "$husk list pages $capture --sha256 $last"],
        ['list pages --address --generation', "$husk list pages $capture --address $address --generation 5"],
        ['list pages, all', "$husk list pages $capture"],
        ['list pages --json, all', "$husk list pages $capture --json"],
        ['show', "$husk show $address $capture"],
        ['show --generation', "$husk show $address $capture --generation 5"],
        ['timeline, all', "$husk timeline $capture"],
    ) {
        my ($name, $command) = @$_;
        my (@times, $lines);
        for (1 .. $rounds) {
            my $start = time;
            $lines = `$command | wc -l`;
            push @times, time - $start;
            $? == 0 or die "$command failed\n";
        }
        chomp $lines;
        push @rows, [$name, $lines, sprintf('%.3f', median @times), spread(@times)];
    }
    table(questions => sprintf('Questions to a capture of %d snapshots, %.1f MiB', $snapshots, $size / 2**20),
        ['question', 'lines', 'median, s', '<spread'], \@rows, unit => 's');
    unlink $capture;
}

1;
