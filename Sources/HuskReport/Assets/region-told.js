// SPDX-License-Identifier: MIT

// What else is known of a region: rules, images, transitions, executions, losses.

const FIRST_ROWS = 200;

function toldSections(doc, region) {
  return [matchSection(doc), imageSection(doc), transitionSection(doc), executionSection(doc),
    lossSection(region)].filter(Boolean);
}

function toldSection(title, n, ...children) {
  const heading = make('h3', null, title, ' ', make('span', {class: 'aside', text: count(n)}));
  return make('section', {class: 'told'}, heading, ...children);
}

function toldTable(title, heads, rows) {
  const head = make('tr', null, ...heads.map((text) => make('th', {scope: 'col', text})));
  return make('div', {class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `Table: ${title}`},
    make('table', {class: 'list'}, make('thead', null, head), make('tbody', null, ...rows)));
}

const cell = (...parts) => make('td', null, ...parts);
const number = (text) => make('td', {class: 'number', text});
const code = (text) => make('code', {text});

/// A link to bytes; nothing where the address is none.
function jump(text, address, generation, length) {
  if (addressOf(address) === null) return '';
  const place = {address, length};
  if (generation !== undefined) place.generation = clamp(finite(generation, 0), 0, 1e15);
  return make('a', {href: hashFor(panel.id, place)}, code(clip(text, 60)));
}

function matchSection(doc) {
  const matches = asList(doc.matches);
  if (!matches.length) return null;
  return toldSection('Rules', matches.length, ...matches.slice(0, FIRST_ROWS).map(matchRow));
}

function matchRow(m) {
  const about = asList(m.tags).map((t) => clip(t, 40));
  if (m.namespace && m.namespace !== 'default') about.push(`namespace ${clip(m.namespace, 60)}`);
  for (const [name, value] of Object.entries(m.metadata || {}).slice(0, 12)) {
    about.push(`${clip(name, 40)}: ${clip(value, 160)}`);
  }
  about.push(`generation ${finite(m.generation, 0)}`);
  const strings = asList(m.strings).slice(0, 100).map((s) => make('li', null,
    jump(s.address, s.address, m.generation, clamp(finite(s.length, 1), 1, 4096)), ' ',
    make('b', {text: clip(s.identifier, 40)}), ' ', code(clip(s.data, 64))));
  return make('div', {class: 'match'},
    make('p', null, make('span', {class: 'tag tag-rule', text: clip(m.rule, 80)}), about.join('; ')),
    make('ul', null, ...strings));
}

function imageSection(doc) {
  const appearances = asList(doc.appearances);
  if (!appearances.length) return null;
  const rows = appearances.slice(0, FIRST_ROWS).map((a) => make('tr', null,
    number(finite(a.generation, 0)),
    cell(jump(rangeText(a.start, a.length), a.start, a.generation)),
    cell(make('i', {class: `key looks-${looksClass(a.kind)}`}), clip(a.kind, 40)),
    number(finite(a.entropy, 0).toFixed(2)),
    cell(asList(a.reasons).map((r) => clip(r, 300)).join('; '),
      ...asList(a.images).slice(0, 20).map((image) => imageLine(image, a.generation)))));
  const title = 'What it looks like';
  return toldSection(title, appearances.length,
    toldTable(title, ['gen', 'range', 'kind', 'entropy', 'why'], rows));
}

function imageLine(image, generation) {
  return make('p', {class: 'image'},
    make('span', {class: 'tag tag-bad', text: clip(image.format, 12)}),
    jump(image.address, image.address, generation), ' ', clip(image.summary, 300),
    image.importHash
      ? make('span', {class: 'soft', text: ` ${clip(image.importHash, 120)}`}) : '');
}

const TRANSITION_HEADS = ['time (s)', 'what', 'protection', 'range', 'pages', 'thread',
  'caller, writer'];

function transitionSection(doc) {
  const n = asList((doc.transitions || {}).time).length;
  if (!n) return null;
  let shown = Math.min(n, FIRST_ROWS);
  const rows = Array.from({length: shown}, (_, i) => transitionRow(doc, i));
  const box = toldTable('Transitions', TRANSITION_HEADS, rows);
  const section = toldSection('Transitions', n, box);
  const left = () => `Show more (${count(n - shown)} left)`;
  if (n > shown) {
    const more = button(left(), () => {
      const to = Math.min(n, shown + 1000);
      for (; shown < to; shown++) box.querySelector('tbody').append(transitionRow(doc, shown));
      if (shown >= n) more.remove(); else more.textContent = left();
    });
    section.append(more);
  }
  const {transitions = 0, snapshots = 0} = doc.omitted || {};
  if (transitions > 0 || snapshots > 0) {
    section.append(make('p', {class: 'quiet'}, `${plural(transitions, 'transition')} and `
      + `${plural(snapshots, 'snapshot')} more are left out of this page.`));
  }
  return section;
}

const PAGE_WORDS = {captured: '', unchanged: ' same', unreadable: ' unreadable', lost: ' LOST'};

function transitionRow(doc, i) {
  const at = (name) => asList(doc.transitions[name])[i];
  const named = (list, name) => (at(name) >= 0 ? clip(asList(doc[list])[at(name)], 120) : '');
  const kind = clip(at('kind'), 24), call = clip(at('call'), 24);
  const pages = Object.entries(PAGE_WORDS).filter(([name]) => at(name) > 0)
    .map(([name, word]) => count(at(name)) + word).join(', ');
  const writer = named('writers', 'writer');
  return make('tr', {class: at('lost') > 0 ? 'lost' : null},
    cell(timeText(at('time'))), cell(call && call !== kind ? `${kind} (${call})` : kind),
    cell(at('previous') ? `${clip(at('previous'), 8)} \u2192 ` : '',
      protectionTag(at('effective'), false)),
    cell(code(rangeText(at('start'), at('length')))), number(pages),
    cell(named('threads', 'thread')),
    cell([named('callers', 'caller'), writer && `written by ${writer}`].filter(Boolean).join('; ')));
}

function executionSection(doc) {
  const list = asList(doc.executions);
  if (!list.length) return null;
  const rows = list.slice(0, FIRST_ROWS).map((e) => make('tr', null, cell(timeText(e.time)),
    cell(jump(e.address, e.address)), cell(clip(e.thread, 60)), cell(clip(e.writer, 160))));
  return toldSection('Executions in writable memory', list.length,
    toldTable('Executions', ['time (s)', 'address', 'thread', 'written by'], rows));
}

function lossSection(region) {
  if (!region) return null;
  const losses = model.losses.filter((l) => l.region === region.id);
  const blind = model.blindSpots.filter((b) => b.region === region.id);
  if (!losses.length && !blind.length) return null;
  const row = (l, what, isLoss) => make('tr', {class: isLoss ? 'lost' : null},
    cell(timeText(l.time)), cell(what), cell(code(l.start ? rangeText(l.start, l.length) : '')));
  const rows = [
    ...losses.slice(0, FIRST_ROWS).map((l) =>
      row(l, `${clip(l.cause, 40)}: ${count(l.count)} lost`, true)),
    ...blind.slice(0, FIRST_ROWS).map((b) => row(b, `blind spot: ${clip(b.reason, 200)}`, false)),
  ];
  const title = 'Losses and blind spots';
  return toldSection(title, losses.length + blind.length,
    toldTable(title, ['time (s)', 'what', 'range'], rows));
}
