// WHIP and WHEP from the client's side: an offer out, an answer and the connection's own address in.

import { request } from './access.js';

/** The server answered, with a refusal; the message is its own sentence. */
export class Refused extends Error {
  /**
   * @param {number} status of HTTP
   * @param {string} sentence
   */
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/**
 * A reply's links of some relation: address and parameters of each.
 * @param {Response} reply
 * @param {string} relation
 * @returns {Array<{address: string, parameters: Record<string, string>}>}
 */
function links(reply, relation) {
  const all = (reply.headers.get('Link') ?? '').split(/,\s*(?=<)/);
  return all.filter((link) => link.includes(`rel="${relation}"`)).map((link) => ({
    address: link.match(/<([^>]+)>/)?.[1] ?? '',
    parameters: Object.fromEntries([...link.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
  }));
}

/**
 * A connection that is not open yet, with the ICE servers that its endpoint names.
 * @param {string} endpoint of WHIP or WHEP
 */
export async function prepare(endpoint) {
  const reply = await request(endpoint, { method: 'OPTIONS' });
  const iceServers = links(reply, 'ice-server').map(({ address, parameters }) => ({
    urls: address,
    username: parameters.username,
    credential: parameters.credential,
  }));
  return new RTCPeerConnection({ iceServers });
}

/**
 * Offer and take the answer. The offer goes out at once, without waiting for candidates: the server needs none to
 * answer, and learns ours from the checks that reach it.
 * @param {RTCPeerConnection} connection
 * @param {string} endpoint of WHIP or WHEP
 * @returns {Promise<{resource: string, tag: string, watch: string | undefined}>} the address under which the server knows
 *   this connection, its ETag, and where to watch what is made of it, if that is a place of its own
 * @throws {Refused} with the server's sentence
 * @throws {TypeError} the server cannot be reached
 */
export async function negotiate(connection, endpoint) {
  await connection.setLocalDescription();
  const body = connection.localDescription?.sdp ?? '';
  const reply = await request(endpoint, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body });
  if (!reply.ok) throw new Refused(reply.status, await reply.text());
  const resource = reply.headers.get('Location') ?? '';
  await connection.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
  const tag = (reply.headers.get('ETag') ?? '').replaceAll('"', '');
  return { resource, tag, watch: links(reply, 'urn:head2head:whep')[0]?.address };
}

/**
 * Ask the server to have a connection's frames shown so many milliseconds after they come.
 * @param {string} resource
 * @param {number} ms
 */
export function holdBack(resource, ms) {
  const headers = { 'Content-Type': 'text/plain' };
  request(`${resource}/hold`, { method: 'PUT', headers, body: String(ms) }).catch(() => {});
}

/**
 * End a connection that the server still holds; works while the page goes.
 * @param {string} resource '' if there is none
 */
export function hangUp(resource) {
  if (resource) request(resource, { method: 'DELETE', keepalive: true }).catch(() => {});
}
