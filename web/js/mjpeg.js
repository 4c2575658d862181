// Images by plain HTTP (multipart JPEG) for networks that let no WebRTC through: no sound, more delay, but an image.

import { request } from './access.js';

const HEAD_END = [13, 10, 13, 10]; // an empty line

/**
 * Where some bytes stand in others; -1 if nowhere.
 * @param {Uint8Array} bytes
 * @param {number[]} wanted
 */
function find(bytes, wanted) {
  for (let at = bytes.indexOf(wanted[0]); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    if (wanted.every((byte, k) => bytes[at + k] === byte)) return at;
  }
  return -1;
}

/**
 * The parts of a multipart body, each by its Content-Length.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>}
 */
export async function* parts(body) {
  let rest = new Uint8Array();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(rest.length + value.length);
      joined.set(rest);
      joined.set(value, rest.length);
      rest = joined;
      for (let head = find(rest, HEAD_END); head >= 0; head = find(rest, HEAD_END)) {
        const length = Number(/content-length:\s*(\d+)/i.exec(new TextDecoder().decode(rest.subarray(0, head)))?.[1] ?? 0);
        const from = head + HEAD_END.length;
        if (rest.length < from + length) break;
        yield rest.slice(from, from + length);
        rest = rest.slice(from + length);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Draws such a stream on a canvas. */
export class ImageStream {
  #canvas;
  #at = -Infinity;
  /** @type {AbortController | null} */
  #abort = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** How long ago the last image was drawn, ms; Infinity if there was none. */
  get age() {
    return performance.now() - this.#at;
  }

  /**
   * Draw until stopped, or until the stream ends.
   * @param {string} path
   */
  async play(path) {
    this.stop();
    const abort = (this.#abort = new AbortController());
    const reply = await request(path, { signal: abort.signal });
    if (!reply.ok || !reply.body) throw new Error(await reply.text());
    for await (const jpeg of parts(reply.body)) {
      const image = await createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
      if (abort.signal.aborted) return;
      this.#draw(image);
    }
  }

  stop() {
    this.#abort?.abort();
    this.#abort = null;
    this.#at = -Infinity;
  }

  /** @param {ImageBitmap} image */
  #draw(image) {
    const canvas = this.#canvas;
    if (canvas.width !== image.width) [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext('2d')?.drawImage(image, 0, 0);
    image.close();
    this.#at = performance.now();
  }
}
