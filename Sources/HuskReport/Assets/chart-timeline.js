// SPDX-License-Identifier: MIT

// The timeline: each transition of each region, regions in order of birth, so that what made
// what runs down the page. Where marks would lie over each other, their density is shown.

function timelineLanes(regions) {
  return regions.filter((r) => r.last > r.first)
    .sort((a, b) => a.born - b.born || (a.key < b.key ? -1 : 1))
    .map((region) => ({regions: [region], weight: 1}));
}

const KIND_SHAPES = {
  mmap: 'square', execve: 'square', present: 'square', brk: 'square', shmat: 'square',
  mprotect: 'diamond', pkey_mprotect: 'diamond', mremap: 'diamond', remap_file_pages: 'diamond',
  write: 'triangle', look: 'dot', munmap: 'hollow', shmdt: 'hollow',
};
const SHAPE_SIGNS = {square: '\u25a0', diamond: '\u25c6', triangle: '\u25b2', dot: '\u25cf',
  hollow: '\u25a1'};

const NARROW = 4;

function drawTimelineLane(g, lane, y, h, to, chart) {
  const region = lane.regions[0];
  const e = model.events;
  const c = palette.colours;
  const {left, width} = chart.plot();
  const middle = Math.round(y + h / 2);
  const a = Math.max(left, to(region.x0)), b = Math.min(left + width, to(region.x1));
  if (b >= a) {
    g.fillStyle = c.line;
    g.fillRect(a, middle - 0.5, Math.max(1, b - a), 1);
  }
  const s = clamp(h / 2 - 1, 1, 4);
  let k = region.first;
  while (k < region.last) {
    // Marks that would touch are one.
    const x = to(e.warped[e.order[k]]);
    let n = 0, kind = -2, protection = -1, lost = 0, end = x;
    while (k < region.last) {
      const i = e.order[k], at = to(e.warped[i]);
      if (at - x >= NARROW) break;
      n += Math.max(1, e.count[i]);
      end = at;
      kind = kind === -2 || kind === e.kind[i] ? e.kind[i] : -1;
      const p = e.effective[i] < 0 ? NEITHER : e.classes[e.effective[i]];
      if (p > protection) protection = p;
      lost += Math.max(0, e.lost[i]);
      k++;
    }
    if (end < left - 8 || x > left + width + 8) continue;
    if (n === 1) drawShape(g, KIND_SHAPES[e.kinds[kind]], (x + end) / 2, middle, s, protection);
    else {
      const high = Math.max(2, Math.min(h - 1, 3 + Math.log2(n) * h / 9));
      g.fillStyle = palette.classes[protection];
      g.fillRect(x - 1.5, middle - high / 2, NARROW - 0.5, high);
      if (protection === BOTH && high > 5) {
        g.fillStyle = c.stripe;
        g.fillRect(x - 1.5, middle - 0.5, NARROW - 0.5, 1);
      }
    }
    if (lost) drawCross(g, x, y, h, c.lost);
  }
}

function drawShape(g, shape, x, y, s, protection) {
  g.fillStyle = palette.classes[protection];
  g.beginPath();
  if (shape === 'diamond') {
    const d = s * 1.3;
    g.moveTo(x, y - d); g.lineTo(x + d, y); g.lineTo(x, y + d); g.lineTo(x - d, y);
  } else if (shape === 'triangle') {
    g.moveTo(x, y - s * 1.2); g.lineTo(x + s * 1.2, y + s); g.lineTo(x - s * 1.2, y + s);
  } else if (shape === 'dot') g.arc(x, y, s * 0.9, 0, 2 * Math.PI);
  else if (shape === 'hollow') {
    g.strokeStyle = palette.colours.soft;
    g.lineWidth = 1.2;
    g.strokeRect(x - s, y - s, 2 * s, 2 * s);
    return;
  } else g.rect(x - s, y - s, 2 * s, 2 * s);
  g.fill();
}
