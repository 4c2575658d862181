// Receives the stream by WHEP and reconnects when it breaks.

import { hangUp, negotiate, prepare } from './exchange.js';

const RETRY_MS = [500, 1000, 2000, 4000];

/** Ask for H.264 first: at the same rate it is the sharper of the two, and the cheaper to decode. */
function preferH264(transceiver) {
  const { codecs } = RTCRtpReceiver.getCapabilities('video');
  const rank = ({ mimeType }) => (mimeType === 'video/H264' ? 0 : 1);
  transceiver.setCodecPreferences?.([...codecs].sort((a, b) => rank(a) - rank(b)));
}

/**
 * @param {HTMLVideoElement} video shows the stream
 * @param {LipSync} lips looks after its sound
 * @param {(words: string) => void} say told why there is no picture; '' when there is one
 * @returns {{serverEnds: () => void, turnTo: (endpoint: string) => void}} to be called when the server says that it
 *   ends, and to watch another session
 */
export function view(video, lips, say) {
  let endpoint = 'whep';
  let attempt = 0;
  let connection = null;
  let resource = null;
  let waiting = null;

  async function connect() {
    connection?.close();
    const pc = (connection = await prepare(endpoint));
    const [pictures, sound] = ['video', 'audio'].map((kind) => pc.addTransceiver(kind, { direction: 'recvonly' }));
    preferH264(pictures);
    pc.ontrack = ({ streams, track }) => {
      const stream = streams[0] ?? video.srcObject ?? new MediaStream();
      if (!streams[0]) stream.addTrack(track);
      if (video.srcObject !== stream) video.srcObject = stream;
    };
    pc.onconnectionstatechange = () => {
      if (pc !== connection) return;
      if (pc.connectionState === 'connected') { attempt = 0; say(''); }
      if (['failed', 'disconnected'].includes(pc.connectionState)) retry('The stream broke off; trying again.');
    };
    ({ resource } = await negotiate(pc, endpoint));
    lips.follow(resource, sound.receiver);
  }

  function retry(words) {
    say(words);
    connection?.close();
    connection = null;
    clearTimeout(waiting);
    waiting = setTimeout(start, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
  }

  function start() {
    connect().catch((error) => retry(error instanceof TypeError ? 'The server does not answer; trying again.' : error.message));
  }

  addEventListener('pagehide', () => {
    hangUp(resource);
    connection?.close();
  });
  addEventListener('pageshow', (event) => { if (event.persisted) start(); });
  start();
  return {
    serverEnds: () => retry('The server was stopped; trying again.'),
    turnTo(another) {
      if (another === endpoint) return;
      endpoint = another;
      hangUp(resource);
      attempt = 0;
      retry('');
    },
  };
}
