// The token that a server open to others wants. It comes behind the # of the address, which no server sees or logs.

const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem('token', given);
  history.replaceState(null, '', location.pathname + location.search);
}
const token = sessionStorage.getItem('token');

/** Headers of a request, with the token if there is one. */
export const headers = (others = {}) => (token ? { ...others, Authorization: `Bearer ${token}` } : others);

const base64url = (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** Subprotocols of a WebSocket: it cannot be given headers. */
export const subprotocols = () => (token ? ['head2head', `token.${base64url(token)}`] : ['head2head']);
