// When the page last showed a frame. The video element itself says so: a connection may stand and carry nothing.

const LOOK_MS = 100; // where the browser does not call back for each frame

export class FrameClock {
  #at = -Infinity;
  #visible = performance.now();

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    if ('requestVideoFrameCallback' in video) {
      const step = () => {
        this.mark();
        video.requestVideoFrameCallback(step);
      };
      video.requestVideoFrameCallback(step);
    } else {
      this.#poll(video);
    }
    document.addEventListener('visibilitychange', () => (this.#visible = performance.now()));
  }

  /** A frame is shown now. */
  mark() {
    this.#at = performance.now();
  }

  /** Forget the frames of a former connection. */
  reset() {
    this.#at = -Infinity;
  }

  /**
   * How long ago the last frame was shown, ms; Infinity if there was none. A hidden page is shown no frames: that time
   * does not count.
   */
  get age() {
    if (document.hidden) return this.#at === -Infinity ? Infinity : 0;
    return this.#at === -Infinity ? Infinity : performance.now() - Math.max(this.#at, this.#visible);
  }

  /** @param {HTMLVideoElement} video */
  #poll(video) {
    let before = 0;
    setInterval(() => {
      if (video.currentTime !== before) this.mark();
      before = video.currentTime;
    }, LOOK_MS);
  }
}
