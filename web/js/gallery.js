// The people to choose from, each with portrait and name, and a sheet that says on what ground the likeness is used.

import { request } from './access.js';
import { element, say } from './elements.js';

const ECHO_MS = 3000; // loading another target takes a moment
const AGAIN_MS = 5000; // between attempts at a list that could not be had

/** @typedef {import('./messages.js').Target & {portrait: boolean, sizes: number[]}} Entry */

/**
 * A target's consent record in words; of targets from before there was one, the provenance.
 * @param {import('./messages.js').Target} target
 * @returns {[string, string][]} what, and what the record says of it
 */
export function consentRows({ provenance, consent }) {
  if (!consent) return [['Provenance', provenance], ['Permission', 'Not recorded: this target is older than such records.']];
  const day = new Date(`${consent.permitted_on}T00:00`).toLocaleDateString('en', { dateStyle: 'long' });
  return [
    ['Shown', consent.subject],
    ['Footage', consent.footage],
    ['Permission', consent.permission],
    ['Given by', consent.permitted_by],
    ['Given on', day],
    ['Label', consent.label_optional ? 'May be left off.' : 'Always on.'],
  ];
}

export class Gallery {
  #box = element('gallery', HTMLFieldSetElement);
  #sheet = element('about', HTMLDialogElement);
  #size = element('size', HTMLSelectElement);
  /** @type {Map<string, string>} addresses of portraits, by name */
  #portraits = new Map();
  /** @type {Map<string, number[]>} px, by name */
  #sizes = new Map();
  #chosenAt = -Infinity;
  #askAt = 0; // when to ask for the list; never again once it is here
  /** @type {import('./messages.js').Target | null} */
  #target = null;

  /**
   * @param {(name: string) => void} chosen
   * @param {(size: number) => void} resized
   */
  constructor(chosen, resized) {
    this.#box.addEventListener('change', ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      this.#chosenAt = performance.now();
      chosen(target.value);
    });
    this.#size.addEventListener('change', () => {
      this.#chosenAt = performance.now();
      resized(Number(this.#size.value));
    });
    element('about-open', HTMLButtonElement).addEventListener('click', () => this.#sheet.showModal());
  }

  /** @param {import('./messages.js').Target} target who is shown */
  show(target) {
    if (performance.now() >= this.#askAt) this.#fill();
    this.#target = target;
    element('person', HTMLElement).hidden = false;
    say(element('target', HTMLElement), target.title);
    this.#describe();
    const input = [...this.#box.querySelectorAll('input')].find(({ value }) => value === target.name);
    if (performance.now() - this.#chosenAt <= ECHO_MS) return;
    if (input) input.checked = true;
    this.#showSizes(target);
  }

  /** @param {import('./messages.js').Target} target */
  #showSizes({ name, size }) {
    const sizes = this.#sizes.get(name) ?? [];
    element('size-row', HTMLElement).hidden = sizes.length < 2;
    if ([...this.#size.options].map(({ value }) => value).join() !== sizes.join()) {
      this.#size.replaceChildren(...sizes.map((px) => new Option(`${px} × ${px}`, String(px))));
    }
    this.#size.value = String(size);
  }

  #describe() {
    if (!this.#target) return;
    const { name, title } = this.#target;
    say(element('about-title', HTMLElement), title);
    this.#fillRecord(consentRows(this.#target));
    const portrait = element('about-portrait', HTMLImageElement);
    const address = this.#portraits.get(name) ?? '';
    portrait.hidden = !address;
    if (address && portrait.src !== address) portrait.src = address;
  }

  /** @param {[string, string][]} rows */
  #fillRecord(rows) {
    const list = element('consent', HTMLDListElement);
    const words = rows.flat();
    if ([...list.children].map(({ textContent }) => textContent).join() === words.join()) return;
    list.replaceChildren(...words.map((text, k) => {
      return Object.assign(document.createElement(k % 2 ? 'dd' : 'dt'), { textContent: text });
    }));
  }

  async #fill() {
    this.#askAt = performance.now() + AGAIN_MS;
    const reply = await request('targets').catch(() => null);
    if (!reply?.ok) return;
    this.#askAt = Infinity;
    /** @type {Entry[]} */
    const targets = await reply.json();
    this.#sizes = new Map(targets.map(({ name, sizes }) => [name, sizes]));
    const cards = await Promise.all(targets.map((target) => this.#card(target)));
    this.#box.replaceChildren(...this.#box.querySelectorAll('legend'), ...cards);
    this.#box.hidden = targets.length < 2;
  }

  /** @param {Entry} entry */
  async #card({ name, title, provenance, portrait }) {
    const label = document.createElement('label');
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'target', value: name });
    const card = document.createElement('span');
    label.title = provenance;
    input.disabled = this.#box.disabled;
    const reply = portrait ? await request(`targets/${encodeURIComponent(name)}.jpg`).catch(() => null) : null;
    if (reply?.ok) {
      const address = URL.createObjectURL(await reply.blob());
      this.#portraits.set(name, address);
      card.append(Object.assign(document.createElement('img'), { src: address, alt: '' }));
    }
    card.append(title);
    label.append(input, card);
    return label;
  }
}
