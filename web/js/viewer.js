// Receives the stream by WHEP and reconnects when it breaks.

const RETRY_MS = [500, 1000, 2000, 4000];

/**
 * @param {HTMLVideoElement} video shows the stream
 * @param {(words: string) => void} say told why there is no picture; '' when there is one
 */
export function view(video, say) {
  let attempt = 0;
  let connection = null;
  let resource = null;

  async function connect() {
    connection?.close();
    const pc = (connection = new RTCPeerConnection());
    pc.addTransceiver('video', { direction: 'recvonly' });
    pc.ontrack = ({ streams, track }) => { video.srcObject = streams[0] ?? new MediaStream([track]); };
    pc.onconnectionstatechange = () => {
      if (pc !== connection) return;
      if (pc.connectionState === 'connected') { attempt = 0; say(''); }
      if (['failed', 'disconnected'].includes(pc.connectionState)) retry('The stream broke off; trying again.');
    };
    await pc.setLocalDescription();
    // Sent at once: the server needs none of our candidates to answer.
    const reply = await fetch('whep', { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
    if (!reply.ok) throw new Error(await reply.text());
    resource = reply.headers.get('Location');
    await pc.setRemoteDescription({ type: 'answer', sdp: await reply.text() });
  }

  function retry(words) {
    say(words);
    connection?.close();
    connection = null;
    setTimeout(start, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
  }

  function start() {
    connect().catch((error) => retry(error instanceof TypeError ? 'The server does not answer; trying again.' : error.message));
  }

  addEventListener('pagehide', () => {
    if (resource) fetch(resource, { method: 'DELETE', keepalive: true });
    connection?.close();
  });
  addEventListener('pageshow', (event) => { if (event.persisted) start(); });
  start();
}
