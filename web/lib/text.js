// Texts by key, and numbers, dates, lists and plurals in the user's language. No other file contains texts that
// users read.

import { file } from "./api.js";

/** The languages of the page, each with its name in that language. */
export const LANGUAGES = { en: "English", fr: "Français", es: "Español" };

/** @type {Record<string, any>} */
let texts = {};
/** @type {Page.Language} */
let language = "en";
/** The language with the region of the browser: `en-GB` writes dates in another order than `en`. */
let region = "en";
let plurals = new Intl.PluralRules("en");

/**
 * Parts of the texts that only some views need, such as `overview` in `locales/overview-en.json`. The first view loads
 * none, so that it stays small.
 *
 * @type {Set<string>}
 */
const loadedParts = new Set();

/**
 * Loads a language, with the parts that were loaded before, and `part`. Texts that are already on the page do not
 * change.
 *
 * @param {string} name
 * @param {string} [part]
 */
export async function setLanguage(name, part) {
  if (part) loadedParts.add(part);
  const files = [name, ...[...loadedParts].map((part) => `${part}-${name}`)];
  texts = Object.assign({}, ...(await Promise.all(files.map((name) => file(`locales/${name}`)))));
  language = /** @type {Page.Language} */ (name);
  region = browserLanguages().find((tag) => languageOf(tag) === name) ?? name;
  plurals = new Intl.PluralRules(name);
  document.documentElement.lang = name;
}

/**
 * Loads a part of the texts, once. A view that needs it does so before it draws.
 *
 * @param {string} part
 */
export async function loadTexts(part) {
  if (loadedParts.has(part)) return;
  const name = language;
  const loaded = await file(`locales/${part}-${name}`);
  // Meanwhile the user has chosen another language.
  if (name !== language) return loadTexts(part);
  texts = { ...texts, ...loaded };
  loadedParts.add(part);
}

/** `en`, `fr` or `es`. */
export const currentLanguage = () => language;

/** The first of the browser's languages that the page supports. */
export function preferredLanguage() {
  return (
    browserLanguages()
      .map(languageOf)
      .find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en"
  );
}

const browserLanguages = () => globalThis.navigator?.languages ?? [];
const languageOf = (/** @type {string} */ tag) => tag.split("-")[0].toLowerCase();

/**
 * The text with this key (`"keys.title"`), with `{name}` replaced by the parameter of that name.
 * Numbers are written in the language; a text with plural forms (`{"one": ..., "other": ...}`)
 * chooses by `count`.
 *
 * @param {string} key
 * @param {Record<string, any>} [parameters]
 */
export function t(key, parameters = {}) {
  return parts(key, parameters).join("");
}

/**
 * The text as a list of texts and nodes. Parameters may be nodes, such as a link.
 *
 * @param {string} key
 * @param {Record<string, any>} [parameters]
 * @returns {(string | Node)[]}
 */
export function parts(key, parameters = {}) {
  const text = pick(find(key), parameters.count);
  if (text === undefined) return [key];
  return text
    .split(/(\{[a-z_]+\})/)
    .filter((part) => part !== "")
    .map((part) => (part.startsWith("{") ? written(parameters[part.slice(1, -1)], part) : part));
}

/**
 * The text with this key, or `undefined`: for codes that a newer API may add.
 *
 * @param {string} key
 * @param {Record<string, any>} [parameters]
 */
export const optionalText = (key, parameters) => (find(key) === undefined ? undefined : t(key, parameters));

/**
 * @param {string} key
 * @returns {string[]}
 */
export const words = (key) => find(key) ?? [];

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export const number = (value, options) => new Intl.NumberFormat(region, options).format(value);

/**
 * Date and time to the minute, in the user's time zone.
 *
 * @param {string} iso
 */
export const moment = (iso) =>
  new Intl.DateTimeFormat(region, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

/**
 * Date and time with seconds and time zone, for tooltips and audit events.
 *
 * @param {string} iso
 */
export const exactMoment = (iso) =>
  new Intl.DateTimeFormat(region, { dateStyle: "full", timeStyle: "long" }).format(new Date(iso));

/**
 * A date in the user's time zone.
 *
 * @param {string | number} iso
 */
export const day = (iso) => new Intl.DateTimeFormat(region, { dateStyle: "medium" }).format(new Date(iso));

/**
 * @param {string | Date} date
 * @param {Intl.DateTimeFormatOptions} options
 */
export const formatDate = (date, options) => new Intl.DateTimeFormat(region, options).format(new Date(date));

/**
 * `a, b and c`.
 *
 * @param {string[]} items
 */
export const formatList = (items) => new Intl.ListFormat(region, { type: "conjunction" }).format(items);

/**
 * `3 hours ago`, `in 2 days`; with the style `narrow`, `3h ago`.
 *
 * @param {string} iso
 * @param {{now?: number, style?: Intl.RelativeTimeFormatStyle}} [options]
 */
export function ago(iso, { now = Date.now(), style = "long" } = {}) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(region, { numeric: "auto", style });
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const steps = [
    ["year", 31557600],
    ["month", 2629800],
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const step = steps.find(([, size]) => Math.abs(seconds) >= size);
  return step ? format.format(Math.trunc(seconds / step[1]), step[0]) : format.format(Math.trunc(seconds), "second");
}

/** The user's time zone, and all time zones, by their IANA names. */
export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const allZones = () => Intl.supportedValuesOf("timeZone");

/**
 * A text normalized for search as on the server: without case, marks and compatibility forms.
 *
 * @param {string} text
 */
export const normalizedForSearch = (text) =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");

/**
 * Compares names in the order of the current language.
 *
 * @param {string} one
 * @param {string} other
 */
export const compareNames = (one, other) => one.localeCompare(other, language, { numeric: true });

/**
 * @param {string} key
 * @returns {any}
 */
function find(key) {
  return key.split(".").reduce((/** @type {any} */ at, name) => at?.[name], texts);
}

/**
 * @param {string | Record<string, string> | undefined} text
 * @param {number | undefined} count
 */
function pick(text, count) {
  if (text === undefined || typeof text === "string") return text;
  return text[plurals.select(count ?? 0)] ?? text.other;
}

/**
 * @param {any} value
 * @param {string} place
 */
function written(value, place) {
  if (value === undefined) return place;
  return typeof value === "number" ? number(value) : value;
}
