# SPDX-License-Identifier: MIT
# What Husk itself keeps in memory while it captures many GiB of new content into a folder. The
# ring is mapped (RssFile or RssShmem; its pages twice, one behind the other, so they count twice),
# so it is told apart from what Husk has allocated (RssAnon).
use strict;
use warnings;
use File::Path qw(remove_tree);
use Bench;

sub memory {
    my $gib = setting(gib => 10);
    my $churn = compile('churn');
    # On a slow disk the capture waits for it, and may lose pages: folder=/dev/shm tells which it was.
    my $under = setting(folder => $work);
    my $folder = "$under/husk-churn-output";
    remove_tree($folder);
    my ($free) = `df -Pk $under` =~ /\s(\d+)\s+\d+%/;
    if ($free < ($gib * 1.2 + 2) * (1 << 20)) {
        print "### Memory of Husk\n\nSkipped: no room for $gib GiB in $under.\n\n";
        return;
    }
    my $alone = reply(run([$churn, '-g', $gib]), 'bytes');
    my $run = run([$husk, 'run', '-o', "$folder/", '--log', '/dev/null', '--', $churn, '-g', $gib],
        memory => 1, limit => setting(limit => 900));
    my ($stored) = `du -sk $folder` =~ /^(\d+)/;
    my $capture = $run->{status} == 0 ? 'complete' : $run->{status} == 122 ? 'incomplete: ' . losses($folder)
        : $run->{status} == -1 ? 'ended at the limit' : "status $run->{status}";
    remove_tree($folder);
    my $mib = sub { sprintf '%.0f', $run->{memory}{$_[0]} / 1024 };
    table(memory => "Memory of `husk run -o` while $gib GiB become executable (one run)",
        ['', 'MiB, maximum'],
        [
            ['resident, ring included (VmHWM)', $mib->('VmHWM')],
            ['allocated (RssAnon)', $mib->('RssAnon')],
            ['files and the ring (RssFile + RssShmem)', $mib->('RssRest')],
        ],
        note => sprintf('%.1f s (alone %.1f s), %.2f GiB stored; capture: %s.', $run->{seconds}, $alone->{seconds},
            $stored / (1 << 20), $capture),
        unit => 'MiB at most', bars => [['with the ring', $mib->('VmHWM')], ['allocated', $mib->('RssAnon')]]);
}

sub losses {
    my $losses = last_line("$_[0]/manifest.jsonl")->{losses} // {};
    return join ', ', map { "$_ $losses->{$_}" } sort keys %$losses;
}

1;
