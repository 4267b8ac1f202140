# SPDX-License-Identifier: MIT
# The report of a large capture in a browser, and how soon a viewer answers: 100,000 snapshots of
# many regions, and (gib=N) a capture of many GiB. Times of the browser are those that the page's own
# clock and Selenium tell (Tests/Browser/check_page.py).
use strict;
use warnings;
use Bench;
use Cwd qw(abs_path);
use JSON::PP;
use Time::HiRes qw(time sleep);

sub report {
    my $rounds = setting(rounds => 3);
    my $folder = setting(folder => $work);
    my $capture = "$folder/report.husk";
    my $toggle = compile('toggle');
    # 25 processes of 4,000 snapshots each: regions, transitions and generations of many kinds.
    my $command = "for i in \$(seq 25); do $toggle -k 64 -c 16 -n 250; done";
    my $run = run([$husk, 'run', '--quiet', '--force', '-o', $capture, '--', 'sh', '-c', $command],
        limit => setting(limit => 900));
    $run->{status} == 0 or die "the capture failed: status $run->{status}\n";
    my ($snapshots) = `$husk info --json $capture` =~ /"pages":(\d+)/;
    my $html = "$folder/report.html";
    my (%times, $size);
    for (1 .. $rounds) {
        my $start = time;
        system("$husk report --no-analysis --force $capture -o $html 2>/dev/null") == 0 or die "husk report failed\n";
        push @{ $times{made} }, time - $start;
        $size = -s $html;
        next if !-x '/usr/bin/chromedriver';
        my $told = decode_json(join '', `/usr/bin/python3 Tests/Browser/check_page.py --time file://@{[abs_path $html]}`);
        push @{ $times{$_} }, $told->{timing}{"${_}Ms"} / 1000 for qw(interactive filter select zoom);
    }
    my @rows = map { [$_->[1], sprintf('%.2f', median @{ $times{$_->[0]} }), spread(@{ $times{$_->[0]} })] }
        grep { $times{$_->[0]} } ['made', 'husk report'], ['interactive', 'open in a browser, until it answers'],
        ['filter', 'a filter'], ['select', 'a region is chosen'], ['zoom', 'a zoom'];
    table(report => sprintf('A report of %d snapshots, %.1f MiB of HTML', $snapshots, $size / 2**20),
        ['what', 'median, s', '<spread'], \@rows, unit => 's');
    unlink $capture, $html;

    my $gib = setting(gib => 0) or return;
    my $churn = compile('churn');
    my $large = "$folder/view.husk";
    run([$husk, 'run', '--quiet', '--force', '-o', $large, '--', $churn, '-g', $gib], limit => setting(limit => 900));
    my %answers;
    for (1 .. $rounds) {
        my $start = time;
        my $pid = open my $viewer, '-|', $husk, 'view', $large or die;
        chomp(my $address = <$viewer>);
        push @{ $answers{'address'} }, time - $start;
        for my $document ('', 'overview', 'timeline', 'region/1', 'search?q=nothing') {
            my $begin = time;
            system("curl -sf '$address$document' >/dev/null") == 0 or die "no $document\n";
            push @{ $answers{$document || 'page'} }, time - $begin;
        }
        kill INT => $pid;
        close $viewer;
    }
    table(view => sprintf('husk view of %.1f GiB', (-s $large) / 2**30), ['answer', 'median, s', '<spread'],
        [map { [$_, sprintf('%.3f', median @{ $answers{$_} }), spread(@{ $answers{$_} })] }
            'address', 'page', 'overview', 'timeline', 'region/1', 'search?q=nothing'], unit => 's');
    unlink $large;
}

1;
