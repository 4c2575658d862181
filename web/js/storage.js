// What this browser keeps of the user's choices. Where it keeps nothing (private windows), choices last as long as the page.

/** @param {'localStorage' | 'sessionStorage'} kind */
function store(kind) {
  /** @type {Map<string, string>} */
  const here = new Map();
  return {
    /**
     * @param {string} key
     * @returns {string | null}
     */
    get(key) {
      try {
        return window[kind].getItem(key);
      } catch {
        return here.get(key) ?? null;
      }
    },
    /**
     * @param {string} key
     * @param {string} value
     */
    set(key, value) {
      try {
        window[kind].setItem(key, value);
      } catch {
        here.set(key, value);
      }
    },
  };
}

export const choices = store('localStorage');
export const session = store('sessionStorage');
