// SPDX-License-Identifier: MIT

// The map: regions in order of address, grouped by process; a band from birth to end, coloured
// by protection, with marks where content was captured.

/// Regions of one start that do not live at the same time share a lane.
function mapLanes(regions) {
  const sorted = regions.slice().sort((a, b) => a.process - b.process || (a.key < b.key ? -1
    : a.key > b.key ? 1 : a.born - b.born));
  const many = new Set(sorted.map((r) => r.process)).size > 1;
  const lanes = [];
  let process = null, before = null;
  for (const region of sorted) {
    if (region.process !== process) {
      process = region.process;
      before = null;
      if (many) lanes.push(processLane(region));
    }
    if (before && before.key === region.key && before.ends <= region.x0) {
      before.regions.push(region);
      before.ends = region.x1;
      before.weight = Math.max(before.weight, mapWeight(region));
      continue;
    }
    if (before && region.address - before.end > 0x100000n) lanes.push({gap: true, fixed: 5});
    before = {regions: [region], weight: mapWeight(region), key: region.key, ends: region.x1,
      end: region.address + bigLength(region.length)};
    lanes.push(before);
  }
  return lanes;
}

function processLane(region) {
  return {process: true, fixed: 17,
    text: `${region.pid} ${clipPath(region.processName, 60)}`};
}

/// Larger regions are higher, but not as much as they are larger.
function mapWeight(region) {
  return 1 + clamp(Math.log2(Math.max(1, region.length / 4096)) / 9, 0, 2);
}

function drawMapLane(g, lane, y, h, to) {
  const pad = h >= 8 ? 1.5 : h >= 4 ? 0.5 : 0;
  for (const region of lane.regions) {
    if (region.x1 < view.x0 || region.x0 > view.x1) continue;
    drawBand(g, region, y + pad, Math.max(1, h - 2 * pad), to);
  }
  for (const region of lane.regions) drawMarks(g, region, y + pad, Math.max(1, h - 2 * pad), to);
}

function drawBand(g, region, y, h, to) {
  const e = model.events;
  const end = to(region.x1);
  let from = to(region.x0);
  let now = protectionClass(region.protection);
  if (region.last > region.first) {
    const i = e.order[region.first];
    const first = e.previous[i] >= 0 ? e.previous[i] : e.effective[i];
    now = first < 0 ? GONE : e.classes[first];
  }
  const put = (x0, x1, kind) => {
    if (kind === GONE || x1 < 0) return;
    const a = Math.max(x0, -10), b = Math.min(Math.max(x1, x0 + 1.5), 10000);
    if (b <= a) return;
    g.fillStyle = palette.patterns[kind];
    g.fillRect(a, y, b - a, h);
    const text = CLASS_LETTERS[kind];
    if (h >= 11 && b - a > 26) {
      g.fillStyle = palette.classes[kind];
      const x = Math.max(a, gutter()) + 4;
      if (b - x < 24) return;
      g.fillRect(x - 2, y + 0.5, text.length * 6.7 + 4, h - 1);
      g.fillStyle = kind === BOTH ? '#fff' : '#14161a';   // in both themes
      g.fillText(text, x, y + h / 2 + 0.5);
    }
  };
  for (let k = region.first; k < region.last; k++) {
    const i = e.order[k];
    const kind = e.effective[i] < 0 ? GONE : e.classes[e.effective[i]];
    if (kind === now) continue;
    const x = to(e.warped[i]);
    if (x > 10000) break;
    if (x > from) { put(from, x, now); from = x; }
    now = kind;
  }
  put(from, end, now);
}

function drawMarks(g, region, y, h, to) {
  const e = model.events;
  const c = palette.colours;
  let lastNew = -10, lastChanged = -10, lastLost = -10;
  const left = gutter() - 6;
  for (let k = region.first; k < region.last; k++) {
    const i = e.order[k];
    const x = to(e.warped[i]);
    if (x < left) continue;
    if (x > 10000) break;
    if (e.lost[i] > 0 && x - lastLost >= 2) {
      lastLost = x;
      drawCross(g, x, y, h, c.lost);
    }
    if (e.pages[i] <= 0) continue;
    if (e.rises[i]) {
      if (x - lastChanged < 3) continue;
      lastChanged = x;
      const s = Math.min(4, h / 2);
      g.fillStyle = c.mark;
      g.fillRect(x - 0.75, y, 1.5, h);
      g.beginPath();
      g.moveTo(x - s, y);
      g.lineTo(x + s, y);
      g.lineTo(x, y + s * 1.3);
      g.fill();
    } else if (x - lastNew >= 2) {
      lastNew = x;
      g.fillStyle = c.mark;
      g.globalAlpha = 0.6;
      g.fillRect(x - 0.5, y, 1, h);
      g.globalAlpha = 1;
    }
  }
}

function drawCross(g, x, y, h, colour) {
  const s = Math.min(4.5, h / 2);
  const middle = y + h / 2;
  g.strokeStyle = colour;
  g.lineWidth = 2;
  g.beginPath();
  g.moveTo(x - s, middle - s); g.lineTo(x + s, middle + s);
  g.moveTo(x + s, middle - s); g.lineTo(x - s, middle + s);
  g.stroke();
}
