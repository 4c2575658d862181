// The people to choose from, each with portrait, name and on what ground the likeness is used.

import { headers } from './access.js';

export class Gallery {
  #box;

  /**
   * @param {HTMLFieldSetElement} box filled when there is a choice
   * @param {(name: string) => void} chosen
   */
  constructor(box, chosen) {
    this.#box = box;
    box.addEventListener('change', ({ target }) => chosen(target.value));
    this.#fill();
  }

  /** Mark who is shown, unless a choice is being made here. */
  mark(name) {
    const input = [...this.#box.querySelectorAll('input')].find(({ value }) => value === name);
    if (input && !this.#box.contains(document.activeElement)) input.checked = true;
  }

  async #fill() {
    const reply = await fetch('targets', { headers: headers() }).catch(() => null);
    const targets = reply?.ok ? await reply.json() : [];
    this.#box.append(...(await Promise.all(targets.map((target) => this.#card(target)))));
    this.#box.hidden = targets.length < 2;
  }

  async #card({ name, title, provenance, portrait }) {
    const label = document.createElement('label');
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'target', value: name });
    const card = document.createElement('span');
    label.title = provenance;
    if (portrait) {
      const reply = await fetch(`targets/${encodeURIComponent(name)}.jpg`, { headers: headers() });
      if (reply.ok) card.append(Object.assign(document.createElement('img'), { src: URL.createObjectURL(await reply.blob()), alt: '' }));
    }
    card.append(title);
    label.append(input, card);
    return label;
  }
}
