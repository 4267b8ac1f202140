// SPDX-License-Identifier: MIT

// The common time axis. A run is often busy for milliseconds and idle for seconds: idle time
// can be collapsed. "Warped" time runs from 0 to 1 over the whole run.

const view = {x0: 0, x1: 1, follows: true, collapses: true};

const timeScale = {pieces: [], warp: null, unwarp: null, idle: []};

/// Idle time is what takes more than this part of the axis, again and again.
const LARGE_PART = 0.22, COLLAPSED_PART = 0.035, MOST_GAPS = 16;

function idleGaps() {
  const times = [];
  const busy = new Set([0]);
  for (const t of model.events.time) busy.add(t);
  for (const r of model.regions) { busy.add(r.born); if (r.gone !== null) busy.add(r.gone); }
  for (const l of model.losses) busy.add(clamp(finite(l.time, 0), 0, model.duration));
  for (const t of busy) times.push(t);
  times.push(model.duration);
  times.sort((a, b) => a - b);
  const gaps = [];
  for (let i = 1; i < times.length; i++) {
    const length = times[i] - times[i - 1];
    if (length > model.duration / 1e6) gaps.push({from: times[i - 1], to: times[i], length});
  }
  gaps.sort((a, b) => b.length - a.length);
  let left = model.duration;
  const idle = [];
  for (const gap of gaps.slice(0, MOST_GAPS)) {
    if (gap.length < left * LARGE_PART || left - gap.length <= 0) break;
    left -= gap.length;
    idle.push(gap);
  }
  // A margin stays: what happens at a gap's ends is not at its very edge.
  const margin = left * 0.02;
  return {left, idle: idle.filter((g) => g.length > 4 * margin).map((g) => ({
    from: g.from === 0 ? 0 : g.from + margin,
    to: g.to === model.duration ? g.to : g.to - margin,
  })).sort((a, b) => a.from - b.from)};
}

function buildTimeScale() {
  const {left, idle} = idleGaps();
  const used = view.collapses ? idle : [];
  timeScale.couldCollapse = idle.length > 0;
  const domain = [0], range = [0];
  const pieces = [];
  let at = 0, x = 0;
  const add = (to, isIdle) => {
    if (to <= at) return;
    const width = isIdle ? left * COLLAPSED_PART : to - at;
    pieces.push({from: at, to, isIdle});
    at = to;
    x += width;
    domain.push(at);
    range.push(x);
  };
  for (const gap of used) { add(gap.from, false); add(gap.to, true); }
  add(model.duration, false);
  const parts = range.map((value) => value / x);
  timeScale.warp = d3.scaleLinear().domain(domain).range(parts).clamp(true);
  timeScale.unwarp = d3.scaleLinear().domain(parts).range(domain).clamp(true);
  timeScale.pieces = pieces.map((p) => ({...p, x0: timeScale.warp(p.from), x1: timeScale.warp(p.to)}));
  const {time, warped, n} = model.events;
  for (let i = 0; i < n; i++) warped[i] = timeScale.warp(time[i]);
  for (const r of model.regions) {
    r.x0 = timeScale.warp(r.born);
    r.x1 = r.gone === null ? 1 : timeScale.warp(r.gone);
  }
}

const NARROWEST = 1e-7;

function setView(x0, x1, isUsers) {
  const width = clamp(x1 - x0, NARROWEST, 1);
  const from = clamp(x0, 0, 1 - width);
  view.x0 = from;
  view.x1 = from + width;
  if (isUsers) view.follows = width >= 0.999;
  emit('view');
}

function zoomView(factor, around) {
  const middle = around === undefined ? (view.x0 + view.x1) / 2 : around;
  setView(middle - (middle - view.x0) * factor, middle + (view.x1 - middle) * factor, true);
}

function panView(part) {
  const by = (view.x1 - view.x0) * part;
  setView(view.x0 + by, view.x1 + by, true);
}

/// Draws the axis: ticks within each busy piece, a break for each collapsed gap.
function drawAxis(svg, left, width, isTop) {
  const g = d3.select(svg);
  g.selectAll('*').remove();
  const height = 22;
  g.attr('width', left + width).attr('height', height)
    .attr('viewBox', `0 0 ${left + width} ${height}`);
  const x = (w) => left + (w - view.x0) / (view.x1 - view.x0) * width;
  const line = isTop ? height - 0.5 : 0.5;
  g.append('path').attr('class', 'domain').attr('d', `M${left},${line}H${left + width}`);
  let last = -1e9;
  const label = (at, text, cls) => {
    const item = g.append('g').attr('class', cls).attr('transform', `translate(${at},${line})`);
    item.append('path').attr('d', isTop ? 'M0,0V-5' : 'M0,0V5');
    const room = text.length * 6.4 + 12;
    if (text && at - last >= room / 2 + 4 && at - room / 2 > left - 30 && at + room / 2 < left + width + 8) {
      item.append('text').attr('y', isTop ? -8 : 16).attr('text-anchor', 'middle').text(text);
      last = at + room / 2;
    }
  };
  for (const piece of timeScale.pieces) {
    const p0 = Math.max(piece.x0, view.x0), p1 = Math.min(piece.x1, view.x1);
    if (p1 <= p0) continue;
    const a = x(p0), b = x(p1);
    if (piece.isIdle) {
      label((a + b) / 2, durationText(piece.to - piece.from), 'tick idle');
      continue;
    }
    if (b - a < 40) continue;
    const t0 = timeScale.unwarp(p0), t1 = timeScale.unwarp(p1);
    const scale = d3.scaleLinear().domain([t0 / 1e9, t1 / 1e9]).range([a, b]);
    const n = Math.max(1, Math.floor((b - a) / 110));
    // Ticks at round numbers, told from the piece's begin where they lie close together.
    const step = d3.tickStep(t0 / 1e9, t1 / 1e9, n);
    const digits = clamp(Math.ceil(-Math.log10(step) + 0.01), 0, 9);
    for (const t of scale.ticks(n)) label(scale(t), `${t.toFixed(digits)} s`, 'tick');
  }
}
