# SPDX-License-Identifier: MIT
# Programs that keep a JIT compiler busy, at least 5 seconds each: name and command.
package Workloads;
use strict;
use warnings;
use Exporter 'import';
use Bench;

our @EXPORT = qw(workloads);

sub workloads {
    system('javac', '-d', $work, 'Benchmarks/workloads/Hot.java') == 0 or die;
    my $folder = 'Benchmarks/workloads';
    return (
        [node => 'node', "$folder/hot.js", 6500],
        [java => 'java', '-cp', $work, 'Hot', 18000],
        [luajit => 'luajit', "$folder/hot.lua", 100],
        [sbcl => 'sbcl', '--script', "$folder/hot.lisp", 2400],
    );
}

1;
