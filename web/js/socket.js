// Figures and small images in, commands out, by WebSocket. Reconnects by itself. Where a WebSocket is refused though the
// server answers (an old Safari with a certificate that it doesn't know), figures are asked for instead.

import { request, subprotocols } from './access.js';

const MAIN = 'live';
const SESSION_ENDED = 1008; // as the server closes its socket
const RETRY_MS = 1000;
/** Silence that a working server never keeps: it sends four times a second. */
export const SILENCE_MS = 1500;

export class Status {
  /** @type {WebSocket | null} */
  #socket = null;
  #path = MAIN;
  #at = -Infinity;

  /**
   * @param {(figures: any) => void} onFigures
   * @param {(jpeg: Blob) => void} onTiles
   * @param {() => void} onSessionEnd the session that was followed is no more
   */
  constructor(onFigures, onTiles, onSessionEnd) {
    this.onFigures = onFigures;
    this.onTiles = onTiles;
    this.onSessionEnd = onSessionEnd;
    setInterval(() => this.#look(), SILENCE_MS / 3);
  }

  /** How long ago the server last said something, ms; Infinity if it never did. */
  get age() {
    return performance.now() - this.#at;
  }

  start() {
    const address = new URL(this.#path, location.href);
    address.protocol = address.protocol.replace('http', 'ws');
    const former = this.#socket;
    const socket = (this.#socket = new WebSocket(address, subprotocols()));
    former?.close();
    const startedAt = performance.now();
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#at = performance.now();
      if (typeof data === 'string') this.onFigures(JSON.parse(data));
      else this.onTiles(data);
    };
    socket.onclose = async ({ code }) => {
      if (socket !== this.#socket) return;
      if (code === SESSION_ENDED && this.#path !== MAIN) return this.onSessionEnd();
      if (this.#at < startedAt && !(await this.#ask())) return; // the user is asked for a token first
      setTimeout(() => socket === this.#socket && this.start(), RETRY_MS);
    };
  }

  /**
   * Follow another session.
   * @param {string} path of its WebSocket
   */
  turnTo(path) {
    if (path === this.#path) return;
    this.#path = path;
    this.start();
  }

  /**
   * @param {Record<string, unknown>} command e.g. {strength: 1.2}
   * @returns {boolean} whether it could be sent
   */
  send(command) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  /** Ask once for what the WebSocket does not bring; false if the server wants a token. */
  async #ask() {
    try {
      const reply = await request('status');
      if (reply.ok) {
        this.#at = performance.now();
        this.onFigures(await reply.json());
      }
      return reply.status !== 401;
    } catch {
      return true; // out of reach: tried again
    }
  }

  /** A socket that stands but carries nothing is opened anew. */
  #look() {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (open && !document.hidden && this.age > 4 * SILENCE_MS) {
      this.#at = performance.now() - SILENCE_MS - 1; // silent still, but do not open another at once
      this.start();
    }
  }
}
