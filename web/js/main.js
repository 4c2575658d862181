import { Camera } from './camera.js';
import { Gallery } from './gallery.js';
import { LipSync } from './lipsync.js';
import { Status } from './status.js';
import { view } from './viewer.js';

const $ = (id) => document.getElementById(id);
const form = $('controls');
const STATES = { waiting: 'No frame yet', calibrating: 'Calibrating', 'face lost': 'Face lost', closed: 'Ended' };

function note(words) {
  $('note').textContent = words;
  $('note').hidden = !words;
}

function badge(words) {
  $('badge').textContent = words;
  $('badge').hidden = !words;
}

let streamTrouble = '';
function showState(state) {
  $('state').textContent = state;
  $('state').dataset.state = state;
  badge(streamTrouble || STATES[state] || '');
}

function row(stage, [median, p95]) {
  const line = document.createElement('tr');
  for (const text of [stage, `${median.toFixed(1)} ms`, `${p95.toFixed(1)} ms`]) line.insertCell().textContent = text;
  return line;
}

function showFigures(figures) {
  if (figures.error) return note(figures.error);
  if (figures.ending) return stream.serverEnds();
  showState(figures.state);
  if (!figures.target) return; // the server is getting ready
  lips.soundAhead = figures.sound_ahead_ms;
  const parts = [`${figures.fps.toFixed(1)} fps`];
  if (figures.latency_ms !== null) parts.push(`${figures.latency_ms.toFixed(0)} ms camera to network`);
  parts.push(`${figures.frames.dropped} dropped`, `${figures.viewers} watching`);
  $('figures').textContent = parts.join(' · ');
  $('target').textContent = figures.target.title;
  $('provenance').textContent = figures.target.provenance;
  gallery.mark(figures.target.name);
  $('source').textContent = figures.source;
  $('stages').replaceChildren(...Object.entries(figures.ms).map(([stage, times]) => row(stage, times)));
  showSettings(figures.settings);
}

// Settings may have been changed on another page; what is being touched here stays.
function showSettings({ mode, relative, strength }) {
  if (form.contains(document.activeElement) && document.activeElement.type !== 'button') return;
  form.elements.mode.value = mode;
  form.elements.relative.value = String(relative);
  form.elements.strength.value = strength;
  $('strength-value').textContent = `${strength.toFixed(1)}×`;
}

async function showTiles(jpeg) {
  const picture = await createImageBitmap(jpeg);
  const side = picture.height;
  $('landmarks').getContext('2d').drawImage(picture, 0, 0, side, side, 0, 0, 192, 192);
  $('nmfc').getContext('2d').drawImage(picture, side, 0, side, side, 0, 0, 192, 192);
  picture.close();
}

const status = new Status(showFigures, showTiles, () => showState('offline'));
const gallery = new Gallery($('gallery'), (name) => { note(''); status.send({ target: name }); });
const lips = new LipSync($('video'));
const stream = view($('video'), lips, (words) => { streamTrouble = words; badge(words); });

form.addEventListener('input', ({ target }) => {
  if (target.name === 'mode') status.send({ mode: target.value });
  if (target.name === 'relative') status.send({ relative: target.value === 'true' });
  if (target.id === 'strength') {
    $('strength-value').textContent = `${Number(target.value).toFixed(1)}×`;
    status.send({ strength: Number(target.value) });
  }
});
form.addEventListener('submit', (event) => event.preventDefault());
$('recalibrate').addEventListener('click', () => status.send({ recalibrate: true }));

function showCamera(active) {
  $('camera').setAttribute('aria-pressed', String(active));
  $('camera').textContent = active ? 'Stop my camera' : 'Use my camera';
}
/** Watch a session; the main one without an address. */
function watch(endpoint = 'whep') {
  stream.turnTo(endpoint);
  status.turnTo(endpoint.replace(/whep$/, 'live'));
}
const camera = new Camera(() => { showCamera(false); watch(); note('The connection of your camera broke off.'); });
$('camera').addEventListener('click', async () => {
  note('');
  if (camera.active) {
    camera.stop();
    watch();
  } else {
    $('camera').disabled = true;
    await camera.start().then(watch, (error) => note(error.message));
    $('camera').disabled = false;
  }
  showCamera(camera.active);
});
addEventListener('pagehide', () => camera.stop());

$('sound').addEventListener('click', () => {
  $('video').muted = !$('video').muted; // a browser lets a page begin without sound only
  $('sound').setAttribute('aria-pressed', String(!$('video').muted));
  $('sound').textContent = $('video').muted ? 'Sound on' : 'Sound off';
});

$('fullscreen').addEventListener('click', () =>
  document.fullscreenElement ? document.exitFullscreen() : $('video').parentElement.requestFullscreen());

const KEYS = { r: 'recalibrate', c: 'camera', f: 'fullscreen', m: 'sound' };
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input[type=text]')) return;
  const id = KEYS[event.key.toLowerCase()];
  if (id) $(id).click();
});
