// SPDX-License-Identifier: MIT

// What else is known of a region: rules, images, transitions, executions, losses.

const FIRST_ROWS = 200;

function toldSections(doc, region) {
  return [matchSection(doc), imageSection(doc), transitionSection(doc), executionSection(doc),
    lossSection(region)].filter(Boolean);
}

function toldSection(title, n, ...children) {
  return make('section', {class: 'told'}, make('h3', null, title, ' ', make('span', {class: 'aside', text: count(n)})), ...children);
}

function jump(text, generation, address, length) {
  return make('a', {href: hashFor(panel.id, {generation: clamp(finite(generation, 0), 0, 1e15), address, length})},
    make('code', {text: clip(text, 60)}));
}

function matchSection(doc) {
  const matches = asList(doc.matches);
  if (!matches.length) return null;
  return toldSection('Rules', matches.length, ...matches.slice(0, FIRST_ROWS).map((m) => {
    const about = [m.namespace && m.namespace !== 'default' ? `namespace ${clip(m.namespace, 60)}` : '',
      ...asList(m.tags).map((t) => clip(t, 40)),
      ...Object.entries(m.metadata || {}).slice(0, 12).map(([k, v]) => `${clip(k, 40)}: ${clip(v, 160)}`),
      `generation ${finite(m.generation, 0)}`].filter(Boolean);
    return make('div', {class: 'match'}, make('p', null, make('span', {class: 'tag tag-rule', text: clip(m.rule, 80)}), ' ', about.join('; ')),
      make('ul', null, ...asList(m.strings).slice(0, 100).filter((s) => addressOf(s.address) !== null).map((s) =>
        make('li', null, jump(s.address, m.generation, s.address, clamp(finite(s.length, 1), 1, 4096)), ' ',
          make('b', {text: clip(s.identifier, 40)}), ' ', make('code', {text: clip(s.data, 64)})))));
  }));
}

function imageSection(doc) {
  const appearances = asList(doc.appearances);
  if (!appearances.length) return null;
  const rows = appearances.slice(0, FIRST_ROWS).map((a) => make('tr', null,
    make('td', {class: 'number', text: finite(a.generation, 0)}),
    make('td', null, addressOf(a.start) === null ? '' : jump(rangeText(a.start, a.length), a.generation, a.start)),
    make('td', null, make('i', {class: `key looks-${looksClass(a.kind)}`}), clip(a.kind, 40)),
    make('td', {class: 'number', text: finite(a.entropy, 0).toFixed(2)}),
    make('td', null, asList(a.reasons).map((r) => clip(r, 300)).join('; '),
      ...asList(a.images).slice(0, 20).map((i) => make('p', {class: 'image'}, make('span', {class: 'tag tag-bad', text: clip(i.format, 12)}), ' ',
        addressOf(i.address) === null ? '' : jump(i.address, a.generation, i.address), ' ', clip(i.summary, 300),
        i.importHash ? make('span', {class: 'soft', text: ` ${clip(i.importHash, 120)}`}) : '')))));
  return toldSection('What it looks like', appearances.length,
    toldTable('What it looks like', ['gen', 'range', 'kind', 'entropy', 'why'], rows));
}

function toldTable(title, heads, rows) {
  return make('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Table: ${title}`},
    make('table', {class: 'list'}, make('thead', null, make('tr', null, ...heads.map((h) => make('th', {scope: 'col', text: h})))),
      make('tbody', null, ...rows)));
}

function transitionSection(doc) {
  const t = doc.transitions || {};
  const n = asList(t.time).length;
  if (!n) return null;
  const cell = (name, i) => { const v = asList(t[name])[i]; return v === undefined ? null : v; };
  const named = (list, i) => (typeof i === 'number' && i >= 0 ? clip(asList(doc[list])[i], 120) : '');
  const row = (i) => make('tr', {class: cell('lost', i) > 0 ? 'lost' : null},
    make('td', {text: timeText(cell('time', i))}),
    make('td', {text: clip(cell('kind', i), 24) + (cell('call', i) && cell('call', i) !== cell('kind', i) ? ` (${clip(cell('call', i), 24)})` : '')}),
    make('td', null, cell('previous', i) ? `${clip(cell('previous', i), 8)} \u2192 ` : '', protectionTag(cell('effective', i), false)),
    make('td', null, make('code', {text: rangeText(cell('start', i), cell('length', i))})),
    make('td', {class: 'number', text: [['captured', ''], ['unchanged', ' same'], ['unreadable', ' unreadable'], ['lost', ' LOST']]
      .filter(([k]) => cell(k, i) > 0).map(([k, word]) => count(cell(k, i)) + word).join(', ')}),
    make('td', {text: named('threads', cell('thread', i))}),
    make('td', {text: [named('callers', cell('caller', i)), named('writers', cell('writer', i)) && `written by ${named('writers', cell('writer', i))}`].filter(Boolean).join('; ')}));
  const box = toldTable('Transitions', ['time (s)', 'what', 'protection', 'range', 'pages', 'thread', 'caller, writer'],
    Array.from({length: Math.min(n, FIRST_ROWS)}, (_, i) => row(i)));
  const section = toldSection('Transitions', n, box);
  let shown = FIRST_ROWS;
  if (n > shown) {
    const more = button(`Show more (${count(n - shown)} left)`, () => {
      const to = Math.min(n, shown + 1000);
      const body = box.querySelector('tbody');
      for (; shown < to; shown++) body.append(row(shown));
      if (shown >= n) more.remove(); else more.textContent = `Show more (${count(n - shown)} left)`;
    });
    section.append(more);
  }
  const omitted = doc.omitted || {};
  if (omitted.transitions > 0 || omitted.snapshots > 0) {
    section.append(make('p', {class: 'quiet', text: `${plural(omitted.transitions, 'transition')} and ${plural(omitted.snapshots, 'snapshot')} more are left out of this page.`}));
  }
  return section;
}

function executionSection(doc) {
  const list = asList(doc.executions);
  if (!list.length) return null;
  return toldSection('Executions in writable memory', list.length,
    toldTable('Executions', ['time (s)', 'address', 'thread', 'written by'], list.slice(0, FIRST_ROWS).map((e) => make('tr', null,
      make('td', {text: timeText(e.time)}),
      make('td', null, addressOf(e.address) === null ? '' : make('a', {href: hashFor(panel.id, {address: e.address})}, make('code', {text: e.address}))),
      make('td', {text: clip(e.thread, 60)}), make('td', {text: clip(e.writer, 160)})))));
}

function lossSection(region) {
  if (!region) return null;
  const losses = model.losses.filter((l) => l.region === region.id);
  const blind = model.blindSpots.filter((b) => b.region === region.id);
  if (!losses.length && !blind.length) return null;
  const range = (l) => (l.start ? rangeText(l.start, l.length) : '');
  return toldSection('Losses and blind spots', losses.length + blind.length,
    toldTable('Losses and blind spots', ['time (s)', 'what', 'range'], [
      ...losses.slice(0, FIRST_ROWS).map((l) => make('tr', {class: 'lost'}, make('td', {text: timeText(l.time)}),
        make('td', {text: `${clip(l.cause, 40)}: ${count(l.count)} lost`}), make('td', null, make('code', {text: range(l)})))),
      ...blind.slice(0, FIRST_ROWS).map((b) => make('tr', null, make('td', {text: timeText(b.time)}),
        make('td', {text: `blind spot: ${clip(b.reason, 200)}`}), make('td', null, make('code', {text: range(b)})))),
    ]));
}
