// Lips and voice: while sound is on, pictures wait for sound that would come after them. A microphone's packet is as old as
// it is long when it is sent, and browsers hold sound back longer than pictures that are to be shown as they come.

import { holdBack } from './exchange.js';

const EVERY_MS = 1000;
// Measured in Chromium: how much later sound is heard than its time in the browser's buffer tells, seen from pictures that
// are shown at once; and what even those take, since a wait counts from when they come.
const OUTPUT_MS = 13;
const AT_ONCE_MS = 18;
const NEAR_MS = 15; // that pictures and sound may be apart before anything is changed
const MOST_MS = 250;

export class LipSync {
  /** How much earlier than the picture of the same time the server sends sound, ms; null while it sends none. */
  soundAhead = null;
  #video;
  #resource = null;
  #receiver = null;
  #before = null;
  #late = 0; // how much later than pictures shown at once sound is heard, ms
  #held = 0;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
    video.addEventListener('volumechange', () => this.#keep());
    setInterval(() => this.#look(), EVERY_MS);
  }

  /**
   * Look after another connection.
   * @param {string} resource under which the server knows it
   * @param {RTCRtpReceiver} receiver of its sound
   */
  follow(resource, receiver) {
    this.#resource = resource;
    this.#receiver = receiver;
    this.#before = null;
    this.#late = this.#held = 0;
  }

  async #look() {
    const buffered = await this.#buffered();
    if (buffered === null || this.soundAhead === null) return;
    this.#late = buffered + OUTPUT_MS - this.soundAhead;
    this.#keep();
  }

  #keep() {
    const late = this.#video.muted ? 0 : this.#late;
    const waiting = this.#held ? this.#held - AT_ONCE_MS : 0;
    if (late <= NEAR_MS) {
      if (this.#held) this.#hold(0);
    } else if (Math.abs(late - waiting) > NEAR_MS) {
      this.#hold(late + AT_ONCE_MS);
    }
  }

  /** How long sound lately stayed in the browser's buffer, ms; null where there was none. */
  async #buffered() {
    const all = [...((await this.#receiver?.getStats())?.values() ?? [])];
    const before = this.#before;
    const now = (this.#before = all.find(({ type }) => type === 'inbound-rtp'));
    const count = now?.jitterBufferEmittedCount - before?.jitterBufferEmittedCount;
    return count > 0 ? (1000 * (now.jitterBufferDelay - before.jitterBufferDelay)) / count : null;
  }

  #hold(ms) {
    this.#held = Math.min(10 * Math.round(ms / 10), MOST_MS); // as the server can say it
    holdBack(this.#resource, this.#held);
  }
}
