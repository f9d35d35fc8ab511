// Says things in the person's language: texts by key, numbers, dates, lists, plurals. No other file
// holds a word that people read.

import { locale } from "./api.js";

/** The languages of the page, each by its own name. */
export const LANGUAGES = { en: "English", fr: "Français", es: "Español" };

let texts = {};
let language = "en";
let plurals = new Intl.PluralRules("en");

/** From now on speaks this language. Texts that stand on the page already stay as they are. */
export async function speak(name) {
  texts = await locale(name);
  language = name;
  plurals = new Intl.PluralRules(name);
  document.documentElement.lang = name;
}

/** The language spoken: `en`, `fr` or `es`. */
export const spoken = () => language;

/** The first language the browser asks for that the page speaks. */
export function preferred() {
  const wanted = navigator.languages.map((tag) => tag.split("-")[0].toLowerCase());
  return wanted.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/**
 * The text with this key (`"keys.title"`), with `{name}` replaced by the parameter of that name.
 * Numbers are written in the language; a text with plural forms (`{"one": ..., "other": ...}`)
 * chooses by `count`.
 */
export function t(key, parameters = {}) {
  return parts(key, parameters).join("");
}

/** The same as a list of texts and nodes, where parameters may be nodes, such as a link. */
export function parts(key, parameters = {}) {
  const text = pick(find(key), parameters.count);
  if (text === undefined) return [key];
  return text
    .split(/(\{[a-z_]+\})/)
    .filter((part) => part !== "")
    .map((part) => (part.startsWith("{") ? written(parameters[part.slice(1, -1)], part) : part));
}

/** The text with this key, or `undefined` where there is none: for codes that the API may add. */
export const known = (key, parameters) => (find(key) === undefined ? undefined : t(key, parameters));

/** The list of words with this key. */
export const words = (key) => find(key) ?? [];

export const number = (value, options) => new Intl.NumberFormat(language, options).format(value);

/** A moment, to the minute, in the person's time zone. */
export const moment = (iso) =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

/** A moment with seconds and zone, for whoever wants to know exactly. */
export const exactly = (iso) =>
  new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" }).format(new Date(iso));

/** A day, in the person's time zone. */
export const day = (iso) => new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(new Date(iso));

/** Formats a date with the parts of one's choice. */
export const dated = (date, options) => new Intl.DateTimeFormat(language, options).format(date);

/** `a, b and c`. */
export const listed = (items) => new Intl.ListFormat(language, { type: "conjunction" }).format(items);

/** `3 hours ago`, `in 2 days`. */
export function ago(iso, now = Date.now()) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
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

/** The person's time zone, and all that there are, by the names of the IANA database. */
export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
export const allZones = () => Intl.supportedValuesOf("timeZone");

/** A text as it is searched: without case, marks and compatibility forms, as the API searches. */
export const searched = (text) =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");

/** Orders names as people of this language do. */
export const inOrder = (one, other) => one.localeCompare(other, language, { numeric: true });

function find(key) {
  return key.split(".").reduce((at, name) => at?.[name], texts);
}

function pick(text, count) {
  if (text === undefined || typeof text === "string") return text;
  return text[plurals.select(count ?? 0)] ?? text.other;
}

function written(value, place) {
  if (value === undefined) return place;
  return typeof value === "number" ? number(value) : value;
}
