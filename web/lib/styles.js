// Style sheets that only some views need. They are loaded with these views, so that the first view stays small.

import { late } from "./api.js";
import { h } from "./dom.js";

/** @type {Map<string, Promise<unknown>>} */
const sheets = new Map();

/**
 * Loads a style sheet of the folder `styles`, once. A failure is thrown as a `Problem`, and the next call tries again.
 *
 * @param {string} name
 */
export async function loadStyles(name) {
  const loading = sheets.get(name) ?? late(() => linked(name));
  sheets.set(name, loading);
  try {
    await loading;
  } catch (problem) {
    sheets.delete(name);
    throw problem;
  }
}

/** @param {string} name */
function linked(name) {
  return new Promise((resolve, reject) => {
    const onerror = () => {
      link.remove();
      reject(new Error(name));
    };
    const { href } = new URL(`../styles/${name}.css`, import.meta.url);
    const link = h("link", { rel: "stylesheet", href, onload: resolve, onerror });
    document.head.append(link);
  });
}
