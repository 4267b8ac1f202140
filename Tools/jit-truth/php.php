<?php
// SPDX-License-Identifier: MIT
// php.php FOLDER: work for PHP's tracing JIT: files of functions, generated into FOLDER and
// included as template engines do, classes, arrays, strings. Says "done PID RESULT" and waits
// for a line.
$seed = 12345;
function pick(int $n): int {
    global $seed;
    $seed = ($seed * 16807) % 2147483647;
    return $seed % $n;
}

function expression(int $depth): string {
    if ($depth === 0) return ['$a', '$b', '$i', (string)pick(1000)][pick(4)];
    [$left, $right] = [expression($depth - 1), expression($depth - 1)];
    switch (pick(4)) {
    case 0: return "($left + $right)";
    case 1: return "($left ^ $right)";
    case 2: return "($left > $right ? $left : $right)";
    default: return "($left - $right)";
    }
}

function generated(string $folder, int $files): int {
    $sum = 0;
    for ($file = 0; $file < $files; $file++) {
        $text = "<?php\n";
        for ($k = 0; $k < 8; $k++) {
            $text .= "function f{$file}_$k(int \$n, int \$a, int \$b): int { \$s = 0; for (\$i = 0; \$i < \$n; \$i++) {"
                . " \$s = (\$s + " . expression(3) . ") % 65521; if (\$s % 7 === $k) { \$s += 3; } } return \$s; }\n";
        }
        file_put_contents("$folder/g$file.php", $text);
        require "$folder/g$file.php";
        for ($k = 0; $k < 8; $k++) {
            for ($j = 0; $j < 5; $j++) $sum = ($sum + "f{$file}_$k"(3000, $j, $file)) % 1000003;
        }
    }
    return $sum;
}

abstract class Shape { abstract function area(): int; }
class Square extends Shape { function __construct(private int $n) {} function area(): int { return $this->n * $this->n; } }
class Strip extends Shape { function __construct(private int $n, private int $m) {} function area(): int { return $this->n * $this->m; } }

function objects(int $n): int {
    $counts = [];
    $total = 0;
    for ($i = 0; $i < $n; $i++) {
        $shape = $i % 3 ? new Square($i % 50) : new Strip($i % 70, 3);
        $total += $shape->area();
        $key = 'k' . $total % 97;
        $counts[$key] = ($counts[$key] ?? 0) + 1;
    }
    ksort($counts);
    $i = 0;
    foreach ($counts as $value) $total += $value * $i++;
    return $total;
}

function fibonacci(int $n): int { return $n < 2 ? $n : fibonacci($n - 1) + fibonacci($n - 2); }

$result = implode(',', [generated($argv[1], 100), objects(4000000), fibonacci(27)]);
fwrite(STDOUT, 'done ' . getmypid() . " $result\n");
fgets(STDIN);
