// Every rule for the page's scripts and styles rejects a line that violates the rule.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ESLint } from "eslint";

import { readsLikeText } from "./page-rules.js";

const eslint = new ESLint({ overrideConfigFile: "tests/web/eslint.config.js" });
const CARD = 'import { h } from "../lib/dom.js";\nexport const card = ';

/** The ids of the rules that reject a file with this content. */
async function rejecting(code, filePath) {
  const [{ messages }] = await eslint.lintText(code, { filePath });
  return [...new Set(messages.map(({ ruleId, message }) => ruleId ?? message))];
}

const SYNTAX = "no-restricted-syntax";
/** A bad line of a view, and the rule that rejects it. */
const BAD = [
  ["export const f = (one) => (one.innerHTML = one.id);", SYNTAX],
  ["export const f = (one) => (one.outerHTML = one.id);", SYNTAX],
  ['export const f = (one) => (one["innerHTML"] = one.id);', SYNTAX],
  ['export const f = (one) => one.insertAdjacentHTML("beforeend", one.id);', SYNTAX],
  ["export const f = (range) => range.createContextualFragment(range.id);", SYNTAX],
  ["export const f = () => new DOMParser();", SYNTAX],
  ["export const f = (h, text) => h({ srcdoc: text });", SYNTAX],
  ["export const f = (text) => document.write(text);", SYNTAX],
  ["export const f = () => localStorage.clear();", SYNTAX],
  ["export const f = () => sessionStorage.clear();", SYNTAX],
  ['export const f = () => indexedDB.open("keys");', SYNTAX],
  ["export const f = () => document.cookie;", SYNTAX],
  ['export const address = "http://example.com";', SYNTAX],
  ["export const f = (host) => `https://${host}/`;", SYNTAX],
  [`${CARD}h("a", { href: "/openapi.json" });`, SYNTAX],
  ['export const f = () => location.replace("/");', SYNTAX],
  ['export const f = () => (location.href = "/");', SYNTAX],
  [`${CARD}h("p", { style: "color:red" });`, SYNTAX],
  ["export const f = (one) => (one.style.color = one.id);", SYNTAX],
  ['export const f = (one) => one.setAttribute("style", one.id);', SYNTAX],
  [`${CARD}h("p", { onclick: "go()" });`, SYNTAX],
  ['export const f = () => fetch("/v1/keys");', SYNTAX],
  ["export const f = () => window.fetch;", SYNTAX],
  ["export const f = () => new XMLHttpRequest();", SYNTAX],
  ['export const f = () => document.createElement("p");', SYNTAX],
  ["export const f = () => new Intl.PluralRules();", SYNTAX],
  ["export const f = (text) => eval(text);", "no-eval"],
  ["export const f = (text) => new Function(text);", "no-new-func"],
  ['export const f = () => setTimeout("go()", 1);', "no-implied-eval"],
  ["export const f = (one) => console.log(one);", "no-console"],
  ["debugger;", "no-debugger"],
  ["const unused = 1;", "no-unused-vars"],
  ["export const f = () => missing();", "no-undef"],
  ["export const f = (one, other) => one == other;", "eqeqeq"],
  ['export const text = "Try again";', "page/no-user-texts"],
  ["export const f = (name) => `No keys of ${name}`;", "page/no-user-texts"],
  [`export const f = 1; // ${"long ".repeat(24)}`, "max-len"],
  ["\n".repeat(400), "max-lines"],
];

test("a bad line is rejected by its rule alone", async () => {
  for (const [line, rule] of BAD) {
    assert.deepEqual(await rejecting(`// A view.\n${line}\n`, "web/views/example.js"), [rule], line);
  }
});

test("a comment cannot switch a rule off", async () => {
  const code = "// A view.\n// eslint-disable-next-line no-eval\nexport const f = (text) => eval(text);\n";
  assert.ok((await rejecting(code, "web/views/example.js")).includes("no-eval"));
});

test("the first line says what the file is", async () => {
  assert.deepEqual(await rejecting("export const one = 1;\n", "web/views/example.js"), ["page/first-line"]);
});

test("one module fetches, one creates elements, one formats, one stores", async () => {
  for (const [file, line] of [
    ["web/lib/api.js", "export const f = (url) => fetch(url);"],
    ["web/reference/send.js", "export const f = (url) => fetch(url);"],
    ["web/lib/dom.js", 'export const f = () => document.createElement("p");'],
    ["web/lib/dom.js", 'const SVG = "http://www.w3.org/2000/svg";\nexport const f = () => SVG;'],
    ["web/lib/text.js", "export const f = () => new Intl.PluralRules();"],
    ["web/lib/kept.js", "export const f = () => localStorage.clear();"],
    ["web/early.js", "localStorage.clear();"],
  ]) {
    assert.deepEqual(await rejecting(`// A module.\n${line}\n`, file), [], file);
    const bad = `// A module.\n${line}\nexport const g = (one) => one.innerHTML;\n`;
    assert.deepEqual(await rejecting(bad, file), [SYNTAX], file);
  }
});

test("lib imports only from lib", async () => {
  const code = '// A module.\nexport { view } from "../views/keys.js";\n';
  assert.deepEqual(await rejecting(code, "web/lib/example.js"), ["no-restricted-imports"]);
});

test("styles are checked", async () => {
  for (const [style, rule] of [
    ["p { colour: red; }", "css/no-invalid-properties"],
    ["p { color: 12px; }", "css/no-invalid-properties"],
    ["p {}", "css/no-empty-blocks"],
    ["@medai print { p { color: red; } }", "css/no-invalid-at-rules"],
  ]) {
    assert.deepEqual(await rejecting(style, "web/style.css"), [rule], style);
  }
});

test("texts for users differ from texts of the code", () => {
  for (const [text, is] of [
    ["Save", true],
    ["Try again", true],
    ["no keys yet", true],
    ["last used:", true],
    ["button.primary", false],
    ["keys.title", false],
    ["submit", false],
    ["GET", false],
    ["If-Match", false],
    ["aria-label", false],
    ["TimeoutError", false],
    ["/v1/keys", false],
    ["Fermé", true],
    ["été passé", true],
    ["…", false],
    ["0 0 100 20", false],
  ]) {
    assert.equal(readsLikeText(text), is, text);
  }
});
