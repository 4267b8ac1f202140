// SPDX-License-Identifier: MIT
'use strict';

// Elements, made without markup: what a target controls is text, never HTML.

const byId = (id) => document.getElementById(id);

/// make('td', {class: 'number', text: 3}, child, ...): names that are not known are attributes.
function make(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') element.textContent = value;
    else if (name === 'on') for (const [event, f] of Object.entries(value)) {
      element.addEventListener(event, f);
    } else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function button(text, action, options) {
  return make('button', {type: 'button', text, on: {click: action}, ...options});
}

/// Told to screen readers, in the live region.
function announce(text) {
  byId('announce').textContent = clip(text, 300);
}

/// One call for many in one frame.
function perFrame(f) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; f(); });
  };
}

async function copyText(text, from) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    // The clipboard is not there for pages without a secure context: the old way.
    const area = make('textarea', {readonly: true, 'aria-hidden': 'true', class: 'hidden'});
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
    from.focus();
  }
  announce(done ? 'Copied' : 'Not copied: the browser does not allow it');
  const before = from.dataset.label || from.textContent;
  from.dataset.label = before;
  from.textContent = done ? 'copied' : 'failed';
  setTimeout(() => { from.textContent = before; }, 1200);
}

function copyButton(text, what) {
  return button('copy', (event) => copyText(text, event.currentTarget),
    {class: 'copy', 'aria-label': `Copy ${what}`});
}
