// SPDX-License-Identifier: MIT

// The search: what the overview says at once, contents on Enter (embedded pages, or the server).

const MOST_HITS = 500, MOST_REGIONS = 100;
const search = {turn: 0, hits: 0, controller: null};

function startSearch() {
  const box = byId('search-box');
  byId('search-form').addEventListener('submit', (event) => {
    event.preventDefault();
    runSearch(box.value, true);
  });
  box.addEventListener('input', () => {
    if (box.value.trim()) runSearch(box.value, false); else closeSearch();
  });
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown') return;
    const first = byId('results-list').querySelector('button');
    if (first) { event.preventDefault(); first.focus(); }
  });
  byId('results-list').addEventListener('keydown', (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const links = [...byId('results-list').querySelectorAll('button')];
    const to = links[links.indexOf(document.activeElement) + step];
    (to || box).focus();
  });
  byId('results-list').addEventListener('click', (event) => {
    const hit = event.target.closest('button');
    if (!hit) return;
    panel.tab = 'code';
    if (window.innerWidth < 1180) closeSearch();   // it would lie over the region
    openHash(hit.dataset.hash);
  });
  byId('results-stop').addEventListener('click', stopSearch);
  byId('results-close').addEventListener('click', () => { closeSearch(); box.focus(); });
}

function stopSearch() {
  search.turn++;
  if (search.controller) search.controller.abort();
  searchState('stopped', `${plural(search.hits, 'hit')}; stopped.`);
}

function closeSearch() {
  search.turn++;
  if (search.controller) search.controller.abort();
  byId('results').hidden = true;
  delete document.documentElement.dataset.search;
}

function searchState(state, text) {
  document.documentElement.dataset.search = state;
  byId('results-state').textContent = text;
  byId('results-stop').hidden = state !== 'running';
  byId('results-progress').hidden = state !== 'running';
  if (state === 'done' || state === 'stopped') announce(text);
}

async function runSearch(text, inContents) {
  const query = text.trim();
  if (!query) return;
  const turn = ++search.turn;
  if (search.controller) search.controller.abort();
  search.controller = new AbortController();
  search.hits = 0;
  byId('results').hidden = false;
  byId('results-list').replaceChildren();
  searchOverview(query);
  if (!inContents) {
    searchState('typing', `${plural(search.hits, 'region')}; Enter searches the contents.`);
    return;
  }
  searchState('running', 'Searching\u2026');
  const goesOn = () => turn === search.turn;
  try {
    const told = source.isLive ? await searchServer(query, goesOn) : await searchBlocks(query, goesOn);
    if (!goesOn()) return;
    const more = search.hits >= MOST_HITS ? ` (the first ${MOST_HITS}; there may be more)` : '';
    searchState('done', `${plural(search.hits, 'hit')}${more}. ${told}`);
  } catch (error) {
    if (!goesOn()) return;
    searchState('done', `${error.message}${error.hint ? ' ' + error.hint : ''}`);
  }
}

function addHit(hash, where, ...about) {
  search.hits++;
  byId('results-list').append(make('li', null,
    make('button', {type: 'button', class: 'link', 'data-hash': hash}, make('code', {text: where})), ' ', ...about));
}

/// Addresses, names, findings, rules.
function searchOverview(query) {
  const found = new Set();
  const address = /^(0x)?[0-9a-f]{1,16}$/i.test(query) ? addressOf(query.replace(/^0x/i, '')) : null;
  if (address !== null && (query.length > 4 || /^0x/i.test(query))) {
    for (const r of regionsAt(address).slice(0, MOST_REGIONS)) {
      found.add(r);
      addHit(hashFor(r.id, {address: hex(address)}), `r${r.id}`, `holds ${hex(address)}: `,
        make('code', {text: rangeText(r.start, r.length)}), ` ${clipPath(r.what, 80)}`);
    }
  }
  const words = query.toLowerCase();
  for (const r of model.regions) {
    if (found.size >= MOST_REGIONS) break;
    if (found.has(r) || !regionText(r).includes(words)) continue;
    found.add(r);
    const finding = r.findings.find((f) => `${f.kind} ${f.reason}`.toLowerCase().includes(words));
    const rule = r.rules.find((x) => String(x).toLowerCase().includes(words));
    addHit(hashFor(r.id), `r${r.id}`, make('code', {text: rangeText(r.start, r.length)}),
      ` ${clipPath(r.what, 80)} `, make('span', {class: 'soft', text:
        rule ? `rule ${clip(rule, 60)}`
          : finding ? `${clip(finding.kind, 40)}: ${clip(finding.reason, 160)}`
            : `${r.pid} ${clipPath(r.processName, 40)}`}));
  }
}

function progress(done, all) {
  byId('results-progress').value = all > 0 ? clamp(done / all, 0, 1) : 0;
  byId('results-state').textContent = `${plural(search.hits, 'hit')}, ${count(done)} of ${count(all)} pages`;
}

async function searchServer(query, goesOn) {
  let cursor = null, searched = 0;
  const lengths = Object.fromEntries(needles(query).map((n) => [n.encoding, n.bytes.length]));
  do {
    const from = cursor === null ? '' : `&from=${encodeURIComponent(cursor)}`;
    const told = await source.get(`search?q=${encodeURIComponent(query)}${from}`, search.controller.signal);
    if (!goesOn()) return '';
    for (const h of asList(told.hits)) {
      if (search.hits >= MOST_HITS) break;
      contentHit(h, lengths[h.encoding] || 1);
    }
    searched = finite(told.searched, searched);
    progress(searched, finite(told.total, 0));
    cursor = told.next === undefined || told.next === cursor ? null : told.next;
  } while (cursor !== null && search.hits < MOST_HITS);
  return `${plural(searched, 'page')} searched.`;
}

function contentHit(h, length) {
  const region = model.byId.get(h.region);
  const place = {generation: finite(h.generation, 0), address: clip(h.address, 16),
    length: clamp(length, 1, 4096)};
  addHit(hashFor(h.region, place), clip(h.address, 16), `r${finite(h.region, 0)} generation ${finite(h.generation, 0)} `,
    make('span', {class: 'tag', text: h.encoding === 'utf16' ? 'UTF-16' : clip(h.encoding, 8)}),
    make('code', {class: 'string', text: ` ${clip(h.context, 120)}`}),
    region ? make('span', {class: 'soft', text: ` ${clipPath(region.what, 50)}`}) : '');
}

function hexQuery(query) {
  const digits = query.replace(/^hex:/i, '').replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})+$/i.test(digits)) {
    throw new DocumentError('Bytes are told as pairs of hexadecimal digits: hex:48 8b 05');
  }
  let bytes = '';
  for (let i = 0; i < digits.length; i += 2) {
    bytes += String.fromCharCode(parseInt(digits.slice(i, i + 2), 16));
  }
  return bytes;
}

const lowered = (text) => text.replace(/[A-Z]+/g, (t) => t.toLowerCase());

/// What is looked for, as text of one character for each byte.
function needles(query) {
  if (/^hex:/i.test(query)) return [{encoding: 'hex', bytes: hexQuery(query)}];
  const ascii = [...new TextEncoder().encode(lowered(query))].map((b) => String.fromCharCode(b)).join('');
  let wide = '';
  for (let i = 0; i < query.length; i++) {
    const c = lowered(query).charCodeAt(i);
    wide += String.fromCharCode(c & 255, c >> 8);
  }
  return [{encoding: 'text', bytes: ascii}, {encoding: 'utf16', bytes: wide}];
}

async function searchBlocks(query, goesOn) {
  const wanted = needles(query);
  const blocks = source.pagesByBlock();
  let all = 0, done = 0, failed = 0;
  for (const names of blocks.values()) all += names.length;
  const places = new Map();
  for (const [number, names] of blocks) {
    if (!goesOn() || search.hits >= MOST_HITS) break;
    let documents;
    try {
      documents = await source.block(number);
    } catch {
      failed += names.length;
      done += names.length;
      continue;
    }
    for (const name of names) {
      done++;
      let bytes;
      try { bytes = atob(documents[name].bytes); } catch { failed++; continue; }
      for (const hit of hitsIn(bytes, wanted)) {
        if (search.hits >= MOST_HITS) break;
        const place = await placeOf(name, places);
        if (!goesOn()) return '';
        if (!place) break;
        contentHit({...place, ...hit, address: hex(place.page + BigInt(hit.offset))}, hit.length);
      }
    }
    progress(done, all);
    await new Promise((go) => { setTimeout(go); });
  }
  const unread = failed ? `, ${count(failed)} of them cannot be read` : '';
  return `${plural(all, 'page')} of this report searched${unread}.`;
}

function hitsIn(bytes, wanted) {
  const hits = [];
  const low = lowered(bytes);
  for (const {encoding, bytes: needle} of wanted) {
    const text = encoding === 'hex' ? bytes : low;
    for (let o = text.indexOf(needle); o >= 0 && hits.length < 100; o = text.indexOf(needle, o + 1)) {
      hits.push({offset: o, encoding, length: needle.length, context: contextOf(bytes, o, needle.length)});
    }
  }
  return hits;
}

function contextOf(bytes, offset, length) {
  return bytes.slice(Math.max(0, offset - 24), offset + length + 40)
    .replace(/\0/g, '').replace(/[^\x20-\x7e]/g, '\u00b7');
}

/// Which region and generation a content was captured for.
async function placeOf(name, places) {
  if (places.has(name)) return places.get(name);
  const told = /^page\/(\d+)-([0-9a-f]+)$/.exec(name);
  const page = told ? addressOf(told[2]) : null;
  let place = null;
  if (page !== null) {
    for (const region of regionsAt(page)) {
      try {
        const doc = await source.document(`region/${region.id}`);
        const s = readSnapshots(doc.snapshots).find((x) => x.content === Number(told[1]) && x.address === page);
        if (s) { place = {region: region.id, generation: s.generation, page}; break; }
      } catch { /* Another region may have it. */ }
    }
  }
  places.set(name, place);
  return place;
}
