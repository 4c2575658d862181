// Receives the stream by WHEP, reconnects when it breaks, and shows plain images where WebRTC brings none.

import { Refused, hangUp, negotiate, prepare } from './exchange.js';

const RETRY_MS = [500, 1000, 2000, 4000];
const LOOK_MS = 250;
const NO_MEDIA_MS = 5000; // after which plain images are shown instead
const STOPPED_MS = 3000; // without a frame, where there were some: the connection is taken for dead
const UPGRADE_MS = 30_000; // between attempts at WebRTC while plain images are shown
const PLAIN = 'Video by WebRTC does not get through (a firewall?). These are plain images, without sound.';

/**
 * Ask for H.264 first: at the same rate it is the sharper of the two, and the cheaper to decode.
 * @param {RTCRtpTransceiver} transceiver
 */
function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  const rank = (/** @type {RTCRtpCodec} */ { mimeType }) => (mimeType === 'video/H264' ? 0 : 1);
  transceiver.setCodecPreferences?.([...codecs].sort((a, b) => rank(a) - rank(b)));
}

export class Viewer {
  /** Whether the server makes frames, so that some should come. */
  expectsFrames = false;
  /** Why there is no image, in a sentence; '' if that is not known. */
  trouble = '';
  #video;
  #clock;
  #images;
  #lips;
  #endpoint = 'whep';
  #attempt = 0; // which one is under way: what an earlier one still brings is ignored
  #failures = 0;
  #startedAt = 0;
  #plain = false;
  #ready = false;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  #resource = '';
  #timer = 0;

  /**
   * @param {HTMLVideoElement} video shows the stream
   * @param {import('./frame_clock.js').FrameClock} clock of that video
   * @param {import('./mjpeg.js').ImageStream} images shown where WebRTC brings none
   * @param {import('./lipsync.js').LipSync} lips looks after the stream's sound
   */
  constructor(video, clock, images, lips) {
    this.#video = video;
    this.#clock = clock;
    this.#images = images;
    this.#lips = lips;
    setInterval(() => this.#look(), LOOK_MS);
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', ({ persisted }) => persisted && this.start());
  }

  /** How long ago the last frame was shown, ms; Infinity if there was none. */
  get age() {
    return this.#plain ? this.#images.age : this.#clock.age;
  }

  /** What the user should know of the stream though it runs; '' if nothing. */
  get note() {
    return this.#plain ? PLAIN : '';
  }

  /** Whether plain images are shown. */
  get plain() {
    return this.#plain;
  }

  /** @param {boolean} ready whether the server can be watched; it is not asked before */
  set serverReady(ready) {
    if (ready === this.#ready) return;
    this.#ready = ready;
    this.start();
  }

  /** Watch from now on, once the server is ready. */
  start() {
    clearTimeout(this.#timer);
    this.#close();
    if (!this.#ready) return;
    this.#startedAt = performance.now();
    this.#connect(++this.#attempt).catch((error) => {
      if (error instanceof Refused && error.status === 401) this.#close(); // until there is a token
      else this.#retry(error instanceof Refused ? error.message : 'The server does not answer; trying again.');
    });
  }

  /** The server says that it stops. */
  serverEnds() {
    this.trouble = 'The server was stopped; trying again.';
    this.serverReady = false;
  }

  /**
   * Watch another session.
   * @param {string} endpoint its WHEP
   */
  turnTo(endpoint) {
    if (endpoint === this.#endpoint) return;
    this.#endpoint = endpoint;
    this.#failures = 0;
    this.#showPlain(false);
    this.start();
  }

  /** @param {number} attempt */
  async #connect(attempt) {
    if (!('RTCPeerConnection' in window)) {
      this.#showPlain(true);
      return;
    }
    const connection = await prepare(this.#endpoint);
    if (attempt !== this.#attempt) return connection.close();
    this.#connection = connection;
    const [images, sound] = ['video', 'audio'].map((kind) => connection.addTransceiver(kind, { direction: 'recvonly' }));
    preferH264(images);
    const stream = new MediaStream();
    connection.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    };
    connection.onconnectionstatechange = () => {
      if (attempt === this.#attempt && ['failed', 'disconnected'].includes(connection.connectionState)) {
        this.#retry('The stream broke off; trying again.');
      }
    };
    const { resource } = await negotiate(connection, this.#endpoint);
    if (attempt !== this.#attempt) return hangUp(resource);
    this.#resource = resource;
    this.#lips.follow(resource, sound.receiver);
  }

  /** Whether frames come, and what to do where none do. */
  #look() {
    if (document.hidden) {
      this.#startedAt = performance.now();
      return;
    }
    const waited = performance.now() - this.#startedAt;
    if (this.#clock.age < STOPPED_MS) {
      this.trouble = '';
      this.#failures = 0;
      this.#showPlain(false);
    } else if (!this.expectsFrames) {
      this.#startedAt = performance.now();
    } else if (this.#clock.age !== Infinity) {
      this.#retry('The stream stopped; trying again.');
    } else if (this.#plain) {
      if (this.#connection && waited > UPGRADE_MS) this.start();
    } else if (waited > NO_MEDIA_MS) {
      this.#showPlain(true);
    }
  }

  /** @param {boolean} plain whether plain images are to be shown */
  #showPlain(plain) {
    if (plain === this.#plain) return;
    this.#plain = plain;
    if (plain) this.#playImages();
    else this.#images.stop();
  }

  async #playImages() {
    const path = this.#endpoint.replace(/whep$/, 'mjpeg');
    await this.#images.play(path).catch(() => {});
    if (this.#plain) setTimeout(() => this.#plain && this.#playImages(), RETRY_MS[1]);
  }

  /** @param {string} why a sentence */
  #retry(why) {
    this.trouble = why;
    this.#close();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]);
  }

  #close() {
    this.#attempt++;
    this.#clock.reset();
    hangUp(this.#resource);
    this.#resource = '';
    this.#connection?.close();
    this.#connection = null;
  }
}
