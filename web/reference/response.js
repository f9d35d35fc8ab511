// What came back of a request, or the example of the description until then.

import { h, replaceChildren } from "../lib/dom.js";
import { number, t } from "../lib/text.js";
import { codeBlock, english, jsonCode } from "./parts.js";

/**
 * @typedef {import("./description.js").Answer} Answer
 * @typedef {import("./send.js").Received} Received
 */

/**
 * The card of the response. `show(response)` replaces the example.
 *
 * @param {Answer | undefined} answer
 */
export function responseCard(answer) {
  const state = h("p.response-state", { role: "status" });
  const content = h("div.stack.tight", {});
  const example = answer && answer.example !== null ? JSON.stringify(answer.example, null, 2) : "";
  replaceChildren(
    state,
    answer ? [h("span.badge.good", {}, answer.status), h("span.soft", {}, t("reference.example"))] : null,
  );
  replaceChildren(content, example ? bodyBlock(jsonCode(example)) : emptyBody());
  const show = (/** @type {Received} */ response) => {
    const tone = response.status < 300 ? "good" : "bad";
    replaceChildren(
      state,
      h(`span.badge.${tone}`, {}, String(response.status)),
      h("span.soft", {}, t("reference.received", { ms: response.ms })),
    );
    replaceChildren(content, bodyOf(response), headersOf(response));
  };
  const element = h(
    "section.card.response",
    {},
    h("div.card-head", {}, h("h2", {}, t("reference.response")), state),
    content,
  );
  return { element, show };
}

const emptyBody = () => h("p.soft", {}, t("reference.no_body"));

/** @param {HTMLElement} code */
const bodyBlock = (code) => codeBlock(code, t("reference.response_body"), t("reference.copy_response"));

/** @param {Received} response */
function bodyOf({ text, kind, isFile, isCut }) {
  if (isFile) return h("p.soft", {}, t("reference.file", { kind }));
  if (text === "") return emptyBody();
  const block = bodyBlock(kind.includes("json") ? jsonCode(indented(text)) : h("code", {}, text));
  return isCut ? [block, h("p.small.soft", {}, t("reference.cut", { count: text.length }))] : block;
}

/** @param {string} text */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Only the start of a long response was read.
    return text;
  }
}

/** @param {Received} response */
function headersOf({ headers }) {
  const lines = headers.map(([name, value]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, h("code", {}, value))]);
  return h(
    "details",
    {},
    h("summary.small", {}, t("reference.headers_received", { count: number(headers.length) })),
    h("dl.facts.response-headers", {}, lines),
  );
}

/**
 * The successful responses of an operation, with their headers.
 *
 * @param {Answer[]} answers
 */
export function answerLines(answers) {
  return answers.map(({ status, description, headers, kind }) =>
    h(
      "div.stack.tight",
      {},
      h(
        "p.field-head",
        {},
        h("span.badge.good", {}, status),
        english(description),
        kind ? h("code.soft", {}, kind) : null,
      ),
      headers.length > 0
        ? h(
            "ul.fields-list",
            {},
            headers.map(({ name, description }) =>
              h("li", {}, h("p", {}, h("code.field-name", {}, name), " ", english(description))),
            ),
          )
        : null,
    ),
  );
}
