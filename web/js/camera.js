// Sends the browser's camera to the server by WHIP, in place of its own source.

const CAMERA = { video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 } }, audio: false };

/** One use of the camera at a time. */
export class Camera {
  #connection = null;
  #resource = null;
  #stream = null;

  /** @param {() => void} ended called when the connection breaks off by itself */
  constructor(ended) { this.ended = ended; }

  get active() { return this.#stream !== null; }

  /** Ask for the camera and send it. Rejects with words for the user. */
  async start() {
    if (!navigator.mediaDevices) throw new Error('A browser gives its camera to secure pages only: open this page as http://localhost or by https.');
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia(CAMERA);
    } catch (error) {
      throw new Error(error.name === 'NotAllowedError' ? 'The browser was not allowed to use the camera.' : 'No camera was found.');
    }
    try {
      const pc = (this.#connection = new RTCPeerConnection());
      for (const track of this.#stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [this.#stream] });
      pc.onconnectionstatechange = () => {
        if (pc === this.#connection && ['failed', 'disconnected'].includes(pc.connectionState)) { this.stop(); this.ended(); }
      };
      await pc.setLocalDescription();
      const reply = await fetch('whip', { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
      if (!reply.ok) throw new Error(await reply.text());
      this.#resource = reply.headers.get('Location');
      await pc.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  stop() {
    if (this.#resource) fetch(this.#resource, { method: 'DELETE', keepalive: true });
    this.#connection?.close();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#connection = this.#resource = this.#stream = null;
  }
}
