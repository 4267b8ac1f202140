// SPDX-License-Identifier: MIT

// What a region looked like at a generation: for each address the latest snapshot before the
// first transition that brought a later generation.

function readSnapshots(told) {
  const t = told && typeof told === 'object' ? told : {};
  const n = Math.min(asList(t.address).length, asList(t.generation).length);
  const at = (name, otherwise) => {
    const list = asList(t[name]);
    return (i) => (list[i] === undefined || list[i] === null ? otherwise : list[i]);
  };
  const address = at('address', ''), size = at('size', 0), transition = at('transition', -1);
  const time = at('time', 0), generation = at('generation', 0), content = at('content', -1);
  const entropy = at('entropy', -1), unreadable = at('unreadable', null), held = at('held', 0);
  const snapshots = [];
  for (let i = 0; i < n; i++) {
    const a = addressOf(address(i));
    if (a === null) continue;
    snapshots.push({
      address: a, page: hex(a), size: clamp(finite(size(i), 0), 0, 65536),
      transition: finite(transition(i), -1), time: finite(time(i), 0),
      generation: finite(generation(i), 0), content: finite(content(i), -1),
      entropy: finite(entropy(i), -1) / 10, unreadable: unreadable(i), held: held(i) === 1,
    });
  }
  return snapshots;
}

class RegionStates {
  constructor(snapshots) {
    this.snapshots = snapshots;
    const first = new Map();
    for (const s of snapshots) {
      const known = first.get(s.generation);
      if (known === undefined || s.transition < known) first.set(s.generation, s.transition);
    }
    this.generations = [...first.keys()].sort((a, b) => a - b);
    // The first transition that has a later generation, for each.
    this.ends = new Array(this.generations.length).fill(Infinity);
    let least = Infinity;
    for (let i = this.generations.length - 1; i >= 0; i--) {
      this.ends[i] = least;
      least = Math.min(least, first.get(this.generations[i]));
    }
    this.known = new Map();
  }

  get newest() {
    return this.generations.length - 1;
  }

  /// Index of a generation, or the nearest before it.
  indexOf(generation) {
    let index = 0;
    while (index < this.newest && this.generations[index + 1] <= generation) index++;
    return Math.max(0, index);
  }

  /// {pages: snapshots in order of address, byPage, changed: pages that differ from before}
  at(index) {
    if (this.known.has(index)) return this.known.get(index);
    const byPage = new Map();
    for (const s of this.snapshots) {
      if (s.transition < this.ends[index]) byPage.set(s.page, s);
    }
    const pages = [...byPage.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    const state = {pages, byPage, changed: new Set()};
    if (index > 0) {
      const before = this.at(index - 1).byPage;
      for (const s of pages) {
        const old = before.get(s.page);
        if (old && old.content !== s.content) state.changed.add(s.page);
      }
    }
    if (this.known.size > 40) this.known.delete(this.known.keys().next().value);
    this.known.set(index, state);
    return state;
  }
}

/// The kind of appearance of each page, as the analysis told it up to a generation.
function looksOfPages(appearances, pages, generation) {
  const looks = new Array(pages.length).fill(null);
  for (const told of asList(appearances).slice(0, 20000)) {
    const start = addressOf(told.start);
    if (start === null || finite(told.generation, 0) > generation) continue;
    const end = start + bigLength(told.length);
    let low = 0, high = pages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pages[middle].address < start) low = middle + 1; else high = middle;
    }
    for (let i = low; i < pages.length && pages[i].address < end; i++) looks[i] = told.kind;
  }
  return looks;
}
