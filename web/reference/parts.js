// Small parts of the API reference: method badges, texts of the description, code.

import { copyButton } from "../elements/copy-button.js";
import { h } from "../lib/dom.js";
import { t } from "../lib/text.js";

/**
 * The colours of the methods.
 *
 * @type {Record<string, string>}
 */
const TONES = { GET: "good", POST: "accent", PUT: "warn", PATCH: "warn", DELETE: "bad" };

/** @param {string} method */
export const methodBadge = (method) => h(`span.badge.method.${TONES[method]}`, {}, method);

/**
 * A text of the description, which is in English, with its code between backticks.
 *
 * @param {string} text
 */
export function english(text) {
  const parts = text.split("`").map((part, at) => (at % 2 === 1 ? h("code", {}, part) : part));
  return h("span", { lang: "en" }, parts);
}

/**
 * The paragraphs of a text of the description.
 *
 * @param {string} text
 */
export const paragraphs = (text) => text.split("\n\n").map((paragraph) => h("p", {}, english(paragraph)));

/**
 * A path whose parameters stand out. Lines break after slashes.
 *
 * @param {string} path
 */
export function pathText(path) {
  const parts = path.split(/(\{\w+\}|\/)/).filter(Boolean);
  const part = (/** @type {string} */ text) => {
    if (text.startsWith("{")) return h("span.place", {}, text);
    return text === "/" ? [text, h("wbr", {})] : text;
  };
  return h("code.path", {}, parts.map(part));
}

/**
 * A block of code with a button that copies it. `label` names the block, `copies` the button.
 *
 * @param {HTMLElement} code
 * @param {string} label
 * @param {string} copies
 */
export function codeBlock(code, label, copies) {
  const block = h("pre", { tabindex: "0", role: "region", "aria-label": label }, code);
  const copy = copyButton(
    () => code.textContent ?? "",
    () => block,
    copies,
    true,
  );
  return h("div.code-block", {}, block, copy);
}

/** The most characters whose parts are coloured. */
const COLOURED_MAX = 60_000;
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\b\d[\d.eE+-]*/g;

/**
 * JSON with colours for names, texts and other values. Any other text stays as it is.
 *
 * @param {string} text
 */
export function jsonCode(text) {
  if (text.length > COLOURED_MAX) return h("code", {}, text);
  /** @type {Page.Child[]} */
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [token, string, colon] = found;
    parts.push(text.slice(end, found.index));
    if (colon !== undefined) parts.push(h("span.json-name", {}, string), colon);
    else parts.push(h(string === undefined ? "span.json-value" : "span.json-text", {}, token));
    end = found.index + token.length;
  }
  return h("code", {}, parts, text.slice(end));
}

/**
 * The permission that an operation needs, in words and code.
 *
 * @param {import("./description.js").Operation} operation
 */
export function needs({ permissions }) {
  const [first] = permissions;
  // reference.needs_open, .needs_none, .needs_session, .needs_key
  if (permissions.length === 1 && !first.includes(":")) return h("span", {}, t(`reference.needs_${first}`));
  const code = (/** @type {string} */ name) => h("code", {}, name);
  return h(
    "span",
    {},
    permissions.map((name, at) => [at > 0 ? ` ${t("reference.or")} ` : null, code(name)]),
  );
}
