// SPDX-License-Identifier: MIT
// Work for V8's compilers: functions made of text, kept for a while and dropped; classes, closures,
// regular expressions, WebAssembly. Says "done PID RESULT" and waits for a line.
'use strict';
const fs = require('fs');

let seed = 12345;
function random(n) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % n;
}

function expression(depth) {
    if (depth === 0) return ['a', 'b', 'i', String(random(1000))][random(4)];
    const [left, right] = [expression(depth - 1), expression(depth - 1)];
    switch (random(5)) {
    case 0: return `(${left} + ${right} | 0)`;
    case 1: return `(${left} ^ ${right})`;
    case 2: return `Math.imul(${left}, ${right})`;
    case 3: return `(${left} > ${right} ? ${left} : ${right})`;
    default: return `(${left} - ${right} | 0)`;
    }
}

// Functions that live for a while: what is dropped, V8 throws away and writes over
// (--expose-gc: in a longer run that happens by itself).
function generated(rounds, kept) {
    const living = [];
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
        const body = `let s = 0; for (let i = 0; i < n; i++) { s = (s + ${expression(4)}) | 0; } return s;`;
        const f = new Function('n', 'a', 'b', body);
        living.push(f);
        if (living.length > kept) living.splice(random(kept), 1);
        if (round % 200 === 199) gc();
        for (let k = 0; k < 40; k++) sum = (sum + living[random(living.length)](600, k, round)) | 0;
    }
    return sum;
}

class Shape { area() { return 0; } }
class Square extends Shape { constructor(n) { super(); this.n = n; } area() { return this.n * this.n; } }
class Strip extends Shape { constructor(n) { super(); this.n = n; this.m = 3; } area() { return this.n * this.m; } }

function objects(n) {
    const counts = new Map();
    let total = 0;
    for (let i = 0; i < n; i++) {
        const shape = i % 3 ? new Square(i % 50) : new Strip(i % 70);
        total += shape.area();
        const key = 'k' + (total % 97);
        counts.set(key, (counts.get(key) || 0) + 1);
    }
    const list = [...counts].map(([key, value]) => ({ key, value })).sort((x, y) => x.key < y.key ? -1 : 1);
    return total + JSON.parse(JSON.stringify(list)).reduce((s, { value }, i) => s + value * i, 0);
}

function expressions(n) {
    const text = 'alpha=1; beta = 22 ;gamma=[3,4]; delta="five"; '.repeat(20);
    let hits = 0;
    for (let i = 0; i < n; i++) {
        const pattern = new RegExp(`(\\w+)\\s*=\\s*([${i % 5}-9\\[]+|"[a-z]{${i % 7},}")`, 'g');
        for (const match of text.matchAll(pattern)) hits += match[1].length + match[2].length;
    }
    return hits;
}

// (func (export "f") (param i32) (result i32)): the sum of the squares below the parameter.
function webAssembly(n) {
    const bytes = new Uint8Array([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
        10, 33, 1, 31, 1, 1, 127, 3, 64, 32, 0, 65, 1, 107, 34, 0, 32, 0, 108, 32, 1, 106, 33, 1,
        32, 0, 65, 0, 74, 13, 0, 11, 32, 1, 11]);
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    let sum = 0;
    for (let i = 1; i < n; i++) sum = (sum + f(i % 500 + 1)) | 0;
    return sum;
}

const result = [generated(1200, 150), objects(1500000), expressions(1500), webAssembly(20000)].join(',');
fs.writeSync(1, `done ${process.pid} ${result}\n`);
fs.readSync(0, Buffer.alloc(16));
