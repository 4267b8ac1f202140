# SPDX-License-Identifier: MIT
# CPU time of `husk attach` on a process that sleeps.
use strict;
use warnings;
use Time::HiRes qw(time sleep);
use Bench;

sub idle {
    my $seconds = setting(seconds => 20);
    my $target = sleeper();
    my $tracer = start_tracer($target);
    # What starting has left to do is none of it.
    sleep 2;
    my ($ticks, $nanoseconds) = consumed($tracer->[0]);
    my $start = time;
    sleep $seconds;
    my ($ticks_then, $nanoseconds_then) = consumed($tracer->[0]);
    my $elapsed = time - $start;
    stop_tracer($tracer);
    end_of($target);
    my $second = POSIX::sysconf(POSIX::_SC_CLK_TCK());
    table(idle => sprintf('CPU time of `husk attach` on a sleeping process (%.0f s)', $elapsed),
        ['', 'ms', 'of one core, %'],
        [
            ['utime + stime', sprintf('%.0f', ($ticks_then - $ticks) * 1000 / $second),
                sprintf('%.3f', 100 * ($ticks_then - $ticks) / $second / $elapsed)],
            ['schedstat of all threads', sprintf('%.2f', ($nanoseconds_then - $nanoseconds) / 1e6),
                sprintf('%.3f', ($nanoseconds_then - $nanoseconds) / 1e7 / $elapsed)],
        ]);
}

# Ticks of the process, and nanoseconds of its threads. (The process's own schedstat is that of its
# first thread.)
sub consumed {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/stat" or die;
    my ($user, $system) = (split / /, <$in> =~ s/^.*\) //r)[11, 12];
    my $nanoseconds = 0;
    for (glob "/proc/$pid/task/*/schedstat") {
        open my $thread, '<', $_ or next;
        $nanoseconds += (split / /, <$thread>)[0];
    }
    return ($user + $system, $nanoseconds);
}

1;
