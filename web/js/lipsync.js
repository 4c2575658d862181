// Lips and voice: while sound is on, frames wait for sound that would come after them. A microphone's packet is as old as
// it is long when it is sent, and browsers hold sound back longer than frames that are to be shown as they come.

import { holdBack } from './exchange.js';

const EVERY_MS = 1000;
// Measured in Chromium: how much later sound is heard than its time in the browser's buffer tells, seen from frames that
// are shown at once; and what even those take, since a wait counts from when they come.
const OUTPUT_MS = 13;
const AT_ONCE_MS = 18;
const NEAR_MS = 15; // that frames and sound may be apart before anything is changed
const MOST_MS = 250;

export class LipSync {
  /** @type {number | null} How much earlier than the frame of the same time the server sends sound, ms; null without sound. */
  soundAhead = null;
  #video;
  #resource = '';
  /** @type {RTCRtpReceiver | null} */
  #receiver = null;
  /** @type {RTCInboundRtpStreamStats | undefined} */
  #before;
  #late = 0; // how much later than frames shown at once sound is heard, ms
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
    this.#before = undefined;
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
    const report = await this.#receiver?.getStats();
    /** @type {RTCInboundRtpStreamStats | undefined} */
    const now = [...(report?.values() ?? [])].find(({ type }) => type === 'inbound-rtp');
    const before = this.#before;
    this.#before = now;
    const count = (now?.jitterBufferEmittedCount ?? 0) - (before?.jitterBufferEmittedCount ?? 0);
    const delay = (now?.jitterBufferDelay ?? 0) - (before?.jitterBufferDelay ?? 0);
    return before && count > 0 ? (1000 * delay) / count : null;
  }

  /** @param {number} ms */
  #hold(ms) {
    this.#held = Math.min(10 * Math.round(ms / 10), MOST_MS); // as the server can say it
    holdBack(this.#resource, this.#held);
  }
}
