// Sends a camera, and a microphone when there is one, to the server by WHIP; connects again when that breaks.

import { Refused, hangUp, negotiate, prepare } from './exchange.js';

const RETRY_MS = [500, 1000, 2000, 4000];
const GRACE_MS = 1500; // in which a broken path may mend by itself
const PATH_MS = 10_000; // in which a path to the server is found, or none is
const SMALLER_MS = 1000; // after the image was made smaller: what that does shows by then
const LARGER_MS = 10_000; // without a skipped frame
const STEP = 1.5;
const SMALLEST = 3; // a face is still tracked at a third of the usual size
const BROKEN = 'The connection of your camera broke off; trying again.';
const NO_PATH = 'Your camera does not get through to the server: a firewall? Still trying.';

export class Publisher {
  #attempt = 0;
  #failures = 0;
  #resource = '';
  #scale = 1; // by which the image is made smaller
  #scaledAt = 0;
  #skipped = Infinity; // frames, when the server last said; not known yet
  #timer = 0;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {Record<'video' | 'audio', MediaStreamTrack | null>} */
  #tracks = { video: null, audio: null };
  /** ETag of the connection, by which the server names whose frames are shown. */
  tag = '';

  /**
   * @param {(watch: string | undefined) => void} onOpen where to watch the result, if that is a place of its own
   * @param {(sentence: string) => void} onTrouble '' when it is over
   */
  constructor(onOpen, onTrouble) {
    this.onOpen = onOpen;
    this.onTrouble = onTrouble;
  }

  /**
   * Begin to send.
   * @param {MediaStreamTrack} video
   * @throws {Error} the server refuses, or cannot be reached
   */
  async start(video) {
    this.#tracks = { video, audio: null };
    try {
      await this.#connect();
    } catch (error) {
      this.stop();
      throw error instanceof TypeError ? new Error('The server does not answer. Try again in a moment.') : error;
    }
  }

  /**
   * Send another camera or microphone, or none.
   * @param {'video' | 'audio'} kind
   * @param {MediaStreamTrack | null} track
   */
  async replace(kind, track) {
    this.#tracks[kind] = track;
    const transceiver = this.#connection?.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
    await transceiver?.sender.replaceTrack(track);
  }

  /**
   * Send a smaller image while the server cannot decode all that comes, and slowly a larger one after.
   * @param {number} skipped frames that it did not decode, since its start
   */
  adapt(skipped) {
    const behind = skipped > this.#skipped;
    this.#skipped = skipped;
    const now = performance.now();
    if (now - this.#scaledAt < (behind ? SMALLER_MS : LARGER_MS)) return;
    this.#scaledAt = now;
    const scale = Math.min(SMALLEST, Math.max(1, this.#scale * (behind ? STEP : 1 / STEP)));
    const sender = this.#connection?.getSenders()[0]; // video's, which was added first
    if (!sender || scale === this.#scale) return;
    this.#scale = scale;
    const parameters = sender.getParameters();
    parameters.encodings[0].scaleResolutionDownBy = scale;
    sender.setParameters(parameters).catch(() => {}); // the connection ended meanwhile
  }

  /** Connect anew, as long as it takes. */
  restart(why = BROKEN) {
    clearTimeout(this.#timer);
    this.onTrouble(why);
    this.#hangUp();
    const wait = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
    this.#timer = setTimeout(() => {
      this.#connect().catch((error) => this.restart(error instanceof Refused ? error.message : BROKEN));
    }, wait);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#tracks = { video: null, audio: null };
    this.#hangUp();
  }

  async #connect() {
    const attempt = ++this.#attempt;
    const connection = await prepare('whip');
    if (attempt !== this.#attempt) return connection.close();
    this.#connection = connection;
    const stream = new MediaStream();
    for (const kind of /** @type {const} */ (['video', 'audio'])) {
      // A microphone that comes later takes the empty place: WHIP has no second offer.
      connection.addTransceiver(this.#tracks[kind] ?? kind, { direction: 'sendonly', streams: [stream] });
    }
    connection.onconnectionstatechange = () => attempt === this.#attempt && this.#follow(connection);
    const { resource, tag, watch } = await negotiate(connection, 'whip');
    if (attempt !== this.#attempt) return hangUp(resource);
    this.#resource = resource;
    this.tag = tag;
    this.#timer = setTimeout(() => this.onTrouble(NO_PATH), PATH_MS);
    this.onOpen(watch);
  }

  /** @param {RTCPeerConnection} connection */
  #follow(connection) {
    const state = connection.connectionState;
    if (state === 'connecting') return;
    clearTimeout(this.#timer);
    if (state === 'connected') {
      this.#failures = 0;
      this.onTrouble('');
    }
    if (state === 'failed') this.restart();
    if (state === 'disconnected') this.#timer = setTimeout(() => this.restart(), GRACE_MS);
  }

  #hangUp() {
    this.#attempt++;
    hangUp(this.#resource);
    this.#resource = this.tag = '';
    this.#scale = 1;
    this.#skipped = Infinity;
    this.#connection?.close();
    this.#connection = null;
  }
}
