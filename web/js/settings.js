// The controls of motion. They follow what other pages change, also while one of them has focus. What is chosen for a person
// is kept, and chosen again with that person.

import { element, press, say } from './elements.js';
import { choices } from './storage.js';

const ECHO_MS = 1000; // in which the server says back what was changed here; until then it says the former value
const SLIDERS = ['strength', 'head', 'eyes'];
const TOGGLES = ['freeze', 'mirror'];
const KEPT = ['mode', 'relative', ...SLIDERS];

export class SettingsForm {
  #form = element('controls', HTMLFormElement);
  #target = ''; // whose settings these are
  /** @type {Map<string, number>} when each was changed here */
  #changed = new Map();

  /** @param {(command: Record<string, unknown>) => void} send */
  constructor(send) {
    this.send = send;
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('input', ({ target }) => {
      if (target instanceof HTMLInputElement) this.#change(target.name, target.value);
    });
    for (const name of TOGGLES) {
      const button = element(name, HTMLButtonElement);
      button.addEventListener('click', () => {
        const pressed = button.getAttribute('aria-pressed') !== 'true';
        press(button, pressed);
        this.#changed.set(name, performance.now());
        this.send({ [name]: pressed });
      });
    }
    element('recalibrate', HTMLButtonElement).addEventListener('click', () => this.send({ recalibrate: true }));
  }

  /**
   * @param {import('./messages.js').Settings} settings as the server has them
   * @param {string} target whom they move
   */
  show(settings, target) {
    this.#target = target;
    this.#choose('mode', settings.mode);
    this.#choose('relative', String(settings.relative));
    for (const name of /** @type {const} */ (['strength', 'head', 'eyes'])) {
      if (!this.#settled(name)) continue;
      element(name, HTMLInputElement).value = String(settings[name]);
      this.#showValue(name);
    }
    for (const name of /** @type {const} */ (['freeze', 'mirror'])) {
      if (this.#settled(name)) press(element(name, HTMLButtonElement), settings[name]);
    }
  }

  /**
   * What this browser keeps for a person.
   * @param {string} target
   * @returns {Record<string, unknown>}
   */
  static kept(target) {
    try {
      const kept = JSON.parse(choices.get(`settings ${target}`) ?? '{}');
      return Object.fromEntries(Object.entries(kept).filter(([name]) => KEPT.includes(name)));
    } catch {
      return {};
    }
  }

  /** @param {boolean} allowed whether this page may change anything */
  allow(allowed) {
    for (const control of this.#form.querySelectorAll('fieldset, input, select, button')) {
      if ('disabled' in control) control.disabled = !allowed;
    }
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #change(name, value) {
    if (!KEPT.includes(name)) return;
    this.#changed.set(name, performance.now());
    const known = { mode: value, relative: value === 'true' }[name] ?? Number(value);
    if (SLIDERS.includes(name)) this.#showValue(name);
    choices.set(`settings ${this.#target}`, JSON.stringify({ ...SettingsForm.kept(this.#target), [name]: known }));
    this.send({ [name]: known });
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

  /** @param {string} name of a slider */
  #showValue(name) {
    const slider = element(name, HTMLInputElement);
    const words = `${Number(slider.value).toFixed(2)}×`;
    slider.setAttribute('aria-valuetext', words);
    say(element(`${name}-value`, HTMLOutputElement), words);
  }
}
