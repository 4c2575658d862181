// The explanation, open on the first visit, and the keys, which can be turned off.

import { element } from './elements.js';
import { choices } from './storage.js';

/** @type {Record<string, string>} buttons by key */
const KEYS = { r: 'recalibrate', z: 'freeze', f: 'fullscreen', m: 'sound', s: 'snapshot' };

export function prepareHelp() {
  const help = element('help', HTMLElement);
  const toggle = element('help-toggle', HTMLButtonElement);
  /** @param {boolean} open */
  const show = (open) => {
    help.hidden = !open;
    toggle.setAttribute('aria-expanded', String(open));
  };
  show(choices.get('helped') !== 'yes');
  toggle.addEventListener('click', () => {
    show(Boolean(help.hidden));
    if (!help.hidden) help.scrollIntoView({ block: 'nearest' });
  });
  element('help-close', HTMLButtonElement).addEventListener('click', () => {
    choices.set('helped', 'yes');
    show(false);
    toggle.focus();
  });
}

export function prepareKeys() {
  const box = element('shortcuts', HTMLInputElement);
  box.checked = choices.get('shortcuts') !== 'off';
  box.addEventListener('change', () => choices.set('shortcuts', box.checked ? 'on' : 'off'));
  addEventListener('keydown', (event) => {
    const { ctrlKey, metaKey, altKey, repeat, target, key } = event;
    if (!box.checked || repeat || ctrlKey || metaKey || altKey || document.querySelector('dialog[open]')) return;
    if (target instanceof Element && target.matches('input:not([type=radio], [type=range], [type=checkbox]), select')) return;
    const id = KEYS[key.toLowerCase()];
    if (id) element(id, HTMLButtonElement).click();
  });
}
