// SPDX-License-Identifier: MIT

// Keys of the whole page, the theme, help and print.

function startKeys() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === 'Escape') {
      if (byId('help').open) return;   // the dialog closes itself
      if (!byId('results').hidden) { closeSearch(); event.preventDefault(); }
      else if (panel.id !== null) { closePanel(); event.preventDefault(); }
      return;
    }
    const typing = event.target.closest('input:not([type=range]):not([type=checkbox]), select, textarea');
    if (typing || byId('help').open) return;
    const action = {
      '/': () => byId('search-box').focus(),
      '?': () => byId('help').showModal(),
      j: () => moveCurrent(1), k: () => moveCurrent(-1),
      '[': () => stepGeneration(-1), ']': () => stepGeneration(1),
      ',': () => stepPage(-1), '.': () => stepPage(1),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  byId('help-button').addEventListener('click', () => byId('help').showModal());
  document.addEventListener('click', (event) => {
    const opener = event.target.closest('button[data-layer-region]');
    if (!opener) return;
    panel.tab = 'code';
    openRegion(Number(opener.dataset.layerRegion), {address: opener.dataset.entry || null});
  });
  startTheme();
  startPrint();
}

function startTheme() {
  const root = document.documentElement;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches);
  const tell = () => { byId('theme-button').textContent = isDark() ? 'Light' : 'Dark'; };
  byId('theme-button').addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    tell();
    emit('theme');
  });
  dark.addEventListener('change', () => { tell(); emit('theme'); });
  tell();
}

function startPrint() {
  const root = document.documentElement;
  let theme = null;
  window.addEventListener('beforeprint', () => {
    theme = root.dataset.theme || '';
    root.dataset.theme = 'light';
    root.dataset.printing = '1';
    readPalette();
    showRows(true);
    drawChartsNow();
    if (panel.parts) panel.parts.strip.drawNow();
  });
  window.addEventListener('afterprint', () => {
    delete root.dataset.printing;
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    readPalette();
    showRows(true);
    drawChartsNow();
  });
}
