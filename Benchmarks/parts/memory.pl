# SPDX-License-Identifier: MIT
# What Husk itself keeps in memory while it captures many GiB of new content into a folder and into a
# capture file, and how long that takes. The
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
    my ($free) = `df -Pk $under` =~ /\s(\d+)\s+\d+%/;
    if ($free < ($gib * 1.3 + 2) * (1 << 20)) {
        print "### Memory of Husk\n\nSkipped: no room for $gib GiB in $under.\n\n";
        return;
    }
    my $alone = reply(run([$churn, '-g', $gib]), 'bytes');
    my (@rows, @bars, @notes);
    for my $form ('folder', 'file') {
        my $output = "$under/husk-churn-output" . ($form eq 'folder' ? '/' : '.husk');
        remove_tree($output) if $form eq 'folder';
        unlink $output if $form eq 'file';
        my $run = run([$husk, 'run', '-o', $output, '--log', '/dev/null', '--', $churn, '-g', $gib],
            memory => 1, limit => setting(limit => 900));
        my ($stored) = `du -sk $output` =~ /^(\d+)/;
        my $capture = $run->{status} == 0 ? 'complete' : $run->{status} == 122 ? 'incomplete'
            . ($form eq 'folder' ? ': ' . losses($output) : '')
            : $run->{status} == -1 ? 'ended at the limit' : "status $run->{status}";
        remove_tree($output) if $form eq 'folder';
        unlink $output if $form eq 'file';
        my $mib = sub { sprintf '%.0f', $run->{memory}{$_[0]} / 1024 };
        push @rows, [$form, map { $mib->($_) } 'VmHWM', 'RssAnon', 'RssRest'];
        push @bars, ["$form, allocated", $mib->('RssAnon')];
        push @notes, sprintf('%s: %.1f s, %.2f GiB stored, %s', $form, $run->{seconds}, $stored / (1 << 20),
            $capture);
    }
    table(memory => "Memory of `husk run -o` while $gib GiB become executable (one run each)",
        ['MiB, maximum', 'resident, ring included (VmHWM)', 'allocated (RssAnon)',
            'files and the ring (RssFile + RssShmem)'],
        \@rows,
        note => sprintf('Alone %.1f s. ', $alone->{seconds}) . join('; ', @notes) . '.',
        unit => 'MiB at most', bars => \@bars);
}

sub losses {
    my $losses = last_line("$_[0]/manifest.jsonl")->{losses} // {};
    return join ', ', map { "$_ $losses->{$_}" } sort keys %$losses;
}

1;
