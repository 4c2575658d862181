// Sends the browser's camera, and microphone, to the server by WHIP, in place of its own source.

import { hangUp, negotiate, prepare } from './exchange.js';

const CAMERA = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 } };

/** The camera with the microphone where there is one that may be used. */
async function open() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: true });
  } catch {
    return navigator.mediaDevices.getUserMedia({ video: CAMERA });
  }
}

/** One use of the camera at a time. */
export class Camera {
  #connection = null;
  #resource = null;
  #stream = null;

  /** @param {() => void} ended called when the connection breaks off by itself */
  constructor(ended) { this.ended = ended; }

  get active() { return this.#stream !== null; }

  /** Ask for the camera and send it; where to watch it, if that is a place of its own. Rejects with words for the user. */
  async start() {
    if (!navigator.mediaDevices) throw new Error('A browser gives its camera to secure pages only: open this page as http://localhost or by https.');
    try {
      this.#stream = await open();
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ? 'The browser was not allowed to use the camera.' : 'No camera was found.');
    }
    try {
      const pc = (this.#connection = await prepare('whip'));
      for (const track of this.#stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [this.#stream] });
      pc.onconnectionstatechange = () => {
        if (pc === this.#connection && ['failed', 'disconnected'].includes(pc.connectionState)) { this.stop(); this.ended(); }
      };
      const { resource, watch } = await negotiate(pc, 'whip');
      this.#resource = resource;
      return watch;
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  stop() {
    hangUp(this.#resource);
    this.#connection?.close();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#connection = this.#resource = this.#stream = null;
  }
}
