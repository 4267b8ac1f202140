// SPDX-License-Identifier: MIT

// The pages of one generation as bars: height is entropy, colour the kind, a cap what changed.

class PageStrip {
  constructor(choose) {
    this.canvas = make('canvas', {class: 'page-strip', 'aria-hidden': 'true'});
    this.state = null;
    this.canvas.addEventListener('click', (event) => {
      const i = this.indexAt(event);
      if (i >= 0) choose(this.state.pages[i].page);
    });
    this.canvas.addEventListener('pointermove', (event) => {
      const i = this.indexAt(event);
      if (i < 0) return;
      const p = this.state.pages[i];
      showTip(event.clientX, event.clientY, [p.page, this.looks[i] || 'kind not known',
        p.entropy < 0 ? 'entropy not known' : `${p.entropy.toFixed(1)} bits per byte`,
        `generation ${p.generation}, captured ${timeText(p.time)} s`,
        this.state.changed.has(p.page) ? 'changed in this generation' : '',
        p.content < 0 ? `unreadable: ${clip(p.unreadable, 60)}` : p.held ? '' : 'not in this report'].filter(Boolean));
    });
    this.canvas.addEventListener('pointerleave', hideTip);
    this.draw = perFrame(() => this.drawNow());
    new ResizeObserver(this.draw).observe(this.canvas);
  }

  indexAt(event) {
    if (!this.state || !this.state.pages.length) return -1;
    const box = this.canvas.getBoundingClientRect();
    return clamp(Math.floor((event.clientX - box.left) / this.barWidth(box.width)), 0,
      this.state.pages.length - 1);
  }

  barWidth(width) {
    return Math.min(18, width / this.state.pages.length);
  }

  show(state, looks, page) {
    this.state = state;
    this.looks = looks;
    this.page = page;
    this.draw();
  }

  drawNow() {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!this.state || !width) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const g = this.canvas.getContext('2d');
    g.scale(ratio, ratio);
    const c = palette.colours;
    const {pages, changed} = this.state;
    const w = this.barWidth(width);
    const colours = {code: c.execute, image: c.both, packed: c.accent, data: c.write, zeros: c.read, unknown: c.soft};
    for (let i = 0; i < pages.length; i++) {
      const p = pages[i];
      const x = i * w, bar = Math.max(1, w - (w > 4 ? 1 : 0));
      if (p.page === this.page) {
        g.fillStyle = c.chosen;
        g.fillRect(x - 1, 0, bar + 2, height);
      }
      if (p.content < 0) {
        g.fillStyle = c.lost;
        g.fillRect(x, height - 3, bar, 3);
        continue;
      }
      const h = p.entropy < 0 ? 4 : Math.max(2, p.entropy / 8 * (height - 10));
      g.fillStyle = colours[looksClass(this.looks[i])];
      g.globalAlpha = p.held ? 1 : 0.45;
      g.fillRect(x, height - h, bar, h);
      g.globalAlpha = 1;
      if (changed.has(p.page)) {
        g.fillStyle = c.mark;
        g.fillRect(x, 0, Math.max(bar, 1.5), 4);
      }
    }
    const i = pages.findIndex((p) => p.page === this.page);
    if (i >= 0) {
      g.strokeStyle = c.accent;
      g.lineWidth = 1.5;
      g.strokeRect(i * w + 0.5, 0.75, Math.max(3, w - 1), height - 1.5);
    }
  }
}
