// SPDX-License-Identifier: MIT

// The viewer of a trace that still runs: asks where it is, and takes what is new.

const live = {position: null, isBusy: false, failures: 0};
const FRAGMENTS = ['summary', 'findings', 'layers', 'processes', 'losses'];
const SHORTEST_WAIT = 1000, LONGEST_WAIT = 15000;

function startLive() {
  if (!source.isLive || model.capture.finished) return;
  showLive('live', 'on');
  setTimeout(poll, SHORTEST_WAIT);
}

function showLive(text, state) {
  const badge = byId('live-badge');
  if (!badge) return;
  badge.hidden = false;
  badge.textContent = text;
  badge.dataset.state = state;
  document.documentElement.dataset.live = state;
}

async function poll() {
  const began = performance.now();
  let wait = SHORTEST_WAIT;
  try {
    const status = await source.get('status');
    if (live.failures) announce('The server answers again');
    live.failures = 0;
    const isNew = status.position !== live.position;
    if (isNew || status.finished) {
      await refresh();
      live.position = status.position;
    }
    if (status.finished) {
      showLive('finished', 'off');
      announce('The trace has ended');
      return;
    }
    showLive(`live ${durationText(status.duration)}, ${plural(finite(status.pages, 0), 'page')}`, 'on');
    // Never more than half of the time is spent on this.
    wait = Math.max(SHORTEST_WAIT, performance.now() - began);
  } catch (error) {
    live.failures++;
    wait = Math.min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** live.failures);
    if (live.failures === 1) announce(error.message);
    showLive(error.isGone ? 'server gone, trying again' : clip(error.message, 60), 'gone');
  }
  setTimeout(poll, wait);
}

/// All that is told anew: what is selected, the scroll and the zoom stay.
async function refresh() {
  const [overview, timeline, ...texts] = await Promise.all([source.document('overview'),
    source.document('timeline'), ...FRAGMENTS.map((name) => source.fragment(name))]);
  FRAGMENTS.forEach((name, i) => {
    const section = byId(name);
    if (section.dataset.told === texts[i].length + texts[i].slice(0, 9)
      && section.lastTold === texts[i]) return;
    section.lastTold = texts[i];
    const inner = [...section.querySelectorAll('.findings, .tree, .scroll')].map((e) => e.scrollTop);
    const hadFocus = section.contains(document.activeElement)
      ? [...section.querySelectorAll('a, button')].indexOf(document.activeElement) : -1;
    section.innerHTML = texts[i];   // made and escaped by the server's template
    [...section.querySelectorAll('.findings, .tree, .scroll')].forEach((e, k) => { e.scrollTop = inner[k] || 0; });
    const again = hadFocus >= 0 ? section.querySelectorAll('a, button')[hadFocus] : null;
    if (again) again.focus({preventScroll: true});
  });
  const before = {t0: timeScale.unwarp(view.x0), t1: timeScale.unwarp(view.x1)};
  const rowAtTop = [charts.map.box.scrollTop, charts.timeline.box.scrollTop];
  const tableTop = byId('grid-scroll').scrollTop;
  takeData(overview, timeline);
  [charts.map.box.scrollTop, charts.timeline.box.scrollTop] = rowAtTop;
  byId('grid-scroll').scrollTop = tableTop;
  if (view.follows) setView(0, 1, false);
  else setView(timeScale.warp(before.t0), timeScale.warp(before.t1), false);
  if (panel.id !== null) await refreshPanel();
}

/// The region that is open, at the same generation and page; it follows if it was the newest.
async function refreshPanel() {
  const {id, turn} = panel;
  panel.region = model.byId.get(id) || panel.region;
  if (!panel.states && panel.region && document.documentElement.dataset.panel === 'error') {
    applyHash(false);   // it was not there, or did not answer, when it was asked for
    return;
  }
  if (!panel.states || !panel.region) return;
  const known = panel.states.snapshots.length;
  let told;
  try { told = await source.document(`region/${id}`); } catch { return; }
  if (panel.id !== id || turn !== panel.turn) return;
  const snapshots = readSnapshots(told.snapshots);
  if (snapshots.length === known) return;
  const generation = panel.states.generations[panel.generation];
  const wasNewest = panel.generation === panel.states.newest;
  const page = panel.page;
  const box = byId('panel');
  const hadFocus = box.contains(document.activeElement) ? document.activeElement.id : '';
  const top = box.scrollTop;
  panel.document = told;
  panel.states = new RegionStates(snapshots);
  box.replaceChildren(panelHead(id, panel.region), panelFacts(panel.region), make('p', {class: 'loading'}));
  fillPanel({generation: wasNewest ? null : generation, address: page ? addressOf(page) : null});
  box.scrollTop = top;
  if (hadFocus && byId(hadFocus)) byId(hadFocus).focus({preventScroll: true});
}
