# SPDX-License-Identifier: MIT
# Instructions instead of time: repeatable where a machine is noisy, if it has counters.
use strict;
use warnings;
use Bench;

sub instructions {
    my $rounds = setting(rounds => 3);
    my $count = setting(count => 20000);
    my @load = (compile('toggle'), '-k', 64, '-n', $count);
    my ($user, $kernel) = counted('true');
    if (!defined $user) {
        print "### Instructions\n\nSkipped: $kernel.\n\n";
        return;
    }
    my (%user, %kernel);
    for (1 .. $rounds) {
        for (['alone'], ['`husk run`', $husk, 'run', '--quiet', '--']) {
            my ($name, @before) = @$_;
            my ($user, $kernel) = counted(@before, @load);
            push @{$user{$name}}, $user / $count;
            push @{$kernel{$name}}, $kernel / $count;
        }
    }
    my $all = sub { median(@{$user{$_[0]}}) + median(@{$kernel{$_[0]}}) };
    table(instructions => "Instructions for a transition of 64 KiB, husk's included ($count transitions, $rounds rounds)",
        ['', 'user', 'kernel', 'all', 'ratio'],
        [map { [$_, sprintf('%.0f', median @{$user{$_}}), sprintf('%.0f', median @{$kernel{$_}}),
            sprintf('%.0f', $all->($_)), sprintf('%.2f', $all->($_) / $all->('alone'))] } 'alone', '`husk run`']);
}

# Instructions in user and in kernel mode of a command and its children; or undef and the reason.
sub counted {
    my @command = @_;
    my $file = "$work/counts";
    -x '/usr/bin/perf' or return (undef, 'there is no perf (apt-get install linux-perf)');
    run(['perf', 'stat', '-x', ',', '-o', $file, '-e', 'instructions:u,instructions:k', '--', @command]);
    open my $in, '<', $file or return (undef, 'perf stat does not work here');
    my %count = map { /^([^,]+),[^,]*,instructions:([uk])/ ? ($2 => $1) : () } <$in>;
    my $value = $count{u} // 'nothing';
    return $value =~ /^\d+$/ && $count{k} =~ /^\d+$/ ? @count{qw(u k)}
        : (undef, "perf stat says \"$value\" of instructions:u on this machine, it has no counters");
}

1;
