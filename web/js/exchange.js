// WHIP and WHEP from the client's side: an offer out, an answer and the connection's own address in.

import { headers } from './access.js';

/** ICE servers that an endpoint names in its Link headers. */
async function iceServers(endpoint) {
  const reply = await fetch(endpoint, { method: 'OPTIONS', headers: headers() });
  return (reply.headers.get('Link') ?? '').split(/,\s*(?=<)/).filter((link) => link.includes('rel="ice-server"')).map((link) => ({
    urls: link.match(/<([^>]+)>/)[1],
    username: link.match(/username="([^"]*)"/)?.[1],
    credential: link.match(/credential="([^"]*)"/)?.[1],
  }));
}

/** The address in a Link header of some relation, if there is one. */
const linked = (header, relation) => (header ?? '').split(/,\s*(?=<)/).find((link) => link.includes(`rel="${relation}"`))?.match(/<([^>]+)>/)[1];

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
  return { resource: reply.headers.get('Location'), watch: linked(reply.headers.get('Link'), 'urn:head2head:whep') };
}

/** End a connection that the server still holds; works while the page goes. */
export function hangUp(resource) {
  if (resource) fetch(resource, { method: 'DELETE', headers: headers(), keepalive: true });
}
