// SPDX-License-Identifier: MIT

// The page begins here.

let source = null;

function takeData(overview, timeline) {
  const id = panel.id;
  loadOverview(overview);
  loadTimeline(timeline);
  panel.region = id === null ? null : model.byId.get(id) || null;
  emit('data');
}

function pageError(error) {
  const note = byId('page-error');
  note.hidden = false;
  note.replaceChildren(clip(error.message, 400), error.hint ? ` ${clip(error.hint, 400)}` : '');
}

async function start() {
  document.documentElement.dataset.script = '1';
  startKeys();
  startCharts();
  startTable();
  startFilters();
  startSearch();
  let overview = {}, timeline = {};
  try {
    source = makeSource(readIndex());
    [overview, timeline] = await Promise.all(['overview', 'timeline'].map((name) =>
      source.document(name).catch((error) => { pageError(error); return {}; })));
  } catch (error) {
    pageError(error);
    source = source || new EmbeddedSource({});
  }
  takeData(overview, timeline);
  window.addEventListener('hashchange', () => applyHash(true));
  window.addEventListener('popstate', () => applyHash(true));
  applyHash(false);
  startLive();
  document.documentElement.dataset.ready = '1';
  performance.mark('husk-ready');
}

start();
