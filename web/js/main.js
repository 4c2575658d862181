// Wires the page together, and says four times a second how things stand.

import { useToken, whenTokenWanted } from './access.js';
import { CameraCard } from './camera_and_microphone.js';
import { element, say } from './elements.js';
import { FrameClock } from './frame_clock.js';
import { Gallery } from './gallery.js';
import { prepareHelp, prepareKeys } from './help.js';
import { LipSync } from './lipsync.js';
import { ImageStream } from './mjpeg.js';
import { Recording } from './recording.js';
import { SettingsForm } from './settings.js';
import { Status } from './socket.js';
import { Stage } from './stage.js';
import { describe, isGood } from './state.js';
import { Viewer } from './viewer.js';

const SAY_MS = 250;
const SETTLED_MS = 1000; // a state that lasts as long is announced to screen readers
const NARROW = '(max-width: 699px)';

const video = element('video', HTMLVideoElement);
const clock = new FrameClock(video);
const lips = new LipSync(video);
const viewer = new Viewer(video, clock, new ImageStream(element('still', HTMLCanvasElement)), lips);
const stage = new Stage();
const status = new Status(showMessage, showTiles, () => watch());
const send = (/** @type {Record<string, unknown>} */ command) => {
  say(element('refusal', HTMLElement), status.send(command) ? '' : 'The server does not answer: nothing was changed.');
};
const gallery = new Gallery((name) => send({ target: name, ...SettingsForm.kept(name) }), (size) => send({ size }));
const settings = new SettingsForm(send);
const recording = new Recording(send);
const camera = new CameraCard(watch, (active) => stage.showSource(active));

/** @type {import('./messages.js').Figures | null} */
let figures = null;
let tokenWanted = false;
let openedAt = performance.now();
let announced = { word: '', since: 0 };

/** Watch a session; the main one without an endpoint. */
function watch(endpoint = 'whep') {
  openedAt = performance.now();
  viewer.turnTo(endpoint);
  status.turnTo(endpoint.replace(/whep$/, 'live'));
}

/** @param {import('./messages.js').Message} message */
function showMessage(message) {
  if ('error' in message) return say(element('refusal', HTMLElement), message.error);
  if ('ending' in message) return viewer.serverEnds();
  figures = message;
  viewer.serverReady = message.state !== 'getting ready';
  viewer.expectsFrames = message.fps > 0;
  lips.soundAhead = message.sound_ahead_ms;
  const viewing = message.role === 'viewer';
  const allowed = !viewing && message.settings !== null; // there are none while the server gets ready
  element('role', HTMLElement).hidden = !viewing;
  settings.allow(allowed);
  camera.allow(allowed);
  camera.shown(message.publisher, message.frames.skipped);
  if (message.target) gallery.show(message.target);
  recording.allow(allowed);
  recording.show(message.recording);
  camera.guide(message.state === 'calibrating' ? message.progress ?? 0 : null, isGood(message.match));
  if (message.settings) settings.show(message.settings, message.target?.name ?? '');
  if (message.target) showFigures(message);
  update();
}

/** @param {import('./messages.js').Figures} message */
function showFigures({ fps, latency_ms: latency, frames, viewers, source, ms }) {
  const parts = [`${fps.toFixed(1)} fps`];
  if (latency !== null) parts.push(`${latency.toFixed(0)} ms delay`);
  parts.push(`${frames.dropped} dropped`, `${viewers} watching`);
  say(element('figures', HTMLElement), viewer.note || parts.join(' · '));
  say(element('source', HTMLElement), source ?? '–');
  const rows = Object.entries(ms).map(([stage, [median, p95]]) => {
    const row = document.createElement('tr');
    for (const text of [stage, `${median.toFixed(1)} ms`, `${p95.toFixed(1)} ms`]) row.insertCell().textContent = text;
    return row;
  });
  element('stages', HTMLTableSectionElement).replaceChildren(...rows);
}

/** @param {Blob} jpeg landmarks and conditioning side by side */
async function showTiles(jpeg) {
  const image = await createImageBitmap(jpeg);
  const side = image.height;
  for (const [id, left] of /** @type {const} */ ([['landmarks', 0], ['source-landmarks', 0], ['nmfc', side]])) {
    const canvas = element(id, HTMLCanvasElement);
    canvas.getContext('2d')?.drawImage(image, left, 0, side, side, 0, 0, canvas.width, canvas.height);
  }
  image.close();
}

/** Say how things stand. */
function update() {
  const now = performance.now();
  const known = { tokenWanted, figures, openFor: now - openedAt, silentFor: status.age, frozenFor: viewer.age, trouble: viewer.trouble };
  const { word, tone, sentence, progress } = describe(known);
  const chip = element('state', HTMLElement);
  say(chip, word);
  chip.dataset.tone = tone;
  chip.dataset.state = word;
  stage.showFresh(tone === 'good' || word === 'calibrating' || word === 'face lost');
  stage.showPlain(viewer.plain);
  element('badge', HTMLElement).hidden = !sentence;
  say(element('badge-text', HTMLElement), sentence);
  const bar = element('progress', HTMLProgressElement);
  bar.hidden = progress === null;
  if (progress !== null) bar.value = progress;
  showMatch(word === 'calibrating' ? figures?.match : null);
  if (word !== announced.word) announced = { word, since: now };
  if (now - announced.since > SETTLED_MS) say(element('announcement', HTMLElement), sentence || word);
}

/** @param {import('./messages.js').Match | null | undefined} match of a look that is being calibrated */
function showMatch(match) {
  element('match', HTMLElement).hidden = !match;
  if (!match) return;
  say(element('match-words', HTMLElement), `${Math.round(100 * match.score)} % neutral`);
  element('match-bar', HTMLMeterElement).value = match.score;
}

const tokenForm = element('token-form', HTMLFormElement);
whenTokenWanted((wrong) => {
  tokenWanted = true;
  tokenForm.hidden = false;
  say(element('token-error', HTMLElement), wrong ? 'That is not the token. Try again.' : '');
  element('token', HTMLInputElement).focus();
});
tokenForm.addEventListener('submit', (event) => {
  event.preventDefault();
  if (!useToken(element('token', HTMLInputElement).value)) {
    say(element('token-error', HTMLElement), 'A token has plain letters, digits and signs only. Try again.');
    return;
  }
  tokenWanted = false;
  tokenForm.hidden = true;
  openedAt = performance.now();
  viewer.start();
  status.start();
});

document.addEventListener('visibilitychange', () => (openedAt = performance.now()));
// For a browser source, as in OBS: the image and nothing else.
if (new URLSearchParams(location.search).has('clean')) document.documentElement.classList.add('clean');
element('inside', HTMLDetailsElement).open = !matchMedia(NARROW).matches;
prepareHelp();
prepareKeys();
setInterval(update, SAY_MS);
status.start();
