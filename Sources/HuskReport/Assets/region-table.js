// SPDX-License-Identifier: MIT

// The table of regions: the accessible equivalent of the charts. Only the rows in sight are in
// the document.

const ROW = 26;
const table = {rows: [], sort: 'default', down: false, current: 0, from: -1, to: -1};

const COLUMNS = [
  {id: 'id', title: 'region', sort: (r) => r.index, cell: idCell},
  {id: 'start', title: 'address', sort: (r) => r.key, cell: (r) => make('code', {text: r.start})},
  {id: 'size', title: 'size', sort: (r) => r.length, number: true, cell: (r) => sizeText(r.length)},
  {id: 'protection', title: 'prot.', sort: (r) => protectionClass(r.protection) + (r.isBoth ? 9 : 0),
    cell: (r) => protectionTag(r.protection, r.isBoth)},
  {id: 'what', title: 'what it is', sort: (r) => r.what.toLowerCase(), cell: (r) => make('span',
    {class: r.label ? null : 'nameless', title: clip(r.what, 500), text: clipPath(r.what, 90)})},
  {id: 'process', title: 'process', sort: (r) => r.pid, cell: (r) => make('span',
    {title: clip(r.processName, 300)}, `${r.pid} ${clipPath(baseName(r.processName), 18)}`)},
  {id: 'generations', title: 'gens', long: 'generations', sort: (r) => r.generation, number: true,
    cell: (r) => (r.generation >= 0 ? count(r.generation + 1) : '')},
  {id: 'snapshots', title: 'snaps', long: 'snapshots', sort: (r) => r.snapshots, number: true,
    cell: (r) => count(r.snapshots)},
  {id: 'entropy', title: 'entropy', sort: (r) => (r.entropy === null ? -1 : r.entropy), cell: entropyCell},
  {id: 'marks', title: 'findings, rules', sort: (r) => -markRank(r), cell: marksCell},
  {id: 'life', title: 'life (s)', sort: (r) => r.born, cell: (r) => make('span', {class: 'life'},
    `${timeText(r.born).slice(0, -2)} \u2013 ${r.gone === null ? 'end' : timeText(r.gone).slice(0, -2)}`)},
];

function baseName(path) {
  return String(path).slice(String(path).lastIndexOf('/') + 1);
}

function idCell(region) {
  return make('a', {href: `#r${region.id}`, text: `r${region.id}`});
}

function protectionTag(text, wasBoth) {
  const kind = protectionClass(text);
  const tag = make('span', {class: `prot prot-${['r', 'w', 'x', 'wx'][kind]}`, text: clip(text, 8)});
  return wasBoth && kind !== BOTH
    ? make('span', null, tag, make('span', {class: 'was', title: 'was writable and executable at once', text: '*wx'}))
    : tag;
}

function entropyCell(region) {
  if (region.entropy === null) return make('span', {class: 'faint', text: '\u2013'});
  const bar = make('i', {class: `looks-${looksClass(region.looks)}`});
  bar.style.width = `${region.entropy / 8 * 100}%`;
  return make('span', {class: 'entropy', title: `${clip(region.looks, 40)}, ${region.entropy.toFixed(2)} bits per byte`},
    make('span', {class: 'entropy-bar'}, bar), region.entropy.toFixed(1));
}

function markRank(region) {
  return (region.importance === 'notable' ? 100 : 0) + region.rules.length * 10 + region.findings.length
    + (region.lost > 0 ? 5 : 0);
}

function marksCell(region) {
  const cell = make('span', {class: 'marks'});
  if (region.importance === 'notable') {
    cell.append(make('span', {class: 'tag tag-bad', text: `${region.findings.length || ''} notable`.trim()}));
  } else if (region.findings.length) {
    cell.append(make('span', {class: 'tag', text: plural(region.findings.length, 'finding')}));
  }
  for (const rule of region.rules.slice(0, 2)) cell.append(make('span', {class: 'tag tag-rule', text: clip(rule, 24)}));
  if (region.rules.length > 2) cell.append(`+${region.rules.length - 2}`);
  if (typeof region.layer === 'number') cell.append(make('span', {class: 'tag', text: 'layer'}));
  if (region.lost > 0) cell.append(make('span', {class: 'tag tag-lost', text: `${count(region.lost)} lost`}));
  return cell;
}

function startTable() {
  byId('grid-head').replaceChildren(...COLUMNS.map((column) => make('th',
    {scope: 'col', class: `c-${column.id}${column.number ? ' number' : ''}`, 'data-column': column.id},
    button(column.title, () => sortTable(column.id), {'aria-label': column.long || column.title}))));
  const scroll = byId('grid-scroll');
  scroll.addEventListener('scroll', perFrame(() => showRows(false)), {passive: true});
  byId('grid-body').addEventListener('click', (event) => {
    const row = event.target.closest('tr[data-row]');
    if (!row || event.target.closest('a')) return;
    if (String(window.getSelection())) return;   // text is being selected
    openRow(Number(row.dataset.row));
  });
  byId('grid-body').addEventListener('focusin', (event) => {
    const row = event.target.closest('tr[data-row]');
    if (row) setCurrent(Number(row.dataset.row), false);
  });
  byId('grid').addEventListener('keydown', (event) => {
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9};
    if (!(event.key in steps) || event.target.closest('thead')) return;
    event.preventDefault();
    moveCurrent(steps[event.key]);
  });
  on('visible', () => { orderRows(); showRows(true); });
  on('selection', () => {
    const index = table.rows.indexOf(selectedRegion());
    if (index >= 0) setCurrent(index, false);
    showRows(true);
  });
  new ResizeObserver(perFrame(() => showRows(true))).observe(scroll);
}

function sortTable(id) {
  table.down = table.sort === id ? !table.down : false;
  table.sort = id;
  orderRows();
  byId('grid-scroll').scrollTop = 0;
  showRows(true);
  announce(`Sorted by ${id}, ${table.down ? 'descending' : 'ascending'}`);
}

function orderRows() {
  const column = COLUMNS.find((c) => c.id === table.sort);
  const rows = model.visible.slice();
  if (column) {
    const keys = new Map(rows.map((r) => [r, column.sort(r)]));
    const sign = table.down ? -1 : 1;
    rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return (x < y ? -sign : x > y ? sign : 0) || a.index - b.index;
    });
  } else rows.sort((a, b) => markRank(b) - markRank(a) || a.index - b.index);
  table.rows = rows;
  table.current = clamp(table.current, 0, Math.max(0, rows.length - 1));
  for (const th of byId('grid-head').children) {
    if (th.dataset.column === table.sort) th.setAttribute('aria-sort', table.down ? 'descending' : 'ascending');
    else th.removeAttribute('aria-sort');
  }
  const omitted = finite(model.omitted.regions, 0);
  byId('regions-count').textContent = (rows.length === model.regions.length ? count(rows.length)
    : `${count(rows.length)} of ${count(model.regions.length)}`)
    + (omitted > 0 ? `; ${count(omitted)} more are left out of this page` : '');
  byId('grid').setAttribute('aria-rowcount', String(rows.length + 1));
}

/// Rows of the window that is in sight, and some around it.
function showRows(force) {
  const scroll = byId('grid-scroll');
  const n = table.rows.length;
  const isPrint = document.documentElement.dataset.printing === '1';
  const from = isPrint ? 0 : clamp(Math.floor(scroll.scrollTop / ROW) - 8, 0, n);
  const to = isPrint ? Math.min(n, 60)
    : Math.min(n, Math.max(from, Math.ceil((scroll.scrollTop + (scroll.clientHeight || 500)) / ROW) + 8));
  if (!force && from === table.from && to === table.to) return;
  table.from = from;
  table.to = to;
  const body = byId('grid-body');
  const focused = body.contains(document.activeElement);
  const rows = [];
  const spacer = (height) => {
    const row = make('tr', {'aria-hidden': 'true', class: 'spacer-row'});
    row.style.height = `${height}px`;
    return row;
  };
  if (from > 0) rows.push(spacer(from * ROW));
  for (let i = from; i < to; i++) rows.push(makeRow(i));
  if (to < n && !isPrint) rows.push(spacer((n - to) * ROW));
  if (!n) rows.push(make('tr', null, make('td', {colspan: COLUMNS.length, class: 'quiet', text:
    model.regions.length ? 'No region passes the filter.' : 'Nothing became executable.'})));
  body.replaceChildren(...rows);
  if (focused) focusCurrent();
  const note = byId('grid-note');
  note.hidden = !(isPrint && n > to);
  note.textContent = `${count(n - to)} more regions are not printed.`;
}

function makeRow(i) {
  const region = table.rows[i];
  const row = make('tr', {'data-row': i, 'aria-rowindex': i + 2,
    class: (region === selectedRegion() ? 'chosen ' : '') + (region.importance === 'notable' ? 'notable' : '')});
  for (const column of COLUMNS) {
    row.append(make('td', {class: `c-${column.id}${column.number ? ' number' : ''}`}, column.cell(region)));
  }
  row.querySelector('a').tabIndex = i === table.current ? 0 : -1;
  return row;
}

function setCurrent(i, focus) {
  table.current = clamp(i, 0, Math.max(0, table.rows.length - 1));
  for (const link of byId('grid-body').querySelectorAll('tr[data-row] a')) {
    link.tabIndex = Number(link.closest('tr').dataset.row) === table.current ? 0 : -1;
  }
  if (focus) focusCurrent();
}

function moveCurrent(by) {
  if (!table.rows.length) return;
  const isInside = byId('grid-body').contains(document.activeElement);
  const to = clamp(isInside ? table.current + by : table.current, 0, table.rows.length - 1);
  table.current = to;
  const scroll = byId('grid-scroll');
  const head = byId('grid-head').offsetHeight;
  const top = to * ROW;
  if (top < scroll.scrollTop) scroll.scrollTop = top;
  else if (top + ROW + head > scroll.scrollTop + scroll.clientHeight) {
    scroll.scrollTop = top + ROW + head - scroll.clientHeight;
  }
  showRows(true);
  focusCurrent();
}

function focusCurrent() {
  const link = byId('grid-body').querySelector(`tr[data-row="${table.current}"] a`);
  if (link) link.focus({preventScroll: byId('grid-body').contains(document.activeElement)});
}

function openRow(i) {
  const region = table.rows[i];
  if (!region) return;
  table.current = i;
  openRegion(region.id);
}
