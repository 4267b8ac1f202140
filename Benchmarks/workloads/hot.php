<?php
// SPDX-License-Identifier: MIT
// hot.php ROUNDS: keeps the tracing JIT busy: functions that are made while it runs.
$rounds = (int)$argv[1];
$sum = 0;
for ($r = 0; $r < $rounds; $r++) {
    $f = eval("return function(int \$n): int { \$s = $r; for (\$i = 0; \$i < \$n; \$i++) { "
        . "\$s = (\$s * 31 + (\$i ^ $r)) % 1000003; } return \$s; };");
    $sum = ($sum + $f(20000)) % 1000003;
}
echo "$sum\n";
