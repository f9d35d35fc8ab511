// What the page keeps in the browser: colours, the language before sign-in, whether shortcuts of a single key are off,
// the last frame, templates of permissions by user id, and the users who hid the first steps. Never a secret.
// `early.js` reads the same names before the first paint.

/** @typedef {"theme" | "language" | "shortcuts" | "frame" | "templates" | "first_steps"} Name */

/**
 * A kept value, or `null`.
 *
 * @param {Name} name
 */
export function kept(name) {
  try {
    return localStorage.getItem(`keyhouse.${name}`);
  } catch {
    return null;
  }
}

/**
 * Keeps a value, or removes it with `null`.
 *
 * @param {Name} name
 * @param {string | null} value
 */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(`keyhouse.${name}`);
    else localStorage.setItem(`keyhouse.${name}`, value);
  } catch {
    // The browser blocks storage: the choice holds until the page is loaded again.
  }
}
