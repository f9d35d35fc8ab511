// The colours of style.css: contrast on every ground they are used on, in light and dark.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const FOLDER = "web/styles";
const TOKENS = await readFile("web/style.css", "utf8");
const PARTS = await Promise.all((await readdir(FOLDER)).map((name) => readFile(`${FOLDER}/${name}`, "utf8")));
const SCHEMES = ["light", "dark"];

/** Minimum contrast of text (WCAG 2.2, 1.4.3) and of the edges of controls (1.4.11). */
const TEXT = 4.5;
const EDGE = 3;

const GROUNDS = ["ground", "surface", "raised", "sunken"];
/** Which colour stands on which grounds. */
const PAIRS = [
  ["text", [...GROUNDS, "accent-soft", "good-soft", "warn-soft", "bad-soft"], TEXT],
  ["soft", [...GROUNDS, "warn-soft", "bad-soft"], TEXT],
  ["accent", [...GROUNDS, "accent-soft"], TEXT],
  ["good", [...GROUNDS, "good-soft"], TEXT],
  ["warn", [...GROUNDS, "warn-soft"], TEXT],
  ["bad", [...GROUNDS, "bad-soft"], TEXT],
  ["on-accent", ["accent"], TEXT],
  ["on-bad", ["bad"], TEXT],
  // An announcement: the page's colours exchanged.
  ["ground", ["text"], TEXT],
  ["edge", ["ground", "surface", "raised"], EDGE],
  ["violet", ["surface"], EDGE],
  ["teal", ["surface"], EDGE],
];

/** The two colours of a token. */
function colours(name) {
  const [, ...pair] =
    new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\);`).exec(TOKENS) ?? assert.fail(name);
  return pair;
}

/** The relative luminance of a colour (WCAG 2.2). */
function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("contrast is computed as by WCAG", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.equal(contrast("#777777", "#ffffff").toFixed(2), "4.48");
});

test("every colour has enough contrast on its grounds", () => {
  const faults = [];
  for (const [name, grounds, least] of PAIRS) {
    for (const ground of grounds) {
      for (const at of [0, 1]) {
        const found = contrast(colours(name)[at], colours(ground)[at]);
        if (found < least) faults.push(`${name} on ${ground}, ${SCHEMES[at]}: ${found.toFixed(2)} < ${least}`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test("every variable of the styles is defined in style.css and used", () => {
  const all = [TOKENS, ...PARTS].join("\n");
  const names = (pattern, text) => new Set([...text.matchAll(pattern)].map(([, name]) => name));
  const used = names(/var\((--[a-z-]+)/g, all);
  const defined = names(/^ +(--[a-z-]+):/gm, TOKENS);
  assert.deepEqual(
    [...used].filter((one) => !defined.has(one)),
    [],
  );
  assert.deepEqual(
    [...defined].filter((one) => !used.has(one)),
    [],
  );
});

test("colours are written only in style.css", () => {
  const lines = PARTS.flatMap((part) => part.split("\n"));
  const isColour = (line) => /:.*(#[0-9a-f]{3,8}\b|\b(rgb|hsl|oklch|light-dark)\()/.test(line);
  assert.deepEqual(lines.filter(isColour), []);
});
