// SPDX-License-Identifier: MIT

// Colours of the canvas, from the style sheet's variables, and patterns: no protection is told
// by colour alone.

const palette = {colours: {}, patterns: []};

function readPalette() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['back', 'ink', 'soft', 'faint', 'line', 'accent', 'read', 'write', 'execute',
    'both', 'lost', 'mark', 'stripe', 'lane', 'chosen']) {
    palette.colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
  const c = palette.colours;
  palette.classes = [c.read, c.write, c.execute, c.both];
  palette.patterns = palette.classes.map((colour, kind) => makePattern(colour, kind, c.stripe));
  palette.font = '11px ' + style.getPropertyValue('--mono').trim();
}

function makePattern(colour, kind, stripe) {
  const ratio = window.devicePixelRatio || 1;
  const size = 6;
  const canvas = make('canvas', {width: Math.round(size * ratio), height: Math.round(size * ratio)});
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  g.fillStyle = colour;
  g.fillRect(0, 0, size, size);
  g.strokeStyle = stripe;
  g.lineWidth = 1;
  g.beginPath();
  if (kind === BOTH) {
    for (const d of [-size, 0, size]) { g.moveTo(d, size); g.lineTo(d + size, 0); }
  } else if (kind === WRITE) {
    g.moveTo(0, 1.5); g.lineTo(size, 1.5); g.moveTo(0, 4.5); g.lineTo(size, 4.5);
  }
  g.stroke();
  const pattern = g.createPattern(canvas, 'repeat');
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
}

const CLASS_LETTERS = ['r', 'rw', 'rx', 'rwx'];

/// What appearances look like, by the word for their kind.
function looksClass(kind) {
  const text = String(kind || '');
  if (/code|jit/.test(text)) return 'code';
  if (/elf|pe|shell/.test(text)) return 'image';
  if (/entropy|pack|crypt/.test(text)) return 'packed';
  if (/zero/.test(text)) return 'zeros';
  return text ? 'data' : 'unknown';
}
