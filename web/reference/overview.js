// The views of many operations: the overview, one resource, and all errors.

import { copyButton } from "../elements/copy-button.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { table } from "../lib/table.js";
import { t } from "../lib/text.js";
import { allFailures } from "./description.js";
import { failureRows } from "./operation.js";
import { codeBlock, english, methodBadge, needs, paragraphs, pathText } from "./parts.js";
import { curl, requestOf } from "./request.js";

/**
 * @typedef {import("./description.js").Description} Description
 * @typedef {import("./description.js").Resource} Resource
 * @typedef {import("./description.js").Operation} Operation
 */

/** The operation that shows whether a key works. */
const FIRST = "whoAmI";

/** The address of an operation. */
export const addressOf = (/** @type {Operation} */ { resource, id }) => `#/${resource}/${id}`;

/** @param {Description} description */
export function overview(description) {
  const { introduction, url, parts, schemes, operations } = description;
  const base = h("code.tag", { tabindex: "0" }, url);
  const copy = copyButton(
    () => url,
    () => base,
    t("reference.copy_url"),
    true,
  );
  const first = operations.find(({ id }) => id === FIRST) ?? operations[0];
  const command = h("code", {}, curl(first, requestOf(first, { values: {}, body: "" }), description));
  const file = h("a", { href: "openapi.json" }, icon("book"), t("reference.file_link"));
  const body = h(
    "div.stack.overview",
    {},
    h("div.endpoint", {}, h("span.soft", {}, t("reference.base_url")), h("span.copied", {}, base, copy), file),
    h(
      "div.overview-columns",
      {},
      h("section.stack.tight", {}, paragraphs(introduction)),
      h(
        "div.stack",
        {},
        h(
          "section.card",
          {},
          h("div.card-head", {}, h("h2", {}, t("reference.first_request"))),
          codeBlock(command, t("reference.first_request"), t("reference.copy_request")),
        ),
        h(
          "section.card",
          {},
          h("h2", {}, t("reference.authentication")),
          h("dl.facts.schemes", {}, byUse(schemes).map(scheme)),
        ),
      ),
    ),
    parts.map(({ title, resources }) =>
      h(
        "section.stack.tight",
        {},
        h("h2", {}, h("span", { lang: "en" }, title)),
        h("ul.resource-cards", {}, resources.map(resourceCard)),
      ),
    ),
  );
  return { title: t("reference.title"), body };
}

/** @typedef {[string, import("./description.js").Schema]} Scheme */

/**
 * Schemes of the Authorization header first, the cookie last.
 *
 * @param {Scheme[]} schemes
 */
function byUse(schemes) {
  const rank = (/** @type {Scheme} */ [, { type, in: place }]) => (type === "http" ? 0 : place === "header" ? 1 : 2);
  return schemes.toSorted((one, other) => rank(one) - rank(other));
}

/** @param {Scheme} scheme */
function scheme([name, { type, in: place, name: given, scheme: kind, description }]) {
  const header = place === "cookie" ? `Cookie: ${given}` : given;
  const title = type === "http" ? `Authorization: ${kind[0].toUpperCase()}${kind.slice(1)}` : header;
  return [h("dt", {}, h("code", {}, title)), h("dd", {}, english(description ?? name))];
}

/** @param {Resource} resource */
function resourceCard({ name, title, description, operations }) {
  return h(
    "li",
    {},
    h(
      "a.card",
      { href: `#/${name}` },
      h("strong", { lang: "en" }, title),
      h("span.soft", { lang: "en" }, description),
      h("span.small.soft", {}, t("reference.count", { count: operations.length })),
    ),
  );
}

/** @param {Resource} resource */
export function resourceView({ title, description, operations }) {
  const columns = [t("reference.operation"), t("reference.request"), t("reference.needs")];
  const row = (/** @type {Operation} */ operation) => [
    h("a", { href: addressOf(operation), lang: "en" }, operation.summary),
    h("span.request-line", {}, methodBadge(operation.method), pathText(operation.path)),
    needs(operation),
  ];
  const body = h(
    "div.stack",
    {},
    h("p", {}, english(description)),
    h("div.card.flush", {}, table(title, columns, operations.map(row))),
  );
  return { title, body };
}

/** @param {Description} description */
export function errorsView(description) {
  const failures = allFailures(description);
  const statuses = [...new Set(failures.map(({ status }) => status))];
  const part = (/** @type {string} */ status) =>
    h("section.stack.tight", {}, h("h2", {}, status), failureRows(failures.filter((one) => one.status === status)));
  const body = h("div.stack.sections", {}, h("p", {}, t("reference.errors_lead")), statuses.map(part));
  return { title: t("reference.errors"), body };
}
