// The token that a server open to others wants. It comes behind the # of the address, which no server sees or logs.

import { session } from './storage.js';

const USABLE = /^[\x20-\x7e]+$/; // what a header can carry, and a token may be made of

/** The token in an address's fragment; '' without. Not by URLSearchParams, which turns + into a space. */
function fromFragment() {
  const given = location.hash.match(/[#&]token=([^&]*)/)?.[1] ?? '';
  try {
    return decodeURIComponent(given);
  } catch {
    return given; // a % that encodes nothing is itself
  }
}

const given = fromFragment();
if (USABLE.test(given)) session.set('token', given);
if (given) history.replaceState(null, '', location.pathname + location.search);
let token = session.get('token') ?? '';

/** @type {(wrong: boolean) => void} */
let tokenWanted = () => {};

/** @param {(wrong: boolean) => void} listener called when the server wants a token: none was shown, or a wrong one */
export const whenTokenWanted = (listener) => (tokenWanted = listener);

/**
 * @param {string} typed
 * @returns {boolean} whether it can be a token at all
 */
export function useToken(typed) {
  const value = typed.trim();
  if (!USABLE.test(value)) return false;
  token = value;
  session.set('token', value);
  return true;
}

/**
 * Fetch from the server, with the token if there is one.
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} init
 */
export async function request(path, init = {}) {
  const shown = token;
  const headers = shown ? { ...init.headers, Authorization: `Bearer ${shown}` } : init.headers;
  const reply = await fetch(path, { ...init, headers });
  if (reply.status === 401 && shown === token) tokenWanted(shown !== '');
  return reply;
}

/** Subprotocols of a WebSocket: it cannot be given headers, and admits few characters in these. */
export const subprotocols = () => (token ? ['head2head', `token.${base64url(token)}`] : ['head2head']);

/** @param {string} ascii */
const base64url = (ascii) => btoa(ascii).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
