// SPDX-License-Identifier: MIT

// Numbers and texts as people read them. Documents may be wrong: all take anything.

/// Text for display, cut; what would turn its direction is shown as what it is.
function clip(value, length) {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : String(value);
  const short = text.length > length ? text.slice(0, length - 1) + '\u2026' : text;
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

/// The end of a path says more than its begin.
function clipPath(value, length) {
  const text = value === null || value === undefined ? '' : String(value);
  return text.length > length ? clip('\u2026' + text.slice(1 - length), length) : clip(text, length);
}

function finite(value, otherwise) {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

function clamp(value, low, high) {
  return value < low ? low : value > high ? high : value;
}

function asList(value) {
  return Array.isArray(value) ? value : [];
}

const counts = new Intl.NumberFormat('en-US');
function count(value) {
  return counts.format(finite(value, 0));
}

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many || one + 's'}`;
}

function sizeText(value) {
  let n = finite(value, 0);
  if (n >= Number.MAX_SAFE_INTEGER) return '8 PiB or more';   // as large as is told
  if (n < 1024) return `${n} B`;
  for (const unit of ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']) {
    n /= 1024;
    if (n < 1024 || unit === 'EiB') return `${n < 10 && n % 1 ? n.toFixed(1) : Math.round(n)} ${unit}`;
  }
  return '';
}

function timeText(nanoseconds) {
  return (finite(nanoseconds, 0) / 1e9).toFixed(6);
}

function durationText(nanoseconds) {
  const n = Math.abs(finite(nanoseconds, 0));
  if (n < 1e3) return `${Math.round(n)} ns`;
  if (n < 1e6) return `${+(n / 1e3).toPrecision(3)} \u00b5s`;
  if (n < 1e9) return `${+(n / 1e6).toPrecision(3)} ms`;
  if (n < 3600e9) return `${+(n / 1e9).toPrecision(4)} s`;
  return `${+(n / 3600e9).toPrecision(3)} h`;
}

/// An address as a BigInt; null if it is none.
function addressOf(text) {
  return typeof text === 'string' && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt('0x' + text) : null;
}

function bigLength(value) {
  const n = finite(value, 0);
  return n > 0 ? BigInt(Math.floor(n)) : 0n;
}

const hex = (n) => n.toString(16);
const hex2 = (n) => (n < 16 ? '0' : '') + n.toString(16);
const TOP = (1n << 64n) - 1n;

function rangeText(start, length) {
  const a = addressOf(start);
  if (a === null) return clip(start, 20);
  const end = a + bigLength(length);
  return `${hex(a)}-${hex(end > TOP ? TOP : end)}`;
}
