// SPDX-License-Identifier: MIT
// Keeps V8's compilers busy: functions are made, become hot, are thrown away.
let total = 0
for (let round = 0; round < Number(process.argv[2]); round++) {
  const step = new Function('x', `return (x * ${round % 97 + 3} + ${round}) % 1000003`)
  let x = round
  for (let i = 0; i < 200000; i++) x = step(x)
  total += x
}
console.log(total)
