// Keyboard shortcuts. Those of a single key can be turned off (WCAG 2.1.4); the sheet that lists them is loaded late.

import { late } from "../lib/api.js";
import { kept } from "../lib/kept.js";
import { orAnnounce } from "../lib/messages.js";
import { createsKeys, session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { placeOf } from "./places.js";

/** After `g`, the letter of a place. */
export const LETTERS = {
  h: "overview",
  k: "keys",
  t: "teams",
  p: "people",
  r: "roles",
  u: "usage",
  a: "audit",
  o: "organization",
};
/** The second key must follow soon. */
const SECOND_MS = 1500;

let isWaiting = false;
/** Whether the palette or the sheet is being loaded. Keys typed meanwhile are meant for it. */
let isOpening = false;
/** @type {ReturnType<typeof setTimeout>} */
let timer;

/** Opens the command palette. */
export async function openPalette() {
  await orAnnounce(async () => {
    const { palette } = await opening(() => import("./palette.js"));
    const creates = session.organization.api_access && createsKeys();
    await palette([
      ...(creates ? [{ icon: "plus", text: t("keys.new"), href: "#/keys/new" }] : []),
      { icon: "keyboard", text: t("shortcuts.title"), act: openShortcuts },
    ]);
  });
}

/** Opens the sheet with all shortcuts. */
export const openShortcuts = () =>
  orAnnounce(async () => (await opening(() => import("./shortcut-sheet.js"))).shortcutSheet());

/**
 * Imports a module, with its style sheet if it has one, and follows no shortcut until they are there.
 *
 * @template T
 * @param {() => Promise<T & {styled?: () => Promise<void>}>} module
 * @returns {Promise<T>}
 */
async function opening(module) {
  isOpening = true;
  try {
    const loaded = await late(module);
    await loaded.styled?.();
    return loaded;
  } finally {
    isOpening = false;
  }
}

/** @param {KeyboardEvent} event */
function follow(event) {
  if (!session || document.body.matches(".alone") || document.querySelector("dialog[open]")) return;
  const { key } = event;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "k") {
    event.preventDefault();
    if (!isOpening && !event.repeat) openPalette();
    return;
  }
  const isTyping = /** @type {Element} */ (event.target).matches?.("input, select, textarea, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || kept("shortcuts") === "off") return;
  if (isOpening || event.repeat || event.isComposing) return;
  if (isWaiting) {
    isWaiting = false;
    const place = placeOf(/** @type {Record<string, string>} */ (LETTERS)[key] ?? "");
    if (place) location.hash = `#/${place.hash}`;
    return;
  }
  /** @type {Record<string, () => unknown>} */
  const acts = {
    "/": openPalette,
    "?": openShortcuts,
    g: () => {
      isWaiting = true;
      clearTimeout(timer);
      timer = setTimeout(() => (isWaiting = false), SECOND_MS);
    },
  };
  const act = acts[key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** Begins to follow the keyboard, once for the page. */
export const followShortcuts = () => document.addEventListener("keydown", follow);
