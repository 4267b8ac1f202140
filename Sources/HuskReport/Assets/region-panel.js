// SPDX-License-Identifier: MIT

// One region: facts, generations, pages, code, what was told about it. The address bar says
// what is shown: #r12, #r12:g3:7f2c0fcdd000, with the length of a hit behind it.

const panel = {id: null, region: null, document: null, states: null, generation: 0, page: null,
  mark: null, tab: 'code', parts: null, opener: null, turn: 0};

const selectedRegion = () => panel.region;

const HASH = /^#r(\d{1,15})(?::g(\d{1,15}))?(?::([0-9a-f]{1,16}))?(?::(\d{1,5}))?$/i;

function hashFor(id, place) {
  const {generation, address, length} = place || {};
  let text = `#r${id}`;
  if (generation !== undefined && generation !== null) text += `:g${generation}`;
  if (address) text += `:${address}`;
  if (address && length) text += `:${length}`;
  return text;
}

function openRegion(id, place) {
  openHash(hashFor(id, place));
}

function openHash(to) {
  // What is shown already is shown again: it may have been scrolled away.
  if (location.hash === to) applyHash(true);
  else location.hash = to;
}

function closePanel() {
  if (panel.id === null) return;
  if (HASH.test(location.hash)) history.pushState(null, '', location.href.split('#')[0] + '#');
  hidePanel();
}

function hidePanel() {
  const opener = panel.opener;
  const hadFocus = byId('panel').contains(document.activeElement);
  Object.assign(panel, {id: null, region: null, document: null, states: null, parts: null,
    opener: null});
  panel.turn++;
  byId('panel').hidden = true;
  byId('panel').replaceChildren();
  delete byId('workbench').dataset.panel;
  delete document.documentElement.dataset.panel;
  emit('selection');
  drawCharts();
  if (hadFocus) {
    if (opener && opener.isConnected && opener !== document.body) opener.focus();
    else focusCurrent();
  }
}

function applyHash(focus) {
  const told = HASH.exec(location.hash);
  if (!told) {
    if (location.hash === '' || location.hash === '#') hidePanel();
    return;
  }
  const id = Number(told[1]);
  const place = {generation: told[2] === undefined ? null : Number(told[2]),
    address: told[3] === undefined ? null : addressOf(told[3]), length: Number(told[4] || 0)};
  if (panel.id === id && panel.states) {
    goToPlace(place);
    if (focus) byId('panel-title').focus({preventScroll: true});
    return;
  }
  showRegion(id, place, focus);
}

async function showRegion(id, place, focus) {
  const region = model.byId.get(id) || null;
  if (panel.id === null) panel.opener = document.activeElement;
  Object.assign(panel, {id, region, document: null, states: null, parts: null});
  const turn = ++panel.turn;
  const box = byId('panel');
  box.hidden = false;
  byId('workbench').dataset.panel = '1';
  document.documentElement.dataset.panel = 'loading';
  box.scrollTop = 0;
  box.replaceChildren(panelHead(id, region), region ? panelFacts(region) : '',
    make('p', {class: 'quiet loading', text: 'Loading\u2026'}));
  if (focus) byId('panel-title').focus({preventScroll: true});
  emit('selection');
  if (region) { charts.map.showRegion(region); charts.timeline.showRegion(region); }
  drawCharts();
  try {
    if (!region) throw new DocumentError(`There is no region r${id} in this page.`);
    const told = await source.document(`region/${id}`);
    if (turn !== panel.turn) return;
    panel.document = told;
    panel.states = new RegionStates(readSnapshots(told.snapshots));
    fillPanel(place);
  } catch (error) {
    if (turn !== panel.turn) return;
    box.querySelector('.loading').replaceWith(errorNote(error));
    document.documentElement.dataset.panel = 'error';
    announce(error.message);
  }
}

function panelHead(id, region) {
  return make('div', {class: 'panel-head'},
    make('h2', {id: 'panel-title', tabindex: '-1'}, `Region r${id}`,
      region ? make('span', {class: 'panel-what', text: ` ${clipPath(region.what, 60)}`}) : null),
    button('Close', closePanel, {class: 'panel-close', 'aria-label': 'Close the region (Esc)'}));
}

function panelFacts(region) {
  const list = make('dl', {class: 'facts panel-facts'});
  const add = (name, ...values) => {
    if (values[0] === null || values[0] === '' || values[0] === undefined) return;
    list.append(make('div', null, make('dt', {text: name}), make('dd', null, ...values)));
  };
  add('address', make('code', {text: rangeText(region.start, region.length)}),
    copyButton('0x' + region.start, 'the address'));
  add('size', sizeText(region.length));
  add('protection', protectionTag(region.protection, region.isBoth),
    region.told.shared === true ? ' shared' : '');
  add('what it is', make('span', {text: clip(region.what, 300)}));
  add('process', `${region.pid} ${clipPath(region.processName, 80)}`);
  const end = region.gone === null ? 'the end' : `${timeText(region.gone)} s`;
  add('life', `${timeText(region.born)} s to ${end}`);
  add('transitions', `${count(region.transitions)}, ${plural(region.snapshots, 'snapshot')}`);
  if (region.looks) {
    add('looks like', clip(region.looks, 60)
      + (region.entropy === null ? '' : `, ${region.entropy.toFixed(2)} bits per byte`));
  }
  const layer = model.layers.find((l) => l.id === region.layer && l.id !== null);
  if (layer) {
    add('layer', `${finite(layer.number, 0)}`
      + `${layer.entry ? `, entry ${clip(layer.entry, 16)}` : ''}`);
  }
  if (region.lost > 0) add('lost',
    make('span', {class: 'tag tag-lost', text: plural(region.lost, 'page')}));
  return list;
}

/// Why it matters: findings, and who made the layer.
function whySection(region) {
  const layer = model.layers.find((l) => l.id === region.layer && l.id !== null);
  if (!region.findings.length && !(layer && layer.by)) return null;
  const box = toldSection('Findings', region.findings.length);
  if (layer && layer.by) {
    box.append(make('p', {class: 'finding-line'},
      make('b', {text: `layer ${finite(layer.number, 0)}`}),
      ` ${clip(layer.by, 400)}`));
  }
  for (const f of region.findings.slice(0, 20)) {
    box.append(make('p', {class: `finding-line${f.importance === 'notable' ? ' notable' : ''}`},
      make('b', {text: clip(f.kind, 60)}), ' ',
      asList(f.techniques).map((t) => `${clip(t.id, 12)} ${clip(t.name, 60)}`).join(', '), ' ',
      make('span', {text: clip(f.reason, 600)})));
  }
  return box;
}

function fillPanel(place) {
  const box = byId('panel');
  const doc = panel.document;
  const parts = {};
  panel.parts = parts;
  parts.strip = new PageStrip((page) => choosePage(page));
  const slider = (id, label, change) => {
    const input = make('input', {type: 'range', id, min: 0, step: 1, 'aria-label': label});
    input.addEventListener('input', () => change(Number(input.value)));
    return input;
  };
  parts.generation = slider('generation', 'Generation', chooseGeneration);
  parts.pageSlider = slider('page', 'Page', (i) =>
    choosePage(panel.states.at(panel.generation).pages[i].page));
  parts.generationText = make('output', {for: 'generation'});
  parts.pageText = make('output', {for: 'page'});
  parts.from = make('p', {class: 'captured-by'});
  parts.view = make('div', {class: 'page-view', id: 'page-view', role: 'tabpanel', tabindex: '-1'});
  parts.tabs = makeTabs();
  const command = doc.command ? make('p', {class: 'command'},
    make('code', {text: clip(doc.command, 400)}),
    copyButton(String(doc.command).slice(0, 4000), 'the command')) : '';
  const code = make('section', {'aria-labelledby': 'code-title'},
    make('h3', {id: 'code-title', text: 'Content'}));
  if (!panel.states.snapshots.length) {
    code.append(make('p', {class: 'quiet', text: 'Nothing was captured of this region.'}), command);
  } else {
    code.append(make('div', {class: 'steps'},
      make('span', {class: 'step-name', text: 'Generation'}),
      button('\u2039', () => stepGeneration(-1), {'aria-label': 'Previous generation'}),
      parts.generation,
      button('\u203a', () => stepGeneration(1), {'aria-label': 'Next generation'}),
      parts.generationText,
      make('span', {class: 'step-name', text: 'Page'}),
      button('\u2039', () => stepPage(-1), {'aria-label': 'Previous page'}), parts.pageSlider,
      button('\u203a', () => stepPage(1), {'aria-label': 'Next page'}), parts.pageText),
    parts.strip.canvas, stripLegend(), parts.from, parts.tabs, parts.view, command);
  }
  box.querySelector('.loading').replaceWith(code, whySection(panel.region) || '',
    ...toldSections(doc, panel.region));
  if (panel.states.snapshots.length) goToPlace(place);
  else document.documentElement.dataset.panel = 'ready';
}

function stripLegend() {
  return make('p', {class: 'strip-legend'}, 'Height: entropy. ',
    ...[['code', 'code'], ['image', 'image, shellcode'],
    ['packed', 'high entropy'], ['data', 'data'], ['zeros', 'zeros'], ['unknown', 'not analyzed']]
    .map(([k, text]) => make('span', null, make('i', {class: `key looks-${k}`}), text)),
  make('span', null, make('i', {class: 'key cap'}), 'changed'));
}

const TABS = [['code', 'Code'], ['difference', 'Difference'], ['strings', 'Strings']];

function makeTabs() {
  const list = make('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Views of the page'});
  for (const [id, title] of TABS) {
    list.append(button(title, () => chooseTab(id),
      {role: 'tab', id: `tab-${id}`, 'aria-controls': 'page-view'}));
  }
  list.addEventListener('keydown', (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const i = TABS.findIndex(([id]) => id === panel.tab);
    chooseTab(TABS[(i + step + TABS.length) % TABS.length][0]);
    byId(`tab-${panel.tab}`).focus();
  });
  return list;
}

function chooseTab(id) {
  panel.tab = id;
  showPage();
}

/// Where a link leads; without a place: the newest code.
function goToPlace(place) {
  const {states} = panel;
  if (!states.snapshots.length) return;
  const {generation, address, length} = place || {};
  panel.generation = generation === null || generation === undefined ? states.newest
    : states.indexOf(generation);
  const state = states.at(panel.generation);
  let page = null;
  panel.mark = null;
  if (address !== null && address !== undefined) {
    const found = state.pages.find((p) => isWithin(address, p));
    if (found) {
      page = found.page;
      const offset = Number(address - found.address);
      if (offset || length) panel.mark = {page, offset, length: length || 1};
    } else announce('No content was captured at this address.');
  }
  panel.page = page || bestPage(state);
  showGeneration();
}

function isWithin(address, page) {
  return address >= page.address && address < page.address + BigInt(page.size);
}

/// The entry's page, else the first that looks like code, else the first with content.
function bestPage(state) {
  const entries = entriesOf(panel.region);
  const at = state.pages.find((p) => entries.some((e) => isWithin(e, p)));
  if (at && at.held) return at.page;
  const looks = looksOfPages(panel.document.appearances, state.pages, Infinity);
  const rank = (p, i) => (p.held && p.content >= 0 ? 8 : 0) + (p.entropy > 1 ? 4 : 0)
    + (/code|elf|pe|shell/.test(looks[i] || '') ? 2 : 0) + (state.changed.has(p.page) ? 1 : 0);
  let best = 0;
  state.pages.forEach((p, i) => { if (rank(p, i) > rank(state.pages[best], best)) best = i; });
  return state.pages[best] ? state.pages[best].page : null;
}

function entriesOf(region) {
  if (!region) return [];
  const told = [...model.layers.filter((l) => l.region === region.id), ...region.findings];
  return told.map((t) => addressOf(t.entry)).filter((e) => e !== null);
}

function chooseGeneration(index) {
  panel.generation = clamp(index, 0, panel.states.newest);
  panel.mark = null;
  const state = panel.states.at(panel.generation);
  if (!state.byPage.has(panel.page)) panel.page = bestPage(state);
  showGeneration(true);
}

function choosePage(page) {
  panel.page = page;
  panel.mark = null;
  showGeneration(true);
}

function stepGeneration(by) {
  if (!panel.states || !panel.states.snapshots.length) return;
  chooseGeneration(panel.generation + by);
  announce(`Generation ${panel.states.generations[panel.generation]}`);
}

function stepPage(by) {
  if (!panel.states || !panel.states.snapshots.length) return;
  const {pages} = panel.states.at(panel.generation);
  const i = pages.findIndex((p) => p.page === panel.page);
  choosePage(pages[clamp(i + by, 0, pages.length - 1)].page);
  announce(`Page ${panel.page}`);
}

function showGeneration(isStep) {
  const {parts, states} = panel;
  const state = states.at(panel.generation);
  const g = states.generations[panel.generation];
  const i = Math.max(0, state.pages.findIndex((p) => p.page === panel.page));
  parts.generation.max = states.newest;
  parts.generation.value = panel.generation;
  parts.generation.disabled = states.newest === 0;
  parts.generation.setAttribute('aria-valuetext', `generation ${g}`);
  parts.generationText.textContent = `${g} of ${states.generations[0]}\u2013`
    + `${states.generations[states.newest]}`
    + (state.changed.size ? `, ${plural(state.changed.size, 'page')} changed` : '');
  parts.pageSlider.max = Math.max(0, state.pages.length - 1);
  parts.pageSlider.value = i;
  parts.pageSlider.disabled = state.pages.length < 2;
  parts.pageSlider.setAttribute('aria-valuetext', panel.page);
  parts.pageText.replaceChildren(make('code', {text: panel.page}),
    ` ${i + 1} of ${state.pages.length}`);
  parts.strip.show(state, looksOfPages(panel.document.appearances, state.pages, g), panel.page);
  if (isStep) {
    history.replaceState(null, '', hashFor(panel.id, {generation: g, address: panel.page}));
  }
  showPage();
}

function capturedBy(snapshot) {
  const t = panel.document.transitions || {};
  const k = snapshot.transition;
  const at = (name) => asList(t[name])[k];
  const named = (list, index) => (index >= 0 ? asList(panel.document[list])[index] : null);
  const words = [`captured ${timeText(snapshot.time)} s`];
  const kind = clip(at('kind'), 24), call = clip(at('call'), 24);
  if (kind) words.push(call && call !== kind ? `at ${kind} (${call})` : `at ${kind}`);
  if (at('previous')) words.push(`${clip(at('previous'), 8)} \u2192`);
  if (at('effective')) words.push(clip(at('effective'), 8));
  const told = [words.join(' ')];
  const thread = named('threads', at('thread')), caller = named('callers', at('caller'));
  const writer = named('writers', at('writer'));
  if (thread) told.push(`thread ${clip(thread, 60)}`);
  if (caller) told.push(`called from ${clip(caller, 160)}`);
  if (writer) told.push(`written by ${clip(writer, 160)}`);
  return told.join('; ');
}

async function loadPage(snapshot) {
  return readPage(await source.document(`page/${snapshot.content}-${snapshot.page}`));
}

/// Fills the view of the page: code, difference or strings.
async function showPage() {
  const {parts, states} = panel;
  const turn = ++panel.turn;
  const state = states.at(panel.generation);
  const snapshot = state.byPage.get(panel.page);
  for (const [id] of TABS) {
    const tab = byId(`tab-${id}`);
    tab.setAttribute('aria-selected', String(id === panel.tab));
    tab.tabIndex = id === panel.tab ? 0 : -1;
  }
  parts.view.setAttribute('aria-labelledby', `tab-${panel.tab}`);
  document.documentElement.dataset.panel = 'loading';
  parts.from.textContent = snapshot ? capturedBy(snapshot) : '';
  let shown;
  try {
    shown = await pageView(snapshot, state);
  } catch (error) {
    shown = {element: errorNote(error)};
  }
  if (turn !== panel.turn) return;
  const boxes = panel.tab === 'code' ? [...parts.view.querySelectorAll('.hex, .code')] : [];
  const tops = boxes.map((box) => box.scrollTop);
  parts.view.replaceChildren(shown.element);
  if (shown.code) {
    const {code} = shown;
    const isSame = panel.shownPage === panel.page;
    if (panel.mark && panel.mark.page === panel.page) {
      code.mark(panel.mark.offset, panel.mark.length);
      code.goTo(panel.mark.offset);
    } else if (isSame && tops.length === 2) {
      [code.hexBox.scrollTop, code.codeBox.scrollTop] = tops;
    } else if (shown.entry !== null) code.goTo(Number(shown.entry - snapshot.address));
    panel.shownPage = panel.page;
  }
  document.documentElement.dataset.panel = 'ready';
}

const quiet = (text) => make('p', {class: 'quiet', text});

async function pageView(snapshot, state) {
  if (!snapshot) return {element: quiet('There is no page here at this generation.')};
  if (snapshot.content < 0) {
    const reason = clip(snapshot.unreadable, 100) || 'the reason is not known';
    return {element: make('p', {class: 'note bad', text: `This page could not be read: ${reason}.`})};
  }
  if (!snapshot.held) return {element: notHeld('The content of this page is not in this report.')};
  if (panel.tab === 'difference') return {element: await differenceView(snapshot)};
  const data = await loadPage(snapshot);
  if (panel.tab === 'strings') {
    return {element: makeStrings({...snapshot, data}, state, loadPage, (page, s) => {
      panel.tab = 'code';
      openRegion(panel.id, {generation: panel.states.generations[panel.generation],
        address: hex(page.address + BigInt(s.offset)), length: s.length});
    })};
  }
  const entry = entriesOf(panel.region).find((e) => isWithin(e, snapshot));
  const code = new CodeView(data, snapshot.address, {entry: entry === undefined ? null : entry});
  return {element: code.element, code, entry: entry === undefined ? null : entry};
}

function notHeld(text) {
  return make('p', {class: 'note'}, `${text} `, panel.document.command
    ? make('span', null, 'This shows it: ',
      make('code', {text: clip(panel.document.command, 300)})) : '');
}

async function differenceView(snapshot) {
  if (panel.generation === 0) {
    return quiet('This is the first generation: there is nothing before it.');
  }
  // The last content that this page had and that was another.
  let before = null;
  for (let i = panel.generation - 1; i >= 0 && !before; i--) {
    const old = panel.states.at(i).byPage.get(snapshot.page);
    if (!old) break;
    if (old.content !== snapshot.content && old.content >= 0) before = old;
  }
  if (!before) return quiet('This page has not changed up to this generation.');
  if (!before.held) {
    return notHeld(`The content of generation ${before.generation} is not in this report.`);
  }
  const [a, b] = [await loadPage(before), await loadPage(snapshot)];
  const told = (s) => `${s.generation} (${timeText(s.time)} s)`;
  return make('div', null, quiet(`Generation ${told(before)} to ${told(snapshot)}.`),
    makeDifference(a, b, snapshot.address));
}
