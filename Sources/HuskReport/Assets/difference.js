// SPDX-License-Identifier: MIT

// What changed on a page between two generations: bytes, and instructions.

function makeDifference(before, after, address) {
  const changed = [];
  const n = Math.max(before.bytes.length, after.bytes.length);
  for (let o = 0; o < n; o++) if (before.bytes[o] !== after.bytes[o]) changed.push(o);
  if (!changed.length) return make('p', {class: 'quiet', text: 'The bytes are the same.'});
  const lines = diffLines(before.lines, after.lines);
  return make('div', null,
    make('p', {class: 'quiet', text: `${plural(changed.length, 'byte')} of ${count(n)} differ.`}),
    make('div', {class: 'code-view'},
      make('div', {class: 'code-side'}, make('h4', {text: 'Bytes: before, after'}), hexDifference(before, after, changed)),
      make('div', {class: 'code-side'}, make('h4', {text: 'Instructions'}), lineDifference(lines, address))));
}

function hexDifference(before, after, changed) {
  const box = make('div', {class: 'hex difference', tabindex: '0', role: 'group', 'aria-label': 'Rows of bytes that differ'});
  const rows = [...new Set(changed.map((o) => o >> 4))];
  let last = -1;
  for (const row of rows) {
    if (row !== last + 1 && last >= 0) box.append(make('div', {class: 'skip-row', text: '\u22ee'}));
    last = row;
    for (const [sign, bytes, other] of [['\u2212', before.bytes, after.bytes], ['+', after.bytes, before.bytes]]) {
      const data = make('span', {class: 'data'}), text = make('span', {class: 'letters'});
      for (let o = row * 16; o < Math.min(row * 16 + 16, bytes.length); o++) {
        const cls = bytes[o] !== other[o] ? 'changed' : null;
        data.append(make('i', {class: cls, text: hex2(bytes[o])}));
        text.append(make('i', {class: cls, text: printable(bytes[o])}));
      }
      box.append(make('div', {class: `hex-row ${sign === '+' ? 'added' : 'removed'}`},
        make('span', {class: 'at', text: `${sign}${hex(row * 16).padStart(3, '0')}`}), data, text));
    }
  }
  return box;
}

const MOST_CELLS = 4e6;

/// [[sign, line]]: a longest common subsequence where it is affordable.
function diffLines(before, after) {
  const same = (a, b) => a.text === b.text && a.offset === b.offset;
  let head = 0;
  while (head < before.length && head < after.length && same(before[head], after[head])) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head
    && same(before[before.length - 1 - tail], after[after.length - 1 - tail])) tail++;
  const a = before.slice(head, before.length - tail), b = after.slice(head, after.length - tail);
  const result = before.slice(0, head).map((line) => [' ', line]);
  if (a.length * b.length > MOST_CELLS) {
    result.push(...a.map((line) => ['-', line]), ...b.map((line) => ['+', line]));
  } else {
    const w = b.length + 1;
    const lengths = new Uint16Array((a.length + 1) * w);
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        lengths[i * w + j] = a[i].text === b[j].text ? lengths[(i + 1) * w + j + 1] + 1
          : Math.max(lengths[(i + 1) * w + j], lengths[i * w + j + 1]);
      }
    }
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i].text === b[j].text) {
        result.push([' ', b[j]]);
        i++; j++;
      } else if (j >= b.length || (i < a.length && lengths[(i + 1) * w + j] >= lengths[i * w + j + 1])) {
        result.push(['-', a[i++]]);
      } else result.push(['+', b[j++]]);
    }
  }
  result.push(...after.slice(after.length - tail).map((line) => [' ', line]));
  return result;
}

function lineDifference(lines, address) {
  const box = make('div', {class: 'code difference', tabindex: '0', role: 'group', 'aria-label': 'Instructions removed and added'});
  const near = new Set();
  lines.forEach(([sign], i) => {
    if (sign !== ' ') for (let k = i - 3; k <= i + 3; k++) near.add(k);
  });
  let isCut = false;
  lines.forEach(([sign, line], i) => {
    if (!near.has(i)) {
      if (!isCut) box.append(make('div', {class: 'skip-row', text: '\u22ee'}));
      isCut = true;
      return;
    }
    isCut = false;
    const cls = sign === '+' ? 'line added' : sign === '-' ? 'line removed' : 'line';
    box.append(make('div', {class: cls}, make('span', {class: 'sign', text: sign === '-' ? '\u2212' : sign}),
      make('span', {class: 'at', text: hex(address + BigInt(line.offset))}), line.text));
  });
  return box;
}
