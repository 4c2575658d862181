// Elements of the page by their id.

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type what it must be, e.g. HTMLButtonElement
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`#${id} is missing or of another kind`);
  return found;
}

/**
 * Show words, or hide the element where there are none. Words that are there already are left alone: screen readers
 * read an element anew whenever it changes.
 * @param {HTMLElement} target
 * @param {string} words
 */
export function say(target, words) {
  if (target.textContent !== words) target.textContent = words;
  target.hidden = !words;
}

/**
 * Set what a toggle says about itself.
 * @param {HTMLButtonElement} button
 * @param {boolean} pressed
 */
export const press = (button, pressed) => button.setAttribute('aria-pressed', String(pressed));
