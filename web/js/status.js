// The WebSocket: figures and small pictures in, commands out. Reconnects by itself.

const RETRY_MS = 1000;

export class Status {
  #socket = null;

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
    const address = new URL('live', location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    const socket = (this.#socket = new WebSocket(address));
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.onFigures(JSON.parse(data)) : this.onTiles(data));
    socket.onclose = () => { this.onLost(); setTimeout(() => this.#connect(), RETRY_MS); };
  }

  /** @param {object} command e.g. {strength: 1.2} */
  send(command) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }
}
