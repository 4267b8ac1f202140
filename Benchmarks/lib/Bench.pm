# SPDX-License-Identifier: MIT
# What all parts share: how programs are run and timed, and how tables are printed and kept.
package Bench;
use strict;
use warnings;
use Exporter 'import';
use IPC::Open3;
use JSON::PP ();
use POSIX qw(WNOHANG strftime);
use Time::HiRes qw(time sleep);

our @EXPORT = qw($husk $work setting median spread compile naive time_until time_of run reply
    last_line start_tracer stop_tracer sleeper end_of table machine);

our $husk = '.build/release/husk';
our $work = '.build/benchmarks';
our %settings;

# NAME=VALUE of the command line, or else the default.
sub setting { my ($name, $default) = @_; $settings{$name} // $default }

sub median { my @s = sort { $a <=> $b } @_; @s % 2 ? $s[@s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2 }
sub spread { my @s = sort { $a <=> $b } @_; sprintf '%.2f to %.2f', $s[0], $s[-1] }

# ---- programs -----------------------------------------------------------------------------

# Builds Benchmarks/NAME.c, says where it is.
sub compile {
    my ($name, @more) = @_;
    system('cc', '-O2', '-Wall', "Benchmarks/$name.c", '-o', "$work/$name", '-pthread', @more) == 0 or die;
    return "$work/$name";
}

# The command for the naive reader with a ring of so many bytes.
my $naive_built;
sub naive {
    my ($ring_bytes) = @_;
    if (!$naive_built++) {
        my ($clang) = grep { -x } '/opt/swift/usr/bin/clang', map { "$_/clang" } split /:/, $ENV{PATH};
        $clang or die "naive needs clang\n";
        system($clang, qw(-target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -g -O2 -idirafter
            /usr/include/x86_64-linux-gnu -c Benchmarks/naive/naive.bpf.c -o), "$work/naive.bpf.o") == 0 or die;
        system('cc', '-O2', '-Wall', 'Benchmarks/naive/naive.c', '-o', "$work/naive", '-lbpf') == 0 or die;
    }
    return ("$work/naive", '-o', "$work/naive.bpf.o", '-r', $ring_bytes, '--');
}

# Seconds until a program has printed something that matches.
sub time_until {
    my ($pattern, @command) = @_;
    my $start = time;
    my $pid = open3(my $in, my $out, undef, @command);
    my $elapsed;
    while (my $line = <$out>) {
        if ($line =~ $pattern) { $elapsed = time - $start; last }
    }
    kill 'INT', $pid;
    waitpid $pid, 0;
    defined $elapsed or die "@command never said $pattern\n";
    return $elapsed;
}

# Seconds that a command takes; dies if it fails or prints something else than before.
my %expected;
sub time_of {
    my ($name, @command) = @_;
    my $run = run(\@command, limit => 600);
    # (122: something is missing from the capture, which is told. The program itself is right.)
    $run->{status} == 0 || $run->{status} == 122 or die "@command failed\n";
    ($expected{$name} //= $run->{text}) eq $run->{text} or die "@command printed something else\n";
    return $run->{seconds};
}

# Runs a command for no longer than `limit` seconds. Result: seconds, ended (when, by the wall
# clock), status (as of the shell; -1: the limit), text, and with `memory` the maxima in KiB of
# what the process has in memory.
sub run {
    my ($command, %options) = @_;
    my $limit = $options{limit} // 300;
    my $errors = $options{errors} // "$work/errors";
    my $file = "$work/output";
    my $start = time;
    my $pid = fork // die;
    if (!$pid) {
        setpgrp;
        open STDOUT, '>', $file or die;
        open STDERR, '>', $errors or die;
        exec { $command->[0] } @$command or POSIX::_exit(127);
    }
    my (%memory, $limited);
    if ($options{memory}) {
        while (waitpid($pid, WNOHANG) == 0) {
            watch_memory($pid, \%memory);
            $limited = 1, last if time - $start > $limit;
            sleep 0.05;
        }
    } else {
        local $SIG{ALRM} = sub { die "limit\n" };
        alarm $limit;
        eval { waitpid $pid, 0; 1 } or $limited = 1;
        alarm 0;
    }
    my ($ended, $status) = (time, $?);
    if ($limited) {
        # Its own process group: nobody else's processes are in it.
        kill 'KILL', -$pid;
        waitpid $pid, 0;
    }
    open my $in, '<', $file or die;
    my $text = do { local $/; <$in> } // '';
    return {
        seconds => $ended - $start, ended => $ended, text => $text, memory => \%memory,
        status => $limited ? -1 : $status & 127 ? 128 + ($status & 127) : $status >> 8,
    };
}

sub watch_memory {
    my ($pid, $most) = @_;
    open my $in, '<', "/proc/$pid/status" or return;
    my %now = map { /^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem):\s+(\d+)/ ? ($1 => $2) : () } <$in>;
    $now{RssRest} = ($now{RssFile} // 0) + ($now{RssShmem} // 0);
    for (keys %now) { $most->{$_} = $now{$_} if $now{$_} > ($most->{$_} // 0) }
}

# The JSON line in a run's output that has such a key.
sub reply {
    my ($run, $key) = @_;
    my ($line) = grep { /^\{.*"$key":/ } split /\n/, $run->{text};
    return defined $line ? JSON::PP::decode_json($line) : undef;
}

# The summary with which a log of Husk ends.
sub last_line {
    my ($file) = @_;
    my $line = `tail -n 1 $file`;
    return $line =~ /"type":"summary"/ ? JSON::PP::decode_json($line) : {complete => JSON::PP::false};
}

# Husk attached to a process, and how that is ended.
sub start_tracer {
    my $pid = open3(my $in, my $out, undef, $husk, 'attach', @_);
    while (my $line = <$out>) { return [$pid, $out] if $line =~ /tracing process/ }
    die "husk attach @_ does not trace\n";
}
sub stop_tracer { my ($tracer) = @_; kill 'INT', $tracer->[0]; waitpid $tracer->[0], 0 }

# A process that does nothing.
sub sleeper {
    my $pid = fork // die;
    if (!$pid) { exec 'sleep', '600' }
    return $pid;
}
sub end_of { my ($pid) = @_; kill 'KILL', $pid; waitpid $pid, 0 }

# ---- tables -------------------------------------------------------------------------------

# Prints a table and keeps it in results.json. Columns are aligned right, but for the first one and
# those whose name begins with "<". `bars` is what a chart can show of it: [label, value] each.
sub table {
    my ($name, $title, $columns, $rows, %more) = @_;
    my @left = map { $_ == 0 || $columns->[$_] =~ /^</ ? 1 : 0 } 0 .. $#$columns;
    my @names = map { s/^<//r } @$columns;
    my $line = sub { '| ' . join(' | ', @_) . " |\n" };
    print "### $title\n\n", $line->(@names), '|', (map { $_ ? '---|' : '---:|' } @left), "\n";
    print $line->(@$_) for @$rows;
    print "\n$more{note}\n" if $more{note};
    print "\n";
    my $file = "$work/results.json";
    my $results = {};
    # (No decoding of characters, either way: the sources are UTF-8, and so is the file.)
    my $json = JSON::PP->new->canonical->pretty;
    if (open my $in, '<', $file) { local $/; $results = eval { $json->decode(<$in>) } // {} }
    $results->{$name} = {
        title => $title, columns => \@names, rows => [map { [map { "$_" } @$_] } @$rows],
        taken => strftime('%Y-%m-%d', localtime), %more,
    };
    open my $out, '>', $file or die;
    print $out $json->encode($results);
    close $out or die;
}

sub machine {
    my ($cpu) = grep { /^model name/ } split /\n/, `cat /proc/cpuinfo`;
    $cpu =~ s/.*: //;
    chomp(my $kernel = `uname -r`);
    chomp(my $cores = `nproc`);
    my ($method) = `$husk doctor` =~ /copied by (\S+?)\.$/m;
    printf "Machine: %s, %d cores, Linux %s, copy method %s.\n\n", $cpu, $cores, $kernel, $method;
}

1;
