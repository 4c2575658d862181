// The image and what lies over it: sound, snapshot, source beside result, full screen.

import { element, press } from './elements.js';
import { choices } from './storage.js';

export class Stage {
  #screen = element('screen', HTMLElement);
  #video = element('video', HTMLVideoElement);
  #still = element('still', HTMLCanvasElement);
  #beside = element('beside', HTMLButtonElement);
  #plain = false;

  constructor() {
    const sound = element('sound', HTMLButtonElement);
    sound.addEventListener('click', () => {
      this.#video.muted = !this.#video.muted; // a browser lets a page begin without sound only
      press(sound, !this.#video.muted);
    });
    element('snapshot', HTMLButtonElement).addEventListener('click', () => this.#saveSnapshot());
    this.#beside.addEventListener('click', () => this.#showBeside(!this.#screen.classList.contains('two')));
    this.#showBeside(choices.get('beside') === 'yes');
    this.#prepareFullScreen(element('fullscreen', HTMLButtonElement));
  }

  /** @param {boolean} plain whether plain images are shown instead of the video */
  showPlain(plain) {
    if (plain === this.#plain) return;
    this.#plain = plain;
    this.#still.hidden = !plain;
  }

  /** @param {boolean} fresh whether the image moves; one that does not is dimmed */
  showFresh(fresh) {
    this.#screen.dataset.fresh = String(fresh);
    this.#screen.dataset.empty = String(!this.#plain && !this.#video.videoWidth);
  }

  /** @param {boolean} camera whether the source is this page's camera; else its landmarks are shown */
  showSource(camera) {
    element('source-video', HTMLElement).hidden = !camera;
    element('source-landmarks', HTMLCanvasElement).hidden = camera;
  }

  /** @param {boolean} shown */
  #showBeside(shown) {
    element('source-pane', HTMLElement).hidden = !shown;
    this.#screen.classList.toggle('two', shown);
    press(this.#beside, shown);
    choices.set('beside', shown ? 'yes' : 'no');
  }

  /** @param {HTMLButtonElement} button */
  #prepareFullScreen(button) {
    const screen = this.#screen;
    /** @type {HTMLVideoElement & {webkitEnterFullscreen?: () => void}} */
    const video = this.#video; // on iPhones only a video goes full screen
    button.hidden = !document.fullscreenEnabled && !video.webkitEnterFullscreen;
    button.addEventListener('click', () => {
      if (!document.fullscreenEnabled) video.webkitEnterFullscreen?.();
      else if (document.fullscreenElement) document.exitFullscreen();
      else screen.requestFullscreen().catch(() => {});
    });
    document.addEventListener('fullscreenchange', () => press(button, document.fullscreenElement !== null));
  }

  /** The image as a file; label and watermark are in it. */
  async #saveSnapshot() {
    const shown = this.#plain ? this.#still : this.#video;
    const width = shown instanceof HTMLVideoElement ? shown.videoWidth : shown.width;
    const height = shown instanceof HTMLVideoElement ? shown.videoHeight : shown.height;
    if (!width) return;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d')?.drawImage(shown, 0, 0);
    const address = URL.createObjectURL(await canvas.convertToBlob({ type: 'image/png' }));
    const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
    Object.assign(document.createElement('a'), { href: address, download: `head2head-${time}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
