// The rules for the scripts and styles of the page. `rules.test.js` breaks each of them once.

import css from "@eslint/css";
import js from "@eslint/js";
import globals from "globals";

import page from "./page-rules.js";

const LINES_MAX = 400;
const LINE_CHARACTERS_MAX = 120;

/** Matches what one of the selectors matches. */
const anyOf = (...selectors) => `:matches(${selectors.join(", ")})`;

/** A restriction on each of these names, as identifiers and as texts such as `element["innerHTML"]`. */
const onNames = (names, message) => ({
  selector: anyOf(`Identifier[name=/^(${names})$/]`, `Literal[value=/^(${names})$/]`),
  message,
});

/** An attribute in a call of `h` or `svg`. */
const OF_ELEMENT = "CallExpression[callee.name=/^(h|svg)$/] > ObjectExpression > Property";

const STORAGE = "The page stores in the browser only what lib/kept.js names.";
const ADDRESS = "The page contacts only the server that it came from.";
const RELATIVE = "The page may be on a sub-path: addresses are relative.";
const INLINE = "The content security policy blocks inline styles and handlers.";

const RESTRICTED = [
  onNames(
    "innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|srcdoc|setHTMLUnsafe|parseHTMLUnsafe",
    "Text is inserted as text, never as markup.",
  ),
  {
    selector: "MemberExpression[object.name=document][property.name=/^write(ln)?$/]",
    message: "Text is inserted as text, never as markup.",
  },
  onNames("sessionStorage|indexedDB|cookieStore", STORAGE),
  { selector: "MemberExpression[object.name=document][property.name=cookie]", message: STORAGE },
  {
    selector: anyOf(
      "Literal[value=/https?:\\u002F\\u002F/]:not(VariableDeclarator[id.name=SVG] > Literal)",
      "TemplateElement[value.raw=/https?:\\u002F\\u002F/]",
    ),
    message: ADDRESS,
  },
  {
    selector: anyOf(
      `${OF_ELEMENT}[key.name=/^(href|src|action)$/] > Literal[value=/^\\u002F/]`,
      "CallExpression[callee.object.name=location] > Literal[value=/^\\u002F/]",
      "AssignmentExpression[left.object.name=location] > Literal[value=/^\\u002F/]",
    ),
    message: RELATIVE,
  },
  {
    selector: anyOf(
      `${OF_ELEMENT}[key.name=style]`,
      "MemberExpression[property.name=style]",
      "Literal[value=style]",
      `${OF_ELEMENT}[key.name=/^on/][value.raw=/^['"]/]`,
      `${OF_ELEMENT}[key.name=/^on/][value.type=TemplateLiteral]`,
    ),
    message: INLINE,
  },
];

/** What only one module may use. */
const RESERVED = [
  {
    home: "web/lib/api.js",
    // The requests of the readers of the API reference go out as they are, and come back as they are.
    also: "web/reference/send.js",
    ...onNames("fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon", "Only lib/api.js sends requests."),
  },
  { home: "web/lib/dom.js", ...onNames("createElement|createElementNS", "Only lib/dom.js creates elements.") },
  { home: "web/lib/text.js", ...onNames("Intl", "Only lib/text.js formats for a language.") },
  { home: "web/lib/kept.js", also: "web/early.js", ...onNames("localStorage", STORAGE) },
];

const restrictedIn = (file) => [
  "error",
  ...RESTRICTED,
  ...RESERVED.filter(({ home }) => home !== file).map(({ selector, message }) => ({ selector, message })),
];

/** The rules for every script, those of the tests included. */
const GENERAL = {
  ...js.configs.recommended.rules,
  eqeqeq: ["error", "always"],
  "max-lines": ["error", LINES_MAX],
  "max-len": ["error", { code: LINE_CHARACTERS_MAX }],
  "no-var": "error",
  "prefer-const": "error",
  "page/first-line": "error",
};

export default [
  {
    files: ["web/**/*.js"],
    languageOptions: { globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error", noInlineConfig: true },
    plugins: { page },
    rules: {
      ...GENERAL,
      "no-alert": "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-syntax": restrictedIn(null),
      "page/no-user-texts": "error",
    },
  },
  ...RESERVED.map(({ home, also = home }) => ({
    files: [home, also],
    rules: { "no-restricted-syntax": restrictedIn(home) },
  })),
  // Examples of code are not translated.
  { files: ["web/key/examples.js"], rules: { "page/no-user-texts": "off" } },
  {
    files: ["web/lib/*.js"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [{ group: ["../*"], message: "lib imports only from lib." }] }],
    },
  },
  {
    files: ["tests/web/*.js"],
    languageOptions: { globals: { ...globals.node, document: "readonly" } },
    plugins: { page },
    rules: GENERAL,
  },
  {
    files: ["web/**/*.css"],
    language: "css/css",
    plugins: { css },
    rules: {
      "css/no-duplicate-imports": "error",
      "css/no-duplicate-keyframe-selectors": "error",
      "css/no-empty-blocks": "error",
      "css/no-invalid-at-rules": "error",
      // Variables are defined in another file: `colours.test.js` checks them.
      "css/no-invalid-properties": ["error", { allowUnknownVariables: true }],
      "css/no-invalid-named-grid-areas": "error",
    },
  },
];
