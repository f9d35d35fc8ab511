// The view of one operation: what it needs, takes and returns; beside it a request, "Try it" and a response.

import { copyButton } from "../elements/copy-button.js";
import { h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { fieldRows } from "./fields.js";
import { codeBlock, english, methodBadge, needs, paragraphs, pathText } from "./parts.js";
import { bodyExample, curl, requestOf } from "./request.js";
import { answerLines, responseCard } from "./response.js";
import { exampleOf, fieldsOf } from "./schema.js";
import { trial } from "./trial.js";

/**
 * @typedef {import("./description.js").Operation} Operation
 * @typedef {import("./description.js").Description} Description
 * @typedef {import("./description.js").Failure} Failure
 */

/**
 * `after(operation)` is called when a request of the reader was answered.
 *
 * @param {Operation} operation
 * @param {Description} description
 * @param {(operation: Operation) => unknown} after
 */
export function operationView(operation, description, after) {
  const code = h("code", {});
  const showRequest = (/** @type {import("./request.js").Request} */ request) =>
    replaceChildren(code, curl(operation, request, description));
  showRequest(requestOf(operation, exampleRequest(operation, description)));
  const [answer] = operation.answers;
  const response = responseCard(answer);
  const form = trial(operation, description, {
    changed: showRequest,
    received: (received) => {
      response.show(received);
      after(operation);
    },
  });
  const copy = copyButton(
    () => operation.path,
    () => path,
    t("reference.copy_path"),
    true,
  );
  const path = pathText(operation.path);
  const intro = h(
    "div.stack.operation-intro",
    {},
    h("p.request-line", {}, methodBadge(operation.method), path, copy),
    operation.description ? paragraphs(operation.description) : null,
    access(operation),
  );
  const beside = h(
    "div.stack.operation-beside",
    {},
    h(
      "section.card",
      {},
      h("div.card-head", {}, h("h2", {}, t("reference.request"))),
      codeBlock(code, t("reference.request"), t("reference.copy_request")),
    ),
    form,
    response.element,
  );
  const body = h("div.operation", {}, intro, beside, details(operation, description));
  return { title: operation.summary, body };
}

/**
 * The example values of the path and of required parameters, for a request that can be copied.
 *
 * @param {Operation} operation
 * @param {Description} description
 */
function exampleRequest(operation, { schemas }) {
  const shown = operation.parameters.filter(({ place, required }) => place === "path" || required);
  const values = shown.map(({ place, name, schema }) => [`${place}:${name}`, exampleOf(schema, schemas)]);
  return { values: Object.fromEntries(values), body: bodyExample(operation) };
}

/** @param {Operation} operation */
function access(operation) {
  const { permissions } = operation;
  const isNamed = permissions.some((name) => name.includes(":"));
  const has = session && permissions.some((name) => session.permissions.includes(name));
  const own = has
    ? h("span.dot.good", {}, t("reference.permission_there"))
    : h("span.dot.warn", {}, t("reference.permission_missing"));
  const label = isNamed ? t("reference.permission") : t("reference.caller");
  return h(
    "p.access",
    {},
    icon("shield"),
    h("span", {}, h("strong", {}, label), " ", needs(operation)),
    isNamed && session ? own : null,
  );
}

/**
 * @param {Operation} operation
 * @param {Description} description
 */
function details({ parameters, body, answers, failures }, { schemas, common }) {
  const section = (/** @type {string} */ title, /** @type {Page.Child[]} */ ...content) =>
    h("section.stack.tight", {}, h("h2", {}, title), content);
  const taken = [
    ["path", t("reference.path_parameters")],
    ["query", t("reference.query_parameters")],
    ["header", t("reference.request_headers")],
  ].map(([place, title]) => {
    const fields = parameters.filter((one) => one.place === place);
    return fields.length > 0 ? section(title, fieldRows(fields, schemas, { marks: true })) : null;
  });
  const sent = fieldsOf(body?.schema, schemas);
  const returned = answers.map(({ schema }) => fieldsOf(schema, schemas)).find((fields) => fields.length > 0) ?? [];
  const own = failures.filter(({ code }) => !common.has(code));
  const usual = failures.filter(({ code }) => common.has(code));
  return h(
    "div.stack.sections.operation-details",
    {},
    taken,
    body ? section(t("reference.body_fields"), bodyFacts(body, sent), fieldRows(sent, schemas, { marks: true })) : null,
    section(
      t("reference.responses"),
      answerLines(answers),
      returned.length > 0 ? fieldRows(returned, schemas, { marks: false }) : null,
    ),
    section(
      t("reference.errors"),
      own.length > 0 ? failureRows(own) : null,
      usual.length > 0
        ? h("details", {}, h("summary", {}, t("reference.usual_errors", { count: usual.length })), failureRows(usual))
        : null,
    ),
  );
}

/**
 * @param {import("./description.js").Body} body
 * @param {import("./schema.js").Field[]} fields
 */
function bodyFacts({ kind, required }, fields) {
  const words = [h("code", {}, kind), " · ", required ? t("reference.required") : t("reference.may_be_empty")];
  return h("p.small.soft", {}, words, fields.length === 0 ? [" · ", t("reference.no_fields")] : null);
}

/** @param {Failure[]} failures */
export function failureRows(failures) {
  const row = (/** @type {Failure} */ { status, code, meaning }) =>
    h("li", {}, h("span.badge", {}, status), h("code.field-name", {}, code), english(meaning));
  return h("ul.failures", {}, failures.map(row));
}
