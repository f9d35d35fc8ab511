// Every text key in the scripts exists in `web/locales`, and every key there is used.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "espree";

/** Functions whose first argument is the key of a text. */
const TAKE_KEYS = ["t", "parts", "optionalText", "words"];

/** Sections with a text for each value of a member of the API. No other section may be the whole beginning of a key. */
const SECTIONS_OF_VALUES = (
  "codes event_fields events faults features limits notices password_reasons problems roles_builtin sessions status " +
  "subscription"
).split(" ");

/** The keys of all texts. The forms of a plural are one text. */
function keysIn(texts, prefix = "") {
  if (typeof texts === "string" || Array.isArray(texts) || texts.other) return [prefix];
  return Object.entries(texts).flatMap(([name, inner]) => keysIn(inner, prefix ? `${prefix}.${name}` : name));
}

/** Calls `visit(node, parent)` for a node of a syntax tree and all nodes in it. */
function walk(node, visit, parent = null) {
  if (typeof node?.type !== "string") return;
  visit(node, parent);
  for (const child of Object.values(node).flat()) walk(child, visit, node);
}

/**
 * The texts of a script that may be keys: `{text, isBeginning, isKey}`. The part of a template before its first
 * parameter is the beginning of keys; `isKey` is whether the text is the argument of a function that takes keys.
 */
function textsIn(code) {
  const found = [];
  walk(parse(code, { ecmaVersion: "latest", sourceType: "module" }), (node, parent) => {
    const isKey =
      parent?.type === "CallExpression" && TAKE_KEYS.includes(parent.callee.name) && parent.arguments[0] === node;
    if (node.type === "Literal" && typeof node.value === "string") {
      found.push({ text: node.value, isBeginning: false, isKey });
    } else if (node.type === "TemplateLiteral") {
      found.push({ text: node.quasis[0].value.cooked, isBeginning: node.expressions.length > 0, isKey });
    }
  });
  return found;
}

/** The faults of one script, and the keys and the beginnings of keys in it. */
function keysOf(code, known) {
  const sections = new Set([...known].map((key) => key.split(".")[0]));
  const [faults, used, beginnings] = [[], [], []];
  for (const { text, isBeginning, isKey } of textsIn(code)) {
    if (!text.includes(".") || text.includes(" ") || !sections.has(text.split(".")[0])) continue;
    if (isBeginning) {
      beginnings.push(text);
      const [section, rest] = text.split(".");
      if (rest === "" && !SECTIONS_OF_VALUES.includes(section)) faults.push(`any text may begin with ${text}`);
      if (![...known].some((key) => key.startsWith(text))) faults.push(`no text begins with ${text}`);
    } else if (known.has(text)) used.push(text);
    else if (isKey) faults.push(`there is no text ${text}`);
  }
  return { faults, used, beginnings };
}

test("every used key exists and every key is used", () => {
  const parts = readdirSync("web/locales").filter((name) => /^(.*-)?en\.json$/.test(name));
  const known = new Set(parts.flatMap((name) => keysIn(JSON.parse(readFileSync(`web/locales/${name}`, "utf8")))));
  const [faults, used, beginnings] = [[], new Set(), []];
  for (const name of readdirSync("web", { recursive: true }).filter((one) => one.endsWith(".js"))) {
    const keys = keysOf(readFileSync(`web/${name}`, "utf8"), known);
    faults.push(...keys.faults.map((fault) => `web/${name}: ${fault}`));
    keys.used.forEach((key) => used.add(key));
    beginnings.push(...keys.beginnings);
  }
  const isUsed = (key) => used.has(key) || beginnings.some((beginning) => key.startsWith(beginning));
  assert.deepEqual([...faults, ...[...known].filter((key) => !isUsed(key)).map((key) => `unused: ${key}`)], []);
});

test("a missing key is reported, whole or built from parts", () => {
  const known = new Set(["keys.title", "status.active", "status.expired"]);
  const of = (code) => keysOf(code, known);
  assert.deepEqual(of('t("keys.titel")').faults, ["there is no text keys.titel"]);
  assert.deepEqual(of("t(`state.${one}`)"), { faults: [], used: [], beginnings: [] });
  assert.deepEqual(of("t(`status.no_${one}`)").faults, ["no text begins with status.no_"]);
  assert.deepEqual(of("t(`status.${one}`)"), { faults: [], used: [], beginnings: ["status."] });
  assert.deepEqual(of("t(`keys.${one}`)").faults, ["any text may begin with keys."]);
  assert.deepEqual(of('const key = "keys.title"; // "status.active"').used, ["keys.title"]);
});
