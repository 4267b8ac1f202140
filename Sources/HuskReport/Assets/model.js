// SPDX-License-Identifier: MIT

// What the overview and the timeline say, taken with care and made quick to ask.

const model = {
  capture: {}, processes: [], regions: [], byId: new Map(), layers: [], findings: [],
  duration: 1, visible: [], visibleSet: new Set(), events: null, omitted: {},
};

/// W+X, X, W or neither: what a protection means to an unpacker.
const GONE = -1, NEITHER = 0, WRITE = 1, EXECUTE = 2, BOTH = 3;
function protectionClass(text) {
  if (typeof text !== 'string') return NEITHER;
  return (text[1] === 'w' ? WRITE : 0) + (text[2] === 'x' ? EXECUTE : 0);
}

function loadOverview(overview) {
  const told = overview && typeof overview === 'object' ? overview : {};
  model.capture = told.capture || {};
  model.duration = Math.max(1, finite(model.capture.duration, 1));
  model.processes = asList(told.processes);
  model.layers = asList(told.layers);
  model.findings = asList(told.findings);
  model.losses = asList(told.losses);
  model.blindSpots = asList(told.blindSpots);
  model.omitted = told.omitted || {};
  const names = new Map(model.processes.map((p) => [p.id, p.name]));
  model.regions = asList(told.regions).map((r, index) => makeRegion(r, index, names));
  model.byId = new Map(model.regions.map((r) => [r.id, r]));
}

function makeRegion(told, index, names) {
  const start = addressOf(told.start);
  const length = Math.max(0, finite(told.length, 0));
  const born = clamp(finite(told.born, 0), 0, model.duration);
  const findings = asList(told.findings).map((i) => model.findings[i]).filter(Boolean);
  const name = told.name || null;
  return {
    told, index, id: told.id, process: told.process, pid: told.pid,
    processName: names.get(told.process) || '',
    start: start === null ? clip(told.start, 16) : hex(start),
    address: start === null ? 0n : start, length,
    key: (start === null ? '' : hex(start)).padStart(16, '0'),
    born, gone: typeof told.gone === 'number' ? clamp(told.gone, born, model.duration) : null,
    protection: clip(told.protection, 12), backing: clip(told.backing, 24), name,
    label: told.label || null, detail: told.detail || null, what: whatIs(told, name),
    transitions: finite(told.transitions, 0), snapshots: finite(told.snapshots, 0),
    generation: finite(told.generation, -1), layer: told.layer, importance: told.importance,
    findings, rules: asList(told.rules), looks: told.looks || null,
    entropy: typeof told.entropy === 'number' ? clamp(told.entropy, 0, 8) : null,
    lost: finite(told.lost, 0),
    isBoth: protectionClass(told.protection) === BOTH, first: 0, last: 0, text: null,
  };
}

function whatIs(told, name) {
  if (told.label === 'jit') return 'JIT code' + (told.detail ? `, ${clip(told.detail, 60)}` : '');
  if (told.label === 'kernel') return 'kernel' + (name ? `, ${clip(name, 60)}` : ' (vdso)');
  const backing = told.backing === 'file' ? 'file' : `${clip(told.backing, 24)} memory`;
  if (told.label === 'fileless') return `fileless: ${clip(name || backing, 200)}`;
  return name ? clip(name, 400) : backing;
}

function isFile(region) {
  return region.label === 'file' || region.label === 'kernel';
}

/// Transitions of all regions, those of one region side by side: order[first .. last - 1].
function loadTimeline(timeline) {
  const told = timeline && typeof timeline === 'object' ? timeline : {};
  const times = asList(told.time), regions = asList(told.region);
  const n = Math.min(times.length, regions.length);
  const kinds = asList(told.kinds).map((k) => clip(k, 24));
  const classes = asList(told.protections).map(protectionClass);
  const protections = asList(told.protections).map((p) => clip(p, 8));
  const column = (name, otherwise) => {
    const list = asList(told[name]);
    const values = new Int32Array(n);
    for (let i = 0; i < n; i++) values[i] = clamp(finite(list[i], otherwise), -1, 2147483647);
    return values;
  };
  const events = {
    n, kinds, protections, classes, binned: Math.max(0, finite(told.binned, 0)),
    time: new Float64Array(n), warped: new Float64Array(n), region: new Int32Array(n).fill(-1),
    kind: column('kind', -1), effective: column('effective', -1), previous: column('previous', -1),
    count: column('count', 1), pages: column('pages', 0), generation: column('generation', -1),
    lost: column('lost', 0), order: null, rises: new Uint8Array(n),
  };
  const sizes = new Int32Array(model.regions.length + 1);
  for (let i = 0; i < n; i++) {
    events.time[i] = clamp(finite(times[i], 0), 0, model.duration);
    const region = model.byId.get(regions[i]);
    if (!region) continue;
    events.region[i] = region.index;
    sizes[region.index + 1]++;
  }
  for (let i = 1; i < sizes.length; i++) sizes[i] += sizes[i - 1];
  for (const region of model.regions) {
    region.first = sizes[region.index];
    region.last = sizes[region.index + 1];
  }
  const next = sizes.slice(0, -1), highest = new Int32Array(model.regions.length);
  events.order = new Int32Array(sizes[sizes.length - 1]);
  for (let i = 0; i < n; i++) {
    const r = events.region[i];
    if (r < 0) continue;
    events.order[next[r]++] = i;
    if (events.generation[i] > highest[r]) {
      highest[r] = events.generation[i];
      events.rises[i] = 1;
    }
    if (events.effective[i] >= 0 && classes[events.effective[i]] === BOTH) {
      model.regions[r].isBoth = true;
    }
  }
  model.events = events;
}

/// What the filter and the search look at.
function regionText(region) {
  if (region.text === null) {
    region.text = [`r${region.id}`, region.start, region.what, region.name, region.detail,
      region.processName, region.pid, region.looks, region.protection, ...region.rules,
      ...region.findings.map((f) => `${f.kind} ${f.reason} `
        + asList(f.techniques).map((t) => `${t.id} ${t.name}`).join(' '))]
      .map((t) => (t === null || t === undefined ? '' : String(t).slice(0, 2000)))
      .join('\n').toLowerCase();
  }
  return region.text;
}

function regionsAt(address) {
  return model.regions.filter((r) => address >= r.address
    && address < r.address + bigLength(r.length));
}

const listeners = {};
function on(event, f) {
  (listeners[event] = listeners[event] || []).push(f);
}
function emit(event, value) {
  for (const f of listeners[event] || []) f(value);
}
