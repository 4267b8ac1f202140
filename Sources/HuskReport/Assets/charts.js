// SPDX-License-Identifier: MIT

// Both charts, the overview strip with its brush, and the tools around them.

const charts = {map: null, timeline: null, brush: null, isBrushing: false, bins: null};

/// Both charts and the axes are as wide as the narrower of the two: one has a scroll bar.
function chartWidth() {
  return Math.min(byId('map-lanes').clientWidth, byId('time-lanes').clientWidth)
    || byId('map-lanes').clientWidth || 600;
}

function startCharts() {
  readPalette();
  charts.map = new LaneChart(byId('map-lanes'), byId('map-canvas'),
    {most: 380, least: 3.2, tallest: 17, drawLane: drawMapLane});
  charts.timeline = new LaneChart(byId('time-lanes'), byId('time-canvas'),
    {most: 240, least: 4, tallest: 15, drawLane: drawTimelineLane});
  charts.brush = d3.brushX().on('brush end', () => {
    if (!d3.event.sourceEvent) return;
    const range = d3.event.selection;
    const left = gutter(), width = chartWidth() - left;
    charts.isBrushing = true;
    if (range) setView((range[0] - left) / width, (range[1] - left) / width, true);
    else setView(0, 1, true);
    charts.isBrushing = false;
  });
  byId('warp').addEventListener('change', (event) => {
    view.collapses = event.target.checked;
    const t0 = timeScale.unwarp(view.x0), t1 = timeScale.unwarp(view.x1);
    buildTimeScale();
    setView(timeScale.warp(t0), timeScale.warp(t1), false);
    showLanes();
  });
  const rows = (factor) => () => {
    for (const chart of [charts.map, charts.timeline]) {
      chart.zoom = clamp(chart.zoom * factor, 0.5, 12);
      chart.layout();
    }
    drawCharts();
  };
  byId('rows-less').addEventListener('click', rows(1 / 1.5));
  byId('rows-more').addEventListener('click', rows(1.5));
  byId('zoom-in').addEventListener('click', () => zoomView(0.5));
  byId('zoom-out').addEventListener('click', () => zoomView(2));
  byId('zoom-reset').addEventListener('click', () => {
    charts.map.zoom = charts.timeline.zoom = 1;
    charts.map.layout();
    charts.timeline.layout();
    setView(0, 1, true);
  });
  new ResizeObserver(drawCharts).observe(byId('map-lanes'));
  on('view', drawCharts);
  on('visible', showLanes);
  on('data', () => {
    buildTimeScale();
    byId('warp').checked = view.collapses;
    byId('warp').closest('label').hidden = !timeScale.couldCollapse;
    showKinds();
  });
  on('theme', () => { readPalette(); drawCharts(); });
}

function showKinds() {
  byId('legend-kinds').replaceChildren(...model.events.kinds.slice(0, 12).map((kind) =>
    make('span', null, make('span', {class: 'sign', 'aria-hidden': 'true',
      text: SHAPE_SIGNS[KIND_SHAPES[kind] || 'square']}), kind)));
}

function showLanes() {
  const shown = model.visible;
  const empty = byId('charts-empty');
  empty.hidden = shown.length > 0;
  empty.textContent = model.regions.length ? 'No region passes the filter.'
    : 'Nothing became executable: there is no memory to show.';
  for (const id of ['map-lanes', 'time-lanes', 'map-name', 'transitions-name', 'axis-top',
    'axis-bottom']) byId(id).hidden = !shown.length;
  charts.map.setLanes(mapLanes(shown));
  charts.timeline.setLanes(timelineLanes(shown));
  const notable = shown.filter((r) => r.importance === 'notable').length;
  const both = shown.filter((r) => r.isBoth).length;
  const text = `${plural(shown.length, 'region')}, ${both} writable and executable at once, `
    + `${notable} notable, over ${durationText(model.duration)}. Arrows up and down choose a `
    + 'region, Enter opens it, plus and minus zoom. The table of regions below says the same.';
  byId('map-canvas').setAttribute('aria-label', `Map of executable memory over time: ${text}`);
  byId('time-canvas').setAttribute('aria-label', `Transitions of regions over time: ${text}`);
  charts.bins = null;
  drawCharts();
}

function drawChartsNow() {
  if (!model.events || !charts.map) return;
  charts.map.drawNow();
  charts.timeline.drawNow();
  const left = gutter(), width = chartWidth() - left;
  drawAxis(byId('axis-top'), left, width, true);
  drawAxis(byId('axis-bottom'), left, width, false);
  drawStrip(left, width);
  const isAll = view.x1 - view.x0 > 0.999;
  byId('charts-range').textContent = isAll ? `all of ${durationText(model.duration)}`
    : `${timeText(timeScale.unwarp(view.x0))} to ${timeText(timeScale.unwarp(view.x1))} s of `
      + durationText(model.duration);
  document.documentElement.dataset.drawn = String(1 + Number(document.documentElement.dataset.drawn || 0));
}

const drawCharts = perFrame(drawChartsNow);

const STRIP_HEIGHT = 34;

function drawStrip(left, width) {
  const canvas = byId('strip-canvas');
  const ratio = window.devicePixelRatio || 1;
  const c = palette.colours;
  canvas.width = Math.round((left + width) * ratio);
  canvas.height = Math.round(STRIP_HEIGHT * ratio);
  canvas.style.width = `${left + width}px`;
  canvas.style.height = `${STRIP_HEIGHT}px`;
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  const bins = stripBins(Math.max(1, Math.floor(width / 2)));
  const top = Math.log2(1 + bins.most);
  g.fillStyle = c.lane;
  for (const p of timeScale.pieces) {
    if (p.isIdle) g.fillRect(left + p.x0 * width, 0, (p.x1 - p.x0) * width, STRIP_HEIGHT);
  }
  for (let i = 0; i < bins.all.length; i++) {
    const x = left + i * 2;
    const h = top ? Math.log2(1 + bins.all[i]) / top * (STRIP_HEIGHT - 6) : 0;
    if (h) {
      g.fillStyle = c.soft;
      g.fillRect(x, STRIP_HEIGHT - 1 - h, 1.5, h);
    }
    if (bins.both[i]) {
      g.fillStyle = c.both;
      g.fillRect(x, STRIP_HEIGHT - 4, 2, 3);
    }
    if (bins.lost[i]) {
      g.fillStyle = c.lost;
      g.fillRect(x, 0, 2, 5);
    }
  }
  const svg = d3.select('#strip-brush').attr('width', left + width).attr('height', STRIP_HEIGHT);
  charts.brush.extent([[left, 0], [left + width, STRIP_HEIGHT]]);
  if (!charts.isBrushing) {
    const range = [left + view.x0 * width, left + view.x1 * width];
    svg.call(charts.brush);
    svg.call(charts.brush.move, view.x1 - view.x0 > 0.999 ? null
      : [range[0], Math.max(range[0] + 2, range[1])]);
  }
}

/// Transitions of the regions shown, by place on the strip.
function stripBins(n) {
  if (charts.bins && charts.bins.all.length === n && charts.bins.scale === timeScale.warp) {
    return charts.bins;
  }
  const e = model.events;
  const bins = {all: new Float64Array(n), both: new Uint8Array(n), lost: new Uint8Array(n), most: 0,
    scale: timeScale.warp};
  const shown = new Uint8Array(model.regions.length);
  for (const r of model.visible) shown[r.index] = 1;
  for (let i = 0; i < e.n; i++) {
    if (e.region[i] >= 0 && !shown[e.region[i]]) continue;
    const b = Math.min(n - 1, Math.floor(e.warped[i] * n));
    bins.all[b] += Math.max(1, e.count[i]);
    if (e.effective[i] >= 0 && e.classes[e.effective[i]] === BOTH) bins.both[b] = 1;
    if (e.lost[i] > 0) bins.lost[b] = 1;
  }
  for (const loss of model.losses) {
    const w = timeScale.warp(clamp(finite(loss.time, 0), 0, model.duration));
    bins.lost[Math.min(n - 1, Math.floor(w * n))] = 1;
  }
  for (const v of bins.all) if (v > bins.most) bins.most = v;
  charts.bins = bins;
  return bins;
}
