// SPDX-License-Identifier: MIT

// A page as bytes and as instructions, side by side: what is pointed at in one is shown in both.

const LARGEST_PAGE = 65536;

function readPage(told) {
  let bytes;
  try {
    bytes = bytesOf(String(told.bytes || '').slice(0, LARGEST_PAGE * 2)).subarray(0, LARGEST_PAGE);
  } catch {
    throw new DocumentError('The bytes of this page cannot be read.');
  }
  const lines = asList(told.lines).slice(0, LARGEST_PAGE)
    .filter((l) => Array.isArray(l) && Number.isInteger(l[0]) && Number.isInteger(l[1])
      && l[0] > -16 && l[0] < bytes.length && l[1] > 0 && l[1] <= 16)
    .map(([offset, length, text]) => ({offset, length, text: clip(text, 120)}));
  return {bytes, bits: told.bits === 32 ? 32 : 64, lines};
}

const printable = (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.');

class CodeView {
  constructor(page, address, options) {
    this.page = page;
    this.address = address;
    this.bytes = new Array(page.bytes.length);
    this.letters = new Map();   // of rows in which some are shown apart
    this.lineAt = new Int32Array(page.bytes.length).fill(-1);
    page.lines.forEach((line, index) => {
      for (let o = Math.max(0, line.offset); o < Math.min(page.bytes.length, line.offset + line.length); o++) {
        this.lineAt[o] = index;
      }
    });
    this.hot = [];
    this.hexBox = this.makeHex();
    this.codeBox = this.makeCode(options.entry);
    this.element = make('div', {class: 'code-view'},
      make('div', {class: 'code-side'}, make('h4', {text: 'Bytes'}), this.hexBox),
      make('div', {class: 'code-side'}, make('h4', {text: `Instructions (${page.bits} bit)`}), this.codeBox));
  }

  makeHex() {
    const box = make('div', {class: 'hex', tabindex: '0', role: 'group',
      'aria-label': 'Bytes of the page; arrows move, the instruction is told'});
    const {bytes} = this.page;
    const parts = document.createDocumentFragment();
    for (let row = 0; row < bytes.length; row += 16) {
      const line = make('div', {class: 'hex-row'});
      line.append(make('span', {class: 'at', text: hex(row).padStart(3, '0')}));
      const data = make('span', {class: 'data'}), text = make('span', {class: 'letters'});
      let letters = '';
      for (let o = row; o < Math.min(row + 16, bytes.length); o++) {
        const byte = document.createElement('i');
        byte.textContent = hex2(bytes[o]);
        if (!bytes[o]) byte.className = 'zero';
        this.bytes[o] = byte;
        data.append(byte);
        letters += printable(bytes[o]);
      }
      text.textContent = letters;
      line.append(data, text);
      parts.append(line);
    }
    box.append(parts);
    const offsetOf = (target) => {
      const line = target.closest('.hex-row');
      if (target.tagName !== 'I' || !line) return -1;
      const row = [...box.children].indexOf(line);
      return row * 16 + [...target.parentNode.children].indexOf(target);
    };
    box.addEventListener('pointerover', (event) => {
      const o = offsetOf(event.target);
      if (o >= 0) this.pointAt(o, false, true);
    });
    box.addEventListener('keydown', (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 16, ArrowUp: -16}[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.cursor = clamp((this.cursor === undefined ? -step : this.cursor) + step, 0, bytes.length - 1);
      this.pointAt(this.cursor, true, true);
      const line = this.page.lines[this.lineAt[this.cursor]];
      announce(`${hex(this.cursor)}: ${hex2(bytes[this.cursor])}${line ? ', ' + line.text : ''}`);
    });
    return box;
  }

  makeCode(entry) {
    const box = make('div', {class: 'code', role: 'listbox', tabindex: '0',
      'aria-label': 'Instructions of the page; arrows move', id: 'disassembly'});
    const parts = document.createDocumentFragment();
    this.rows = this.page.lines.map((line, index) => {
      const address = this.address + BigInt(line.offset);
      const isEntry = entry !== null && address === entry;
      const row = make('div', {class: 'line', role: 'option', id: `line-${index}`, 'aria-selected': 'false'});
      const [, name, rest] = /^(\S+)\s*(.*)$/.exec(line.text) || ['', line.text, ''];
      row.append(make('span', {class: 'at', text: hex(address)}),
        make('span', {class: `op ${flowClass(name)}`, text: name}), rest);
      if (isEntry) {
        row.classList.add('entry');
        row.append(make('span', {class: 'tag tag-entry', text: 'entry'}));
      }
      parts.append(row);
      return row;
    });
    if (!this.rows.length) parts.append(make('p', {class: 'quiet', role: 'option', 'aria-selected': 'false',
      text: 'No instructions were told for this page.'}));
    box.append(parts);
    box.addEventListener('pointerover', (event) => {
      const row = event.target.closest('.line');
      if (row) this.pointAtLine(this.rows.indexOf(row), false);
    });
    box.addEventListener('click', (event) => {
      const row = event.target.closest('.line');
      if (row) this.pointAtLine(this.rows.indexOf(row), true);
    });
    box.addEventListener('keydown', (event) => {
      const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -1e6, End: 1e6}[event.key];
      if (!step || !this.rows.length) return;
      event.preventDefault();
      event.stopPropagation();
      this.pointAtLine(clamp((this.line === undefined ? -step : this.line) + step, 0, this.rows.length - 1), true);
    });
    return box;
  }

  pointAtLine(index, scroll) {
    const line = this.page.lines[index];
    if (!line) return;
    this.line = index;
    this.show(Math.max(0, line.offset), line.offset + line.length, index);
    if (scroll) {
      scrollWithin(this.codeBox, this.rows[index]);
      scrollWithin(this.hexBox, this.bytes[Math.max(0, line.offset)].closest('.hex-row'));
    }
  }

  pointAt(offset, scrollHex, scrollCode) {
    const index = this.lineAt[offset];
    const line = this.page.lines[index];
    this.show(line ? Math.max(0, line.offset) : offset, line ? line.offset + line.length : offset + 1, index);
    if (scrollHex) scrollWithin(this.hexBox, this.bytes[offset].closest('.hex-row'));
    if (scrollCode && this.rows[index]) scrollWithin(this.codeBox, this.rows[index]);
  }

  /// An element for one letter: made when it is needed, most rows stay plain text.
  letter(offset) {
    const row = offset >> 4;
    if (!this.letters.has(row)) {
      const box = this.hexBox.children[row].lastChild;
      const letters = [...box.textContent].map((text) => make('i', {text}));
      box.replaceChildren(...letters);
      this.letters.set(row, letters);
    }
    return this.letters.get(row)[offset & 15];
  }

  show(from, to, index) {
    for (const element of this.hot) element.classList.remove('hot');
    this.hot = [];
    for (let o = from; o < Math.min(to, this.bytes.length); o++) this.hot.push(this.bytes[o], this.letter(o));
    if (this.chosen) this.chosen.setAttribute('aria-selected', 'false');
    this.chosen = this.rows[index] || null;
    if (this.chosen) {
      this.hot.push(this.chosen);
      this.chosen.setAttribute('aria-selected', 'true');
      this.codeBox.setAttribute('aria-activedescendant', this.chosen.id);
    }
    for (const element of this.hot) element.classList.add('hot');
  }

  /// A hit of a search or a rule: stays marked.
  mark(offset, length) {
    const end = Math.min(this.bytes.length, offset + clamp(length, 1, 4096));
    for (let o = Math.max(0, offset); o < end; o++) {
      this.bytes[o].classList.add('marked');
      this.letter(o).classList.add('marked');
      if (this.rows[this.lineAt[o]]) this.rows[this.lineAt[o]].classList.add('marked');
    }
  }

  goTo(offset) {
    if (offset < 0 || offset >= this.bytes.length) return;
    this.pointAt(offset, true, true);
    this.line = this.lineAt[offset];
    this.cursor = offset;
  }
}

function flowClass(name) {
  if (/^(call|syscall|int|sysenter)/.test(name)) return 'op-call';
  if (/^(j|loop|ret|iret)/.test(name)) return 'op-jump';
  return name === '(bad)' ? 'op-bad' : '';
}

/// scrollIntoView would scroll the page also.
function scrollWithin(box, element) {
  const a = box.getBoundingClientRect(), b = element.getBoundingClientRect();
  if (b.top < a.top || b.bottom > a.bottom) box.scrollTop += b.top - a.top - a.height / 3;
}
