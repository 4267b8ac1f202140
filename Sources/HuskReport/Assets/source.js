// SPDX-License-Identifier: MIT

// Where documents come from: blocks embedded in the report, or the server of `husk view`.

class DocumentError extends Error {
  constructor(text, hint) {
    super(text);
    this.hint = hint || null;
  }
}

/// Expanded text that is kept, and the most that one block may expand to.
const KEPT = 40 << 20;
const LARGEST_BLOCK = 256 << 20;

function readIndex() {
  try {
    const index = JSON.parse(byId('husk-index').textContent);
    return index && typeof index === 'object' ? index : {};
  } catch {
    throw new DocumentError('The index of this page cannot be read.');
  }
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function expand(text) {
  const packed = bytesOf(text.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const parts = [];
  let size = 0;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) break;
    size += value.length;
    if (size > LARGEST_BLOCK) {
      reader.cancel();
      throw new Error('a block is too large');
    }
    parts.push(decoder.decode(value, {stream: true}));
  }
  parts.push(decoder.decode());
  return {documents: JSON.parse(parts.join('')), size};
}

class EmbeddedSource {
  constructor(index) {
    this.isLive = false;
    this.where = new Map(Object.entries(index.documents || {}));
    this.blocks = new Map();   // number -> promise, the least recently used first
    this.sizes = new Map();
  }

  has(name) {
    return this.where.has(name);
  }

  async document(name) {
    if (!this.where.has(name)) throw new DocumentError('This report does not hold it.');
    const documents = await this.block(this.where.get(name));
    const found = documents[name];
    if (!found || typeof found !== 'object') {
      throw new DocumentError(`Block ${this.where.get(name)} of this report does not hold it.`);
    }
    return found;
  }

  block(number) {
    const known = this.blocks.get(number);
    if (known) {
      this.blocks.delete(number);
      this.blocks.set(number, known);
      return known;
    }
    const element = byId(`husk-block-${number}`);
    const promise = (element ? expand(element.textContent) : Promise.reject(new Error('missing')))
      .then(({documents, size}) => {
        if (!documents || typeof documents !== 'object') throw new Error('no documents');
        this.sizes.set(number, size);
        this.forget();
        return documents;
      }, (error) => {
        this.blocks.delete(number);
        throw new DocumentError(`Block ${number} of this report cannot be read `
          + `(${clip(error.message, 80)}).`, 'Was the file cut or changed? Make the report again.');
      });
    this.blocks.set(number, promise);
    return promise;
  }

  forget() {
    let sum = 0;
    for (const size of this.sizes.values()) sum += size;
    for (const number of this.blocks.keys()) {
      if (sum <= KEPT || this.blocks.size <= 1) break;
      if (!this.sizes.has(number)) continue;   // being expanded
      sum -= this.sizes.get(number);
      this.blocks.delete(number);
      this.sizes.delete(number);
    }
  }

  /// Blocks that hold pages, with the names of their pages: for the search.
  pagesByBlock() {
    const pages = new Map();
    for (const [name, number] of this.where) {
      if (!name.startsWith('page/')) continue;
      if (!pages.has(number)) pages.set(number, []);
      pages.get(number).push(name);
    }
    return pages;
  }
}

class ServerSource {
  constructor() {
    this.isLive = true;
    this.pages = new Map();   // contents never change: the latest are kept
  }

  has() {
    return true;
  }

  async document(name) {
    const known = this.pages.get(name);
    if (known) return known;
    const found = await this.get(name);
    if (name.startsWith('page/')) {
      this.pages.set(name, found);
      if (this.pages.size > 300) this.pages.delete(this.pages.keys().next().value);
    }
    return found;
  }

  async get(name, signal) {
    const answer = await this.ask(name, signal);
    try {
      return await answer.json();
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new DocumentError('The answer of the server cannot be read.');
    }
  }

  async fragment(name) {
    return (await this.ask(`fragment/${name}`)).text();
  }

  async ask(name, signal) {
    let answer;
    try {
      answer = await fetch(name, {signal, cache: 'no-store', credentials: 'same-origin'});
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      const gone = new DocumentError('The server does not answer.', 'Does husk view still run?');
      gone.isGone = true;
      throw gone;
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new DocumentError(clip(told.error || `The server answers ${answer.status}.`, 400),
      told.hint ? clip(told.hint, 400) : null);
  }
}

function makeSource(index) {
  return index.mode === 'view' ? new ServerSource() : new EmbeddedSource(index);
}

/// An error where the document would have been.
function errorNote(error) {
  return make('p', {class: 'note bad'}, clip(error.message, 400),
    error.hint ? make('span', {class: 'hint', text: ' ' + clip(error.hint, 400)}) : null);
}
