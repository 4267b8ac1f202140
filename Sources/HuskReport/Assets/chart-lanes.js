// SPDX-License-Identifier: MIT

// What both charts share: lanes of regions under each other, scrolled by the browser, drawn on
// a canvas that stays in sight; only lanes in sight are drawn.

function gutter() {
  const width = chartWidth();
  return width < 480 ? 84 : width < 760 ? 132 : 206;
}

class LaneChart {
  constructor(box, canvas, options) {
    this.box = box;
    this.canvas = canvas;
    this.spacer = box.querySelector('.spacer');
    this.options = options;
    this.lanes = [];
    this.tops = new Float64Array(1);
    this.zoom = 1;
    this.cursor = -1;
    this.draw = perFrame(() => this.drawNow());
    box.addEventListener('scroll', this.draw, {passive: true});
    listenToPointer(this);
    listenToChartKeys(this);
  }

  setLanes(lanes) {
    this.lanes = lanes;
    this.cursor = -1;
    this.layout();
  }

  /// Heights: as much as there is room for, at least what can be hit by a pointer.
  layout() {
    const {most, least, tallest} = this.options;
    let weights = 0, fixed = 0;
    for (const lane of this.lanes) {
      if (lane.fixed) fixed += lane.fixed; else weights += lane.weight;
    }
    const unit = clamp((most - fixed) / Math.max(1, weights), least, tallest) * this.zoom;
    this.tops = new Float64Array(this.lanes.length + 1);
    for (let i = 0; i < this.lanes.length; i++) {
      const lane = this.lanes[i];
      this.tops[i + 1] = this.tops[i] + (lane.fixed || Math.max(2, lane.weight * unit));
    }
    const total = this.tops[this.lanes.length];
    this.total = Math.min(total, 8e6);
    this.height = Math.max(28, Math.min(most, Math.ceil(total)));
    this.box.style.height = `${this.height}px`;
    this.spacer.style.height = `${Math.max(0, Math.ceil(this.total) - this.height)}px`;
    this.draw();
  }

  resize() {
    this.width = Math.max(120, this.box.clientWidth);
    const ratio = window.devicePixelRatio || 1;
    const w = Math.round(this.width * ratio), h = Math.round(this.height * ratio);
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${this.height}px`;
    }
    const g = this.canvas.getContext('2d');
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    return g;
  }

  laneAt(y) {
    const at = y + this.box.scrollTop;
    if (at < 0 || at >= this.tops[this.lanes.length]) return -1;
    let low = 0, high = this.lanes.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.tops[middle] <= at) low = middle; else high = middle;
    }
    return low;
  }

  plot() {
    const left = gutter();
    return {left, width: Math.max(20, chartWidth() - left)};
  }

  x(warped) {
    const {left, width} = this.plot();
    return left + (warped - view.x0) / (view.x1 - view.x0) * width;
  }

  drawNow() {
    if (!this.lanes.length) return;
    const g = this.resize();
    const c = palette.colours;
    const {left, width} = this.plot();
    const scroll = this.box.scrollTop;
    g.clearRect(0, 0, this.width, this.height);
    g.font = palette.font;
    g.textBaseline = 'middle';
    const to = (w) => left + (w - view.x0) / (view.x1 - view.x0) * width;
    g.fillStyle = c.lane;
    for (const p of timeScale.pieces) {
      if (!p.isIdle || p.x1 < view.x0 || p.x0 > view.x1) continue;
      const a = Math.max(left, to(p.x0)), b = Math.min(left + width, to(p.x1));
      g.fillRect(a, 0, b - a, this.height);
    }
    for (let i = Math.max(0, this.laneAt(0)); i < this.lanes.length; i++) {
      const y = this.tops[i] - scroll, h = this.tops[i + 1] - this.tops[i];
      if (y > this.height) break;
      const lane = this.lanes[i];
      if (lane.process) {
        g.fillStyle = c.back;
        g.fillRect(0, y, this.width, h);
        g.fillStyle = c.soft;
        g.fillText(clip(lane.text, Math.floor((this.width - 8) / 6.7)), 4, y + h / 2 + 1);
        g.fillStyle = c.line;
        g.fillRect(0, Math.round(y + h) - 1, left + width, 1);
        continue;
      }
      if (lane.gap) {
        g.fillStyle = c.line;
        for (let x = left; x < left + width; x += 6) g.fillRect(x, Math.round(y + h / 2), 2, 1);
        continue;
      }
      const chosen = lane.regions.some((r) => r === selectedRegion());
      if (chosen || i === this.cursor) {
        g.fillStyle = c.chosen;
        g.fillRect(0, y, left + width, h);
      }
      g.save();
      g.beginPath();
      g.rect(left, Math.max(0, y), width, h);
      g.clip();
      this.options.drawLane(g, lane, y, h, to, this);
      g.restore();
      if (h >= 9 || chosen || i === this.cursor) this.drawName(g, lane, y, h, left, chosen);
    }
    this.drawLosses(g, left, width, to);
  }

  drawName(g, lane, y, h, left, chosen) {
    const c = palette.colours;
    const region = lane.regions[0];
    const room = Math.floor((left - 10) / 6.7);
    g.fillStyle = chosen ? c.accent : region.importance === 'notable' ? c.ink : c.soft;
    const name = region.name ? region.name.slice(region.name.lastIndexOf('/') + 1) : region.label === 'jit'
      ? `jit ${region.detail || ''}` : region.label === 'kernel' ? 'kernel' : region.backing;
    const id = `r${region.id}`;
    g.fillText(id, 4, y + h / 2 + 0.5);
    const used = Math.max(5, id.length + 1);
    const rest = room - used;
    if (rest < 4) return;
    const address = rest > 22 ? region.start : '';
    const words = address ? `${address.padEnd(13)}${clip(name, rest - 13)}` : clip(name, rest);
    g.fillText(words, 4 + used * 6.7, y + h / 2 + 0.5);
  }

  /// Losses that no region has are told over all lanes.
  drawLosses(g, left, width, to) {
    g.fillStyle = palette.colours.lost;
    for (const loss of model.losses.slice(0, 2000)) {
      if (model.byId.has(loss.region)) continue;
      const x = to(timeScale.warp(clamp(finite(loss.time, 0), 0, model.duration)));
      if (x < left || x > left + width) continue;
      for (let y = 0; y < this.height; y += 5) g.fillRect(Math.round(x), y, 1, 3);
    }
  }

  /// The region of a lane that lives at this time, else the nearest.
  regionAt(lane, warped) {
    let best = null, distance = Infinity;
    for (const r of lane.regions) {
      const d = warped < r.x0 ? r.x0 - warped : warped > r.x1 ? warped - r.x1 : 0;
      if (d < distance) { best = r; distance = d; }
    }
    return best;
  }

  showRegion(region) {
    const i = this.lanes.findIndex((l) => l.regions && l.regions.includes(region));
    if (i < 0) return;
    const y = this.tops[i];
    if (y < this.box.scrollTop || this.tops[i + 1] > this.box.scrollTop + this.height) {
      this.box.scrollTop = Math.max(0, y - this.height / 2);
    }
  }
}

function listenToPointer(chart) {
  const {canvas, box} = chart;
  let drag = null, moved = false;
  const warpedAt = (event) => {
    const {left, width} = chart.plot();
    const x = event.clientX - canvas.getBoundingClientRect().left;
    return view.x0 + (x - left) / width * (view.x1 - view.x0);
  };
  const hit = (event) => {
    const lane = chart.lanes[chart.laneAt(event.clientY - canvas.getBoundingClientRect().top)];
    if (!lane || !lane.regions) return null;
    return {lane, warped: warpedAt(event), region: chart.regionAt(lane, warpedAt(event))};
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    drag = {x: event.clientX, y: event.clientY, x0: view.x0, x1: view.x1, top: box.scrollTop};
    moved = false;
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drag && event.buttons) {
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      if (!moved && Math.abs(dx) + Math.abs(dy) < 4) return;
      if (!moved) canvas.setPointerCapture(event.pointerId);
      moved = true;
      hideTip();
      const by = dx / chart.plot().width * (drag.x1 - drag.x0);
      box.scrollTop = drag.top - dy;
      setView(drag.x0 - by, drag.x1 - by, true);
      return;
    }
    const found = hit(event);
    if (found && found.region) {
      showTip(event.clientX, event.clientY, tipLines(found.region, found.warped, chart));
    } else hideTip();
  });
  canvas.addEventListener('pointerup', () => { drag = null; });
  canvas.addEventListener('pointerleave', hideTip);
  canvas.addEventListener('click', (event) => {
    if (moved) return;
    const found = hit(event);
    if (found && found.region) openRegion(found.region.id);
  });
  canvas.addEventListener('dblclick', () => setView(0, 1, true));
  canvas.addEventListener('wheel', (event) => {
    const isZoom = event.ctrlKey || document.activeElement === canvas;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      panView((event.deltaX || event.deltaY) / chart.plot().width);
    } else if (isZoom) {
      event.preventDefault();
      zoomView(Math.exp(clamp(event.deltaY, -200, 200) * 0.003), warpedAt(event));
    }
  }, {passive: false});
}

function listenToChartKeys(chart) {
  chart.canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step) {
      let i = chart.cursor;
      if (i < 0) i = step > 0 ? -1 : chart.lanes.length;
      do { i += step; } while (chart.lanes[i] && !chart.lanes[i].regions);
      if (chart.lanes[i]) {
        chart.cursor = i;
        const region = chart.lanes[i].regions[0];
        chart.showRegion(region);
        chart.draw();
        announce(tipLines(region, null, chart).join(', '));
      }
    } else if (event.key === 'ArrowLeft') panView(-0.15);
    else if (event.key === 'ArrowRight') panView(0.15);
    else if (event.key === '+' || event.key === '=') zoomView(0.6);
    else if (event.key === '-') zoomView(1 / 0.6);
    else if (event.key === '0' || event.key === 'Home') setView(0, 1, true);
    else if (event.key === 'Enter' && chart.cursor >= 0) {
      openRegion(chart.lanes[chart.cursor].regions[0].id);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function showTip(x, y, lines) {
  const tip = byId('tooltip');
  tip.replaceChildren(...lines.map((line, i) => make(i ? 'div' : 'b', {text: clip(line, 160)})));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${clamp(x + 14, 4, window.innerWidth - box.width - 4)}px`;
  tip.style.top = `${y + 18 + box.height > window.innerHeight ? y - box.height - 10 : y + 18}px`;
}

function hideTip() {
  byId('tooltip').hidden = true;
}

/// A region in words, with the transition next to a moment.
function tipLines(region, warped, chart) {
  const lines = [`r${region.id}  ${rangeText(region.start, region.length)}`,
    `${sizeText(region.length)}, ${clipPath(region.what, 60)}`,
    `${region.pid} ${clipPath(region.processName, 40)}`,
    `${timeText(region.born)} s to ${region.gone === null ? 'the end' : timeText(region.gone) + ' s'}`];
  const e = model.events;
  if (warped === null) {
    lines.push(`now ${region.protection}, ${plural(region.transitions, 'transition')}`);
  } else {
    let best = -1, distance = (view.x1 - view.x0) / chart.plot().width * 8;
    for (let i = region.first; i < region.last; i++) {
      const d = Math.abs(e.warped[e.order[i]] - warped);
      if (d < distance) { best = e.order[i]; distance = d; }
    }
    if (best >= 0) lines.push(...eventLines(best));
  }
  return lines;
}

function eventLines(i) {
  const e = model.events;
  const protection = (k) => (k < 0 ? 'gone' : e.protections[k]);
  const lines = [`${timeText(e.time[i])} s: ${e.kinds[e.kind[i]] || '?'}`
    + (e.count[i] > 1 ? ` \u00d7 ${count(e.count[i])}` : '')
    + `, ${e.previous[i] >= 0 ? protection(e.previous[i]) + ' \u2192 ' : ''}`
    + protection(e.effective[i])];
  if (e.pages[i] > 0) {
    lines.push(`${plural(e.pages[i], 'page')} captured`
      + (e.rises[i] ? `, changed: generation ${e.generation[i]}` : ''));
  }
  if (e.lost[i] > 0) lines.push(`${plural(e.lost[i], 'page')} LOST`);
  return lines;
}
