// The controls of motion. They follow what other pages change, also while one of them has focus.

import { element, say } from './elements.js';

const ECHO_MS = 1000; // in which the server says back what was changed here; until then it says the former value

export class SettingsForm {
  #form = element('controls', HTMLFormElement);
  #strength = element('strength', HTMLInputElement);
  /** @type {Map<string, number>} when each was changed here */
  #changed = new Map();

  /** @param {(command: Record<string, unknown>) => void} send */
  constructor(send) {
    this.send = send;
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('input', ({ target }) => {
      if (target instanceof HTMLInputElement) this.#change(target.name, target.value);
    });
    element('recalibrate', HTMLButtonElement).addEventListener('click', () => this.send({ recalibrate: true }));
  }

  /** @param {import('./messages.js').Settings} settings as the server has them */
  show({ mode, relative, strength }) {
    this.#choose('mode', mode);
    this.#choose('relative', String(relative));
    if (this.#settled('strength')) {
      this.#strength.value = String(strength);
      this.#showStrength();
    }
  }

  /** @param {boolean} allowed whether this page may change anything */
  allow(allowed) {
    for (const control of this.#form.querySelectorAll('fieldset, input, #recalibrate')) {
      if ('disabled' in control) control.disabled = !allowed;
    }
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #change(name, value) {
    if (!['mode', 'relative', 'strength'].includes(name)) return;
    this.#changed.set(name, performance.now());
    if (name === 'mode') this.send({ mode: value });
    if (name === 'relative') this.send({ relative: value === 'true' });
    if (name === 'strength') {
      this.#showStrength();
      this.send({ strength: Number(value) });
    }
  }

  /**
   * @param {string} name of radio buttons
   * @param {string} value
   */
  #choose(name, value) {
    const buttons = this.#form.elements.namedItem(name);
    if (buttons instanceof RadioNodeList && this.#settled(name)) buttons.value = value;
  }

  /** @param {string} name */
  #settled(name) {
    return performance.now() - (this.#changed.get(name) ?? -Infinity) > ECHO_MS;
  }

  #showStrength() {
    const words = `${Number(this.#strength.value).toFixed(2)}×`;
    this.#strength.setAttribute('aria-valuetext', words);
    say(element('strength-value', HTMLOutputElement), words);
  }
}
