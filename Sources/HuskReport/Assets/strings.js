// SPDX-License-Identifier: MIT

// Text in pages: ASCII and UTF-16LE, at least five characters.

const SHORTEST_STRING = 5, MOST_STRINGS = 2000;

function stringsIn(bytes) {
  const found = [];
  let start = -1;
  for (let o = 0; o <= bytes.length; o++) {
    const b = o < bytes.length ? bytes[o] : 0;
    if ((b >= 0x20 && b < 0x7f) || b === 9) {
      if (start < 0) start = o;
    } else {
      if (start >= 0 && o - start >= SHORTEST_STRING) found.push({offset: start, length: o - start, wide: false});
      start = -1;
    }
  }
  for (let phase = 0; phase < 2; phase++) {
    start = -1;
    for (let o = phase; o <= bytes.length; o += 2) {
      const b = o + 1 < bytes.length && !bytes[o + 1] ? bytes[o] : 0;
      if (b >= 0x20 && b < 0x7f) {
        if (start < 0) start = o;
      } else {
        if (start >= 0 && (o - start) / 2 >= SHORTEST_STRING) found.push({offset: start, length: o - start, wide: true});
        start = -1;
      }
    }
  }
  for (const s of found) {
    let text = '';
    for (let o = s.offset; o < s.offset + Math.min(s.length, 400); o += s.wide ? 2 : 1) text += String.fromCharCode(bytes[o]);
    s.text = text;
  }
  return found.sort((a, b) => a.offset - b.offset);
}

function stringRow(page, string, open) {
  return make('li', null,
    make('button', {type: 'button', class: 'link', on: {click: () => open(page, string)}},
      make('code', {text: hex(page.address + BigInt(string.offset))})),
    make('span', {class: 'tag', text: string.wide ? 'UTF-16' : 'ASCII'}),
    make('code', {class: 'string', text: clip(string.text, 200)}));
}

/// The strings of one page, and on demand those of all pages of the generation.
function makeStrings(page, state, load, open) {
  const list = make('ol', {class: 'strings', tabindex: '0', 'aria-label': 'Strings'});
  const told = make('p', {class: 'quiet', role: 'status'});
  const box = make('div', null, told, list);
  const own = page.data ? stringsIn(page.data.bytes) : [];
  for (const s of own.slice(0, MOST_STRINGS)) list.append(stringRow(page, s, open));
  told.textContent = `${plural(own.length, 'string')} of at least ${SHORTEST_STRING} characters on this page. `;
  const held = state.pages.filter((p) => p.held && p.content >= 0);
  if (held.length > 1) {
    const all = button(`Search all ${count(held.length)} pages of this generation`, () => searchAll(all));
    told.append(all);
  }
  async function searchAll(from) {
    let stopped = false;
    from.textContent = 'Stop';
    const stop = button('Stop', () => { stopped = true; });
    from.replaceWith(stop);
    stop.focus();
    list.replaceChildren();
    let n = 0, seen = 0, failed = 0;
    for (const p of held) {
      if (stopped || n >= MOST_STRINGS || !box.isConnected) break;
      try {
        for (const s of stringsIn((await load(p)).bytes)) {
          if (n++ >= MOST_STRINGS) break;
          list.append(stringRow(p, s, open));
        }
      } catch { failed++; }
      if (++seen % 16 === 0) {
        told.firstChild.textContent = `${count(n)} strings in ${count(seen)} of ${count(held.length)} pages. `;
        await new Promise((go) => { setTimeout(go); });
      }
    }
    stop.remove();
    told.firstChild.textContent = `${count(n)} strings in ${count(seen)} of ${count(held.length)} pages`
      + (n >= MOST_STRINGS ? `; only the first ${count(MOST_STRINGS)} are listed` : stopped ? '; stopped' : '')
      + (failed ? `; ${plural(failed, 'page')} cannot be read` : '') + '.';
  }
  return box;
}
