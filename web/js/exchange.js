// WHIP and WHEP from the client's side: an offer out, an answer and the connection's own address in.

import { headers } from './access.js';

/** A reply's links of some relation: address and parameters of each. */
function links(reply, relation) {
  const all = (reply.headers.get('Link') ?? '').split(/,\s*(?=<)/).filter((link) => link.includes(`rel="${relation}"`));
  return all.map((link) => ({ address: link.match(/<([^>]+)>/)[1], ...Object.fromEntries([...link.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value])) }));
}

/** ICE servers that an endpoint names. */
async function iceServers(endpoint) {
  const reply = await fetch(endpoint, { method: 'OPTIONS', headers: headers() });
  return links(reply, 'ice-server').map(({ address, username, credential }) => ({ urls: address, username, credential }));
}

/** A connection that is not open yet. */
export const prepare = async (endpoint) => new RTCPeerConnection({ iceServers: await iceServers(endpoint) });

/**
 * Offer and take the answer. The offer goes out at once, without waiting for candidates: the server needs none to
 * answer, and learns ours from the checks that reach it.
 * @param {RTCPeerConnection} pc
 * @param {string} endpoint of WHIP or WHEP
 * @returns {Promise<{resource: string, watch: string|undefined}>} the address under which the server knows this
 *   connection, and where to watch what is made of it, if that is a place of its own
 */
export async function negotiate(pc, endpoint) {
  await pc.setLocalDescription();
  const reply = await fetch(endpoint, { method: 'POST', headers: headers({ 'Content-Type': 'application/sdp' }), body: pc.localDescription.sdp });
  if (!reply.ok) throw new Error(await reply.text());
  await pc.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
  return { resource: reply.headers.get('Location'), watch: links(reply, 'urn:head2head:whep')[0]?.address };
}

/** Ask the server to have a connection's pictures shown so many milliseconds after they come. */
export function holdBack(resource, ms) {
  fetch(`${resource}/hold`, { method: 'PUT', headers: headers({ 'Content-Type': 'text/plain' }), body: String(ms) }).catch(() => {});
}

/** End a connection that the server still holds; works while the page goes. */
export function hangUp(resource) {
  if (resource) fetch(resource, { method: 'DELETE', headers: headers(), keepalive: true });
}
