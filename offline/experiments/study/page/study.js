// One question after the other; the rater's token lies in the browser, so that a reload goes on.
const RATED = 'On a scale of 1-5, how real does this video look?';
const COMPARED = 'Which video follows the movements of the person in the source better?';
const SCORES = [['1', 'not at all'], ['2', ''], ['3', ''], ['4', ''], ['5', 'real']];
const SIDES = [['Left', ''], ['Right', '']];
const KEY = 'rater';
const byId = (id) => document.getElementById(id);

async function ask(address, options) {
  const response = await fetch(address, options);
  const content = await response.json();
  if (!response.ok) throw Object.assign(new Error(content.error), { status: response.status });
  return content;
}

async function rater() {
  if (!localStorage.getItem(KEY)) localStorage.setItem(KEY, (await ask('api/raters', { method: 'POST' })).rater);
  return localStorage.getItem(KEY);
}

async function progress() {
  try {
    return await ask(`api/raters/${await rater()}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    localStorage.removeItem(KEY); // of another study
    return ask(`api/raters/${await rater()}`);
  }
}

async function give(item, answer) {
  for (const button of byId('answers').children) button.disabled = true;
  const body = JSON.stringify({ item, answer });
  try {
    return await ask(`api/raters/${await rater()}/answers`, { method: 'POST', body });
  } catch (error) {
    if (error.status !== 409) throw error;
    return progress(); // answered in another tab
  }
}

function video(address) {
  const element = document.createElement('video');
  Object.assign(element, { src: address, muted: true, loop: true, autoplay: true, playsInline: true });
  element.addEventListener('click', () => (element.paused ? element.play() : element.pause())); // controls would hide chins
  return element;
}

function button([label, meaning], number, item) {
  const element = document.createElement('button');
  element.type = 'button';
  element.textContent = label;
  if (meaning) element.setAttribute('aria-label', `${label}, ${meaning}`);
  element.addEventListener('click', () => attempt(async () => show(await give(item, number))));
  return element;
}

function show(state) {
  byId('welcome').hidden = true;
  byId('question').hidden = !state.next;
  byId('end').hidden = Boolean(state.next);
  byId('progress').textContent = `${state.answered} of ${state.of} answered`;
  byId('bar').value = state.answered / state.of;
  if (!state.next) return;
  const { item, source, clips } = state.next;
  byId('asked').textContent = source ? COMPARED : RATED;
  byId('source').hidden = !source;
  const shown = byId('source').querySelector('video');
  if (source) shown.src = source;
  else shown.removeAttribute('src');
  byId('clips').dataset.count = clips.length;
  byId('clips').replaceChildren(...clips.map(video));
  const labels = source ? SIDES : SCORES;
  byId('answers').replaceChildren(...labels.map((label, k) => button(label, k + 1, item)));
}

async function attempt(action) {
  byId('error').hidden = true;
  try {
    await action();
  } catch (error) {
    byId('error').textContent = `That did not work: ${error.message}. Reload the page to go on.`;
    byId('error').hidden = false;
  }
}

byId('begin').addEventListener('click', () => attempt(async () => show(await progress())));
if (localStorage.getItem(KEY)) attempt(async () => show(await progress()));
