// Gives a text to the browser as a file to save.

import { h } from "./dom.js";

/** The browser reads the file after the click. */
const RELEASE_MS = 60_000;

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function saveFile(name, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), RELEASE_MS);
}
