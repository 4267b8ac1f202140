# SPDX-License-Identifier: MIT
# From exec to attached, beside the smallest program in C that loads the same object.
use strict;
use warnings;
use Bench;

sub startup {
    my $pairs = setting(pairs => 11);
    my ($object) = split /\n/, `find -L .build/plugins/outputs -name 'EmbeddedProbesExplicit.swift.o' | head -1`;
    $object or die "no object with the probes in .build/plugins/outputs: run `make bench`\n";
    compile('loader', '-ISources/HuskProbes/include', '-lbpf');
    my $target = sleeper();
    my (@ours, @theirs, @ratios);
    for (1 .. $pairs) {
        push @theirs, time_until(qr/attached/, "$work/loader", $object, $target);
        push @ours, time_until(qr/tracing process/, $husk, 'attach', $target);
        push @ratios, $ours[-1] / $theirs[-1];
    }
    end_of($target);
    table(startup => "Start-up: from exec to attached ($pairs alternating pairs)",
        ['program', 'median, ms', 'ratio, median', '<spread'],
        [
            ['smallest libbpf program in C', sprintf('%.0f', 1000 * median @theirs), 1, ''],
            ['husk attach', sprintf('%.0f', 1000 * median @ours), sprintf('%.2f', median @ratios), spread(@ratios)],
        ],
        unit => 'ms', bars => [['C with libbpf', 1000 * median(@theirs)], ['husk attach', 1000 * median(@ours)]]);
}

1;
