// What the page says of the stream, from all that it knows. "Live" only while the video element itself shows new frames.

import { SILENCE_MS } from './socket.js';

const FROZEN_MS = 1500; // without a new frame; a source of one frame a second still counts as moving
const PATIENCE_MS = 3000; // before a first image is missed
const BUSY_MS = 15_000; // that a server may be silent while it compiles

/** @type {Record<string, string>} */
const SENTENCES = {
  'getting ready': 'Getting ready.',
  waiting: 'Waiting for a camera.',
  calibrating: 'Look ahead with a relaxed face.',
  'face lost': 'No face in sight.',
  stalled: 'No frames from the camera.',
  'camera paused': 'The camera is paused. It goes on by itself.',
  'camera gone': 'The camera is gone. It is tried again every second.',
  closed: 'The session has ended.',
};
const BAD = new Set(['face lost', 'stalled', 'camera gone', 'closed']);
const MAKES_FRAMES = new Set(['live', 'calibrating', 'face lost']);

/** @typedef {import('./messages.js').Match} Match */

const GOOD_MATCH = 0.8;

/**
 * Whether a look is near enough to rest.
 * @param {Match | null | undefined} match
 */
export const isGood = (match) => (match?.score ?? 0) >= GOOD_MATCH;

/**
 * What to change to look neutral.
 * @param {Match | null | undefined} match
 */
function advice(match) {
  if (!match) return SENTENCES.calibrating;
  if (isGood(match)) return 'Good. Hold it.';
  return match.head < match.expression ? 'Look straight at the camera.' : 'Relax your face, close your mouth.';
}

/**
 * @typedef {object} Knowledge
 * @property {boolean} tokenWanted
 * @property {number} openFor ms since the page began to watch
 * @property {number} silentFor ms since the server last said something
 * @property {import('./messages.js').Figures | null} figures the last
 * @property {number} frozenFor ms since a frame was shown
 * @property {string} trouble why there is no image; '' if not known
 */

/**
 * @typedef {object} Description
 * @property {string} word for the chip
 * @property {'good' | 'wait' | 'bad'} tone
 * @property {string} sentence over the image; '' for none
 * @property {number | null} progress 0 to 1
 */

/**
 * @param {Knowledge} known
 * @returns {Description}
 */
export function describe({ tokenWanted, openFor, silentFor, figures, frozenFor, trouble }) {
  /** @type {(word: string, tone: Description['tone'], sentence: string) => Description} */
  const plain = (word, tone, sentence) => ({ word, tone, sentence, progress: null });
  if (tokenWanted) return plain('locked', 'wait', 'This server wants a token.');
  if (silentFor > (figures?.state === 'getting ready' ? BUSY_MS : SILENCE_MS)) {
    if (openFor < PATIENCE_MS) return plain('connecting', 'wait', '');
    return plain('not answering', 'bad', 'The server does not answer; trying again.');
  }
  if (!figures) return plain('connecting', 'wait', '');
  const { state, detail, progress } = figures;
  if (MAKES_FRAMES.has(state) && frozenFor > FROZEN_MS) {
    if (openFor < PATIENCE_MS) return plain('connecting', 'wait', '');
    return plain('no image', 'bad', trouble || 'No image arrives; trying again.');
  }
  const tone = state === 'live' ? 'good' : BAD.has(state) ? 'bad' : 'wait';
  const usual = state === 'calibrating' ? advice(figures.match) : SENTENCES[state];
  return { word: state, tone, sentence: detail || usual || '', progress: progress ?? null };
}
