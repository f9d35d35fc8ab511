// A circle with the initials of a person.

import { h } from "../lib/dom.js";

const HUES = 6;

/**
 * The initials of a name: of its first and its last word. An email has one word.
 *
 * @param {string} name
 */
function initials(name) {
  const words = name
    .split("@")[0]
    .split(/[\s._-]+/)
    .filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined];
  return letters
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toUpperCase();
}

/**
 * The circle. Its letters are drawn by the style, so that they are no text: the name is beside it.
 *
 * @param {string} name
 */
export function avatar(name) {
  const hue = [...name].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0) % HUES;
  return h(`span.avatar.hue-${hue}`, { "data-initials": initials(name) });
}
