# SPDX-License-Identifier: MIT
# The same known transitions (64 KiB, one thread, a fixed number) under other tools: what each costs
# the program by its own clock, how many it has seen, and how many of their pages it has captured.
#
# gcore is no tracer: it is asked for a dump each second. So its row has more of the same transitions,
# some 5 s of them, and its ratio is to that.
use strict;
use warnings;
use Time::HiRes qw(time sleep);
use Bench;

sub peers {
    my $rounds = setting(rounds => 5);
    my $count = setting(count => 20000);
    my @load = (compile('toggle'), '-k', 64, '-n', $count);
    my $file = "$work/peer";
    my $matches = sub { my ($pattern) = @_; sub { (count_lines($file, $pattern), 0) } };
    # Name; command before the workload, for timing (output thrown away); the same for counting (into
    # a file); what counts: (transitions seen, pages captured).
    my @peers = (
        ['strace -e trace=memory', sub { ('strace', '-f', '-e', 'trace=memory', '-o', $_[0], '--', @load) },
            $matches->(qr/mprotect\(.*, 65536, PROT_READ\|PROT_EXEC\) += 0/)],
        ['bpftrace transitions.bt', sub { ('bpftrace', '-q', '-o', $_[0], '-c', "@load", 'Benchmarks/transitions.bt') },
            $matches->(qr/ mprotect \w+ 65536 5$/)],
        ['perf trace -e mprotect', sub { ('perf', 'trace', '-e', 'mprotect', '-o', $_[0], '--', @load) },
            $matches->(qr/mprotect\(.*len: 65536, prot: READ\|EXEC\) += 0/)],
        ['naive reader, ring of 64 MiB', sub { (naive(64 << 20), @load) },
            sub { my $kept = reply($_[0], 'records')->{records}; ('', $kept) }],
        ['`husk run`', sub { ($husk, 'run', '--json', '--log', $_[0], '--quiet', '--', @load) }, sub { husk_counts($file) }],
    );
    my (%own, %whole, %ratio, %failed);
    for (1 .. $rounds) {
        my $alone = run(\@load);
        my $own = reply($alone, 'toggles')->{seconds};
        push @{$own{alone}}, $own;
        push @{$whole{alone}}, $alone->{seconds};
        for (@peers) {
            my ($name, $command) = @$_;
            next if $failed{$name};
            my $output = $name =~ /husk/ ? $file : '/dev/null';
            my $run = run([$command->($output)], limit => setting(limit => 120));
            my $reply = reply($run, 'toggles');
            if (!$reply || $run->{status}) { $failed{$name} = why($run); next }
            push @{$own{$name}}, $reply->{seconds};
            push @{$whole{$name}}, $run->{seconds};
            push @{$ratio{$name}}, $reply->{seconds} / $own;
        }
    }
    my $all = $count * 16;
    my @rows = (['alone', sprintf('%.2f', median @{$own{alone}}), 1, '', sprintf('%.2f', median @{$whole{alone}}), '', '']);
    for (@peers) {
        my ($name, $command, $counts) = @$_;
        my ($seen, $pages);
        if (!$failed{$name}) {
            my $run = run([$command->($file)], limit => setting(limit => 120));
            ($seen, $pages) = $counts->($run);
        }
        push @rows, $failed{$name} ? [$name, '', '', '', '', '', "does not work here: $failed{$name}"]
            : [$name, sprintf('%.2f', median @{$own{$name}}), sprintf('%.1f', median @{$ratio{$name}}),
                spread(@{$ratio{$name}}), sprintf('%.2f', median @{$whole{$name}}), $seen,
                $pages ? "$pages of $all pages" : 'none'];
        unlink $file;
    }
    push @rows, gcore(median(@{$own{alone}}) / $count, @load);
    table(peers => "$count transitions of 64 KiB under other tools ($rounds alternating rounds)",
        ['', 'program, s', 'ratio, median', '<spread', 'whole, s', 'transitions seen', '<content captured'], \@rows,
        unit => 'times the program alone', bars => [map { [$_->[0], median @{$ratio{$_->[0]}}] } grep { $ratio{$_->[0]} } @peers]);
}

sub count_lines {
    my ($file, $pattern) = @_;
    open my $in, '<', $file or return 0;
    my $count = 0;
    while (my $line = <$in>) { $count++ if $line =~ $pattern }
    return $count;
}

# Transitions of toggle's region, and pages of them. (Pages that have not changed may be left out of
# a line: they do not count.)
sub husk_counts {
    my ($file) = @_;
    my ($seen, $pages) = (0, 0);
    open my $in, '<', $file or return (0, 0);
    while (my $line = <$in>) {
        next unless $line =~ /"call":"mprotect"/ && $line =~ /"length":65536,/ && $line =~ /"requested":"r-x"/;
        $seen++;
        $pages += $1 if $line =~ /"captured":(\d+)/;
    }
    return ($seen, $pages);
}

# The first thing that a tool has complained of.
sub why {
    my ($run) = @_;
    return 'over the limit' if $run->{status} == -1;
    open my $in, '<', "$work/errors" or return "status $run->{status}";
    my ($line) = grep { /\S/ } <$in>;
    chomp($line //= "status $run->{status}");
    return $line =~ s/\|/\\|/gr;
}

# A dump each second while the workload runs.
sub gcore {
    my ($each, @load) = @_;
    my $rounds = setting(rounds => 5) < 3 ? 1 : 3;
    my $count = int(5 / $each);
    my @longer = (@load, '-n', $count);
    my $name = "gcore each second ($count transitions)";
    my (@own, @ratios, @whole);
    my ($dumps, $executable) = (0, 0);
    for (1 .. $rounds) {
        my $alone = reply(run(\@longer), 'toggles')->{seconds};
        my $start = time;
        my $pid = open(my $out, '-|', @longer) // die;
        my $next = $start + 1;
        # The thread of the workload closes the pipe when it has printed.
        while (kill(0, $pid) && !finished($pid)) {
            if (time < $next) { sleep 0.02; next }
            system("gcore -o $work/core $pid >$work/errors 2>&1");
            if (-e "$work/core.$pid") {
                $dumps++;
                $executable++ if `readelf -lW $work/core.$pid` =~ /0x010000 0x010000 R E/;
                unlink "$work/core.$pid";
            } elsif (!finished($pid)) {
                kill 'KILL', $pid;
                close $out;
                return [$name, '', '', '', '', '', 'does not work here: ' . why({status => $?})];
            }
            $next += 1;
        }
        my $reply = reply({text => do { local $/; <$out> }}, 'toggles');
        close $out;
        push @own, $reply->{seconds};
        push @whole, time - $start;
        push @ratios, $own[-1] / $alone;
    }
    $_ /= $rounds for $dumps, $executable;
    return [$name, sprintf('%.2f', median @own), sprintf('%.2f', median @ratios), spread(@ratios),
        sprintf('%.2f', median @whole), sprintf('%.1f', $executable),
        sprintf('%.0f of %d pages (%.1f dumps, %.1f with the region executable)', 16 * $executable, 16 * $count, $dumps, $executable)];
}

# Ended, but not waited for.
sub finished {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or return 1;
    return <$in> =~ /\) Z /;
}

1;
