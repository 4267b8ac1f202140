// SPDX-License-Identifier: MIT

// Which regions the charts and the table show.

const FILTER_BOXES = {
  'filter-jit': (r) => r.label !== 'jit',
  'filter-files': (r) => !isFile(r),
  'filter-notable': (r) => r.importance === 'notable',
  'filter-wx': (r) => r.isBoth,
  'filter-changed': (r) => r.generation > 0,
};

function applyFilters() {
  const words = byId('filter-text').value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const process = byId('filter-process').value;
  const tests = Object.entries(FILTER_BOXES).filter(([id]) => byId(id).checked).map(([, f]) => f);
  if (process) tests.push((r) => String(r.process) === process);
  for (const word of words) tests.push((r) => regionText(r).includes(word));
  if (words.length === 1 && /^(0x)?[0-9a-f]{5,16}$/.test(words[0])) {
    const address = addressOf(words[0].replace(/^0x/, ''));
    const text = tests.pop();
    tests.push((r) => text(r) || (address >= r.address && address < r.address + bigLength(r.length)));
  }
  model.visible = tests.length ? model.regions.filter((r) => tests.every((t) => t(r))) : model.regions;
  const all = model.regions.length;
  byId('filter-count').textContent = tests.length ? `${count(model.visible.length)} of ${count(all)}` : '';
  byId('filter-clear').hidden = !tests.length;
  emit('visible');
}

function startFilters() {
  const form = byId('filters');
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', perFrame(applyFilters));
  byId('filter-clear').addEventListener('click', () => {
    form.reset();
    applyFilters();
    byId('filter-text').focus();
  });
  on('data', () => {
    const select = byId('filter-process');
    const chosen = select.value;
    select.replaceChildren(make('option', {value: '', text: `all ${model.processes.length}`}),
      ...model.processes.slice(0, 2000).map((p) => make('option', {value: String(p.id),
        text: `${p.pid} ${clipPath(p.name, 40)}`})));
    select.value = chosen;
    if (select.selectedIndex < 0) select.value = '';
    select.closest('label').hidden = model.processes.length < 2;
    applyFilters();
  });
}
