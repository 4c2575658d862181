// The recording that the server makes: its button, how long and how large it is, and its download.

import { request } from './access.js';
import { element, press, say } from './elements.js';

const ECHO_MS = 1000; // in which the server says back what was asked for here

export class Recording {
  #button = element('record', HTMLButtonElement);
  #download = element('recording-download', HTMLButtonElement);
  #askedAt = -Infinity;
  #name = '';

  /** @param {(command: Record<string, unknown>) => void} send */
  constructor(send) {
    this.#button.addEventListener('click', () => {
      const record = this.#button.getAttribute('aria-pressed') !== 'true';
      press(this.#button, record);
      this.#askedAt = performance.now();
      send({ record });
    });
    this.#download.addEventListener('click', () => this.#save());
  }

  /** @param {boolean} allowed whether this page may record */
  allow(allowed) {
    this.#button.hidden = !allowed;
  }

  /** @param {import('./messages.js').Recording | null | undefined} recording the last */
  show(recording) {
    if (performance.now() - this.#askedAt > ECHO_MS) press(this.#button, recording?.active ?? false);
    element('recording', HTMLElement).hidden = !recording;
    if (!recording) return;
    const { name, active, seconds, bytes, failure } = recording;
    const minutes = Math.floor(seconds / 60);
    const time = `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
    const words = `${active ? 'Recording' : 'Recorded'} ${time} · ${(bytes / 1e6).toFixed(1)} MB`;
    say(element('recording-words', HTMLElement), failure ?? words);
    element('recording', HTMLElement).dataset.active = String(active);
    this.#name = name;
    this.#download.hidden = active || bytes === 0;
  }

  async #save() {
    const name = this.#name;
    const reply = await request(`recordings/${encodeURIComponent(name)}`).catch(() => null);
    if (!reply?.ok) return say(element('recording-words', HTMLElement), 'The recording cannot be fetched: try again.');
    const address = URL.createObjectURL(await reply.blob());
    Object.assign(document.createElement('a'), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
