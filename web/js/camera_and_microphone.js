// The camera card: the camera and, asked for separately, the microphone; which ones; the preview that only the user sees.

import { DeviceError, fill, open } from './devices.js';
import { element, press, say } from './elements.js';
import { Publisher } from './publisher.js';
import { choices } from './storage.js';

const AGAIN_MS = 2000; // between attempts at a camera that was unplugged
const CALIBRATION_S = 3;
const LOST_MS = 4000; // that the server may show another before this page takes its place for lost
const MUTED = 'Your camera sends no images. Another program may hold it, or its shutter is closed.';
const ENDED = 'Your camera was unplugged or taken away; it is tried again by itself.';

export class CameraCard {
  #button = element('camera', HTMLButtonElement);
  #microphoneButton = element('microphone', HTMLButtonElement);
  #cameras = element('camera-choice', HTMLSelectElement);
  #microphones = element('microphone-choice', HTMLSelectElement);
  #previews = ['preview', 'source-video'].map((id) => element(id, HTMLVideoElement));
  /** @type {MediaStreamTrack | null} */
  #camera = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  #publisher;
  /** @type {Record<'device' | 'connection' | 'action', string>} what is wrong with each, in a sentence; '' if nothing */
  #troubles = { device: '', connection: '', action: '' };
  /** @type {Set<string>} ids of the elements whose action waits or runs */
  #pending = new Set();
  #last = Promise.resolve(); // ends with the last of these actions
  #placeAt = 0; // when the server last showed this page's camera

  /**
   * @param {(endpoint: string | undefined) => void} watch turns to a session; the main one without an endpoint
   * @param {(active: boolean) => void} changed
   */
  constructor(watch, changed) {
    this.watch = watch;
    this.changed = changed;
    this.#publisher = new Publisher((endpoint) => {
      this.#placeAt = performance.now();
      watch(endpoint);
    }, (sentence) => this.#say('connection', sentence));
    this.#button.addEventListener('click', () => this.#inTurn(this.#button, () => (this.#camera ? this.stop() : this.#start())));
    this.#microphoneButton.addEventListener('click', () => this.#inTurn(this.#microphoneButton, () => this.#toggleMicrophone()));
    this.#cameras.addEventListener('change', () => this.#inTurn(this.#cameras, () => this.#turnTo('camera', this.#cameras.value)));
    this.#microphones.addEventListener('change', () => this.#inTurn(this.#microphones, () => this.#turnTo('microphone', this.#microphones.value)));
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#list());
    addEventListener('pagehide', () => this.stop());
  }

  /** Whether this page sends a camera. */
  get active() {
    return this.#camera !== null;
  }

  /** @param {boolean} allowed whether this page may send one */
  allow(allowed) {
    this.#button.disabled = !allowed;
  }

  /**
   * Guide through calibration: an outline to put the face in, and the seconds left.
   * @param {number | null} progress 0 to 1; null outside of calibration
   * @param {boolean} good whether the look is near enough to rest
   */
  guide(progress, good) {
    const calibrates = progress !== null && this.active;
    const ghost = element('ghost', SVGSVGElement);
    ghost.toggleAttribute('hidden', !calibrates);
    ghost.dataset.match = good ? 'good' : 'poor';
    const left = Math.max(1, Math.ceil((1 - (progress ?? 0)) * CALIBRATION_S));
    say(element('preview-caption', HTMLElement), calibrates ? `Fill the outline: ${left} s` : 'Only you see this');
  }

  /**
   * @param {string | null | undefined} publisher ETag of the camera that the server shows
   * @param {number} skipped frames that it could not decode in time, since its start
   */
  shown(publisher, skipped) {
    if (publisher && publisher === this.#publisher.tag) this.#publisher.adapt(skipped);
    if (publisher === undefined || publisher === this.#publisher.tag || !this.#publisher.tag) {
      this.#placeAt = performance.now();
    } else if (performance.now() - this.#placeAt > LOST_MS) {
      this.#placeAt = performance.now();
      this.#publisher.restart();
    }
  }

  stop() {
    this.#publisher.stop();
    this.#camera?.stop();
    this.#microphone?.stop();
    this.#camera = this.#microphone = null;
    this.#troubles = { device: '', connection: '', action: '' };
    this.#say('action', '');
    this.#show();
    this.watch(undefined);
  }

  async #start() {
    element('camera-label', HTMLElement).textContent = 'Allow the camera…';
    const camera = await open('camera', choices.get('camera') ?? '');
    this.#take(camera);
    try {
      await this.#publisher.start(camera);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  async #toggleMicrophone() {
    if (!this.#camera) return; // it stopped while this waited
    if (this.#microphone) {
      this.#microphone.stop(); // the browser's own sign that it listens goes out, too
      this.#microphone = null;
      await this.#publisher.replace('audio', null);
    } else {
      await this.#turnTo('microphone', choices.get('microphone') ?? '');
    }
    this.#show();
  }

  /**
   * @param {import('./devices.js').Kind} kind
   * @param {string} id
   */
  async #turnTo(kind, id) {
    const former = kind === 'camera' ? this.#camera : this.#microphone;
    former?.stop(); // many cameras open once only
    const track = await open(kind, id);
    choices.set(kind, track.getSettings().deviceId ?? '');
    if (kind === 'camera') {
      this.#take(track);
      await this.#publisher.replace('video', track);
    } else {
      this.#microphone = track;
      const button = this.#microphoneButton;
      track.addEventListener('ended', () => track === this.#microphone && this.#inTurn(button, () => this.#toggleMicrophone()));
      await this.#publisher.replace('audio', track);
      this.#show();
    }
  }

  /** @param {MediaStreamTrack} camera */
  #take(camera) {
    this.#camera = camera;
    const mine = () => camera === this.#camera;
    camera.addEventListener('mute', () => mine() && this.#say('device', MUTED));
    camera.addEventListener('unmute', () => mine() && this.#say('device', ''));
    camera.addEventListener('ended', () => mine() && this.#comeBack());
    this.#show();
  }

  /**
   * The camera ended by itself: take it again as soon as it can be had.
   * @returns {Promise<void>}
   */
  async #comeBack() {
    const gone = this.#camera;
    this.#say('device', ENDED);
    await new Promise((next) => setTimeout(next, AGAIN_MS));
    if (!gone || gone !== this.#camera) return;
    try {
      await this.#turnTo('camera', choices.get('camera') ?? '');
      this.#say('device', '');
    } catch (error) {
      if (!(error instanceof DeviceError) || error.reason !== 'NotAllowedError') return this.#comeBack();
      this.stop();
      this.#say('action', error.message);
    }
  }

  /**
   * Do one thing after another, and tell the user why one failed. A second click on the same button, while what the first
   * began goes on, is a double click. Buttons are not disabled meanwhile: they would lose focus.
   * @param {HTMLElement} asked the element that the user used
   * @param {() => void | Promise<void>} action
   */
  #inTurn(asked, action) {
    if (this.#pending.has(asked.id)) return;
    this.#pending.add(asked.id);
    this.#last = this.#last.then(async () => {
      this.#say('action', '');
      try {
        await action();
      } catch (error) {
        this.#say('action', error instanceof Error ? error.message : String(error));
      }
      this.#pending.delete(asked.id);
      this.#show();
    });
  }

  #show() {
    const active = this.#camera !== null;
    press(this.#button, active);
    element('camera-label', HTMLElement).textContent = active ? 'Stop my camera' : 'Use my camera';
    element('camera-options', HTMLElement).hidden = !active;
    element('camera-hint', HTMLElement).hidden = active;
    press(this.#microphoneButton, this.#microphone !== null);
    this.#microphones.hidden = this.#microphone === null;
    for (const preview of this.#previews) {
      const shown = preview.srcObject instanceof MediaStream ? preview.srcObject.getTracks()[0] : null;
      if (shown !== this.#camera) preview.srcObject = this.#camera && new MediaStream([this.#camera]);
    }
    this.#list();
    this.changed(active);
  }

  #list() {
    if (this.#camera) fill(this.#cameras, 'camera', this.#camera);
    if (this.#microphone) fill(this.#microphones, 'microphone', this.#microphone);
  }

  /**
   * @param {'device' | 'connection' | 'action'} what
   * @param {string} sentence
   */
  #say(what, sentence) {
    this.#troubles[what] = sentence;
    const { device, connection, action } = this.#troubles;
    say(element('note', HTMLElement), action || device || connection);
  }
}
