// The WebSocket: figures and small pictures in, commands out. Reconnects by itself.

import { subprotocols } from './access.js';

const RETRY_MS = 1000;

export class Status {
  #socket = null;
  #path = 'live';

  /**
   * @param {(figures: object) => void} onFigures
   * @param {(jpeg: Blob) => void} onTiles
   * @param {() => void} onLost the server cannot be reached
   */
  constructor(onFigures, onTiles, onLost) {
    Object.assign(this, { onFigures, onTiles, onLost });
    this.#connect();
  }

  #connect() {
    const address = new URL(this.#path, location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    const socket = (this.#socket = new WebSocket(address, subprotocols()));
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.onFigures(JSON.parse(data)) : this.onTiles(data));
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.onLost();
      setTimeout(() => socket === this.#socket && this.#connect(), RETRY_MS);
    };
  }

  /** Follow another session. */
  turnTo(path) {
    if (path === this.#path) return;
    this.#path = path;
    const old = this.#socket;
    this.#connect();
    old.close();
  }

  /** @param {object} command e.g. {strength: 1.2} */
  send(command) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }
}
