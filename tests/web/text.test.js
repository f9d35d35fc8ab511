// Texts, numbers, dates and plurals in three languages.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load, useLanguage } from "./page-double.js";

const [text] = await load("lib/text.js");
const NOW = Date.parse("2026-03-10T12:00:00Z");

test("a plural form is chosen by count and language", async () => {
  for (const [language, count, expected] of [
    ["en", 0, "0 people"],
    ["en", 1, "1 person"],
    ["en", 1234, "1,234 people"],
    ["fr", 0, "0 personne"],
    ["fr", 2, "2 personnes"],
    ["fr", 1_000_000, "1 000 000 personnes"],
    ["es", 1, "1 persona"],
    ["es", 2, "2 personas"],
  ]) {
    await useLanguage(language);
    // French and Spanish separate thousands with spaces of their own.
    assert.equal(text.t("people.count", { count }).replaceAll(/\s/g, " "), expected, `${language} ${count}`);
  }
});

test("parameters are texts, numbers or nodes, and a missing one stays visible", async () => {
  await useLanguage("en");
  const node = { node: true };
  assert.deepEqual(text.parts("permission_words.both", { first: node, second: 1200 }), [node, "; ", "1,200"]);
  assert.equal(text.t("permission_words.both", { first: "a" }), "a; {second}");
});

test("a missing text is its key, or nothing where it is optional", async () => {
  await useLanguage("en");
  assert.equal(text.t("problems.no_such_code"), "problems.no_such_code");
  assert.equal(text.optionalText("problems.no_such_code"), undefined);
  assert.deepEqual(text.words("no.words"), []);
});

test("times are written relative to now in their largest unit", async () => {
  const seconds = (count) => new Date(NOW + count * 1000).toISOString();
  for (const [language, count, expected] of [
    ["en", 0, "now"],
    ["en", -59, "59 seconds ago"],
    ["en", -60, "1 minute ago"],
    ["en", -7199, "1 hour ago"],
    ["en", 86_400, "tomorrow"],
    ["en", 3 * 86_400, "in 3 days"],
    ["en", -40 * 86_400, "last month"],
    ["en", -800 * 86_400, "2 years ago"],
    ["fr", -3 * 3600, "il y a 3 heures"],
    ["es", 2 * 86_400, "pasado mañana"],
  ]) {
    await useLanguage(language);
    assert.equal(text.ago(seconds(count), { now: NOW }), expected, `${language} ${count}`);
  }
});

test("dates and lists are written in the language", async () => {
  const utc = { dateStyle: "medium", timeZone: "UTC" };
  for (const [language, date, list] of [
    ["en", "Mar 10, 2026", "a, b, and c"],
    ["fr", "10 mars 2026", "a, b et c"],
    ["es", "10 mar 2026", "a, b y c"],
  ]) {
    await useLanguage(language);
    assert.equal(text.formatDate(new Date(NOW), utc), date);
    assert.equal(text.formatDate(new Date(NOW).toISOString(), utc), date);
    assert.equal(text.formatList(["a", "b", "c"]), list);
  }
});

/** In an earlier version, all dates in English were American. */
test("dates follow the region of the browser, if it has the language", async () => {
  const utc = { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" };
  const evening = new Date("2026-12-05T19:58:00Z");
  for (const [languages, language, expected] of [
    [["en-GB", "en"], "en", "5 Dec 2026, 19:58"],
    [["de-DE", "en-AU"], "en", "5 Dec 2026, 7:58 pm"],
    [["en-GB"], "fr", "5 déc. 2026, 19:58"],
    [[], "en", "Dec 5, 2026, 7:58 PM"],
  ]) {
    Object.defineProperty(globalThis, "navigator", { value: { languages }, configurable: true });
    await useLanguage(language);
    assert.equal(text.formatDate(evening, utc).replaceAll(/\s/g, " "), expected, `${languages} ${language}`);
  }
  Object.defineProperty(globalThis, "navigator", { value: { languages: [] }, configurable: true });
});

test("search ignores case, accents and compatibility forms", () => {
  for (const [written, searched] of [
    ["Élodie", "elodie"],
    ["STRASSE", "straße"],
    ["ﬁle", "FILE"],
    ["Å", "a\u030a"],
  ]) {
    assert.equal(text.normalizedForSearch(written), text.normalizedForSearch(searched), written);
  }
  assert.notEqual(text.normalizedForSearch("a"), text.normalizedForSearch("b"));
});

test("names are ordered by language, with numbers by value", async () => {
  await useLanguage("en");
  assert.deepEqual(["b", "key 10", "É", "key 9", "a"].sort(text.compareNames), ["a", "b", "É", "key 9", "key 10"]);
});
