// "Try it": fills in an operation, sends it to this instance and shows what came back.

import { Problem } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, select } from "../lib/form.js";
import { t } from "../lib/text.js";
import { prove } from "../proof.js";
import { credentialChoice } from "./credential.js";
import { pathText } from "./parts.js";
import { bodyExample, isBroken, requestOf, unusable } from "./request.js";
import { boundsOf, exampleOf, typeOf } from "./schema.js";
import { send } from "./send.js";

/**
 * @typedef {import("./description.js").Operation} Operation
 * @typedef {import("./description.js").Parameter} Parameter
 * @typedef {import("./description.js").Description} Description
 * @typedef {import("./request.js").Request} Request
 * @typedef {import("./send.js").Received} Received
 */

const BODY_ROWS_MAX = 14;
/** A key in a header has no spaces and no letters beyond ASCII. */
const KEY = /^[\x21-\x7e]+$/;

/** Whether the form was open last. It stays open from one operation to the next. */
let isOpen = false;

/**
 * The form of an operation. `changed(request)` is called with each change, `received(response)` after each response.
 *
 * @param {Operation} operation
 * @param {Description} description
 * @param {{changed: (request: Request) => void, received: (response: Received) => void}} handlers
 */
export function trial(operation, description, { changed, received }) {
  const { element: credentials, credential, isPossible, isSession } = credentialChoice(operation);
  const shared = { spellcheck: "false", autocomplete: "off", autocapitalize: "none" };
  const controls = operation.parameters.map((one) => parameterField(one, description, shared));
  const isAsked = (/** @type {Parameter} */ { place, required }) => place === "path" || required;
  const asked = controls.filter((_, at) => isAsked(operation.parameters[at]));
  const others = controls.filter((_, at) => !isAsked(operation.parameters[at]));
  const example = bodyExample(operation);
  const rows = Math.min(BODY_ROWS_MAX, example.split("\n").length + 1);
  const body = h("textarea.code", { name: "body", rows, value: example, ...shared });
  const submit = async () => {
    const filled = filledIn(element);
    check(operation, filled, credential());
    const request = requestOf(operation, filled);
    if (operation.method !== "GET" && !(await isConfirmed(request))) return;
    let response = await send(request, /** @type {import("./send.js").Credential} */ (credential()));
    if (isSession() && isProofMissing(response) && (await prove())) response = await send(request, sessionOnly);
    received(response);
  };
  const element = form(
    { submit, button: t("reference.send"), inPage: true },
    credentials,
    asked,
    operation.body ? field(t("reference.body"), body, { hint: operation.body.kind }) : null,
    others.length > 0
      ? h("details", {}, h("summary", {}, t("reference.optional", { count: others.length })), others)
      : null,
  );
  element.addEventListener("input", () => changed(requestOf(operation, filledIn(element))));
  const ontoggle = () => (isOpen = details.open);
  const content = isPossible ? element : credentials;
  const details = h("details.card.trial", { open: isOpen, ontoggle }, h("summary", {}, t("reference.try")), content);
  return details;
}

const sessionOnly = { key: null, session: true };

/**
 * @param {Parameter} parameter
 * @param {Description} description
 * @param {Page.Properties} shared
 */
function parameterField({ place, name, required, schema }, { schemas }, shared) {
  const { values } = boundsOf(schema, schemas);
  const words = typeOf(schema, schemas).includes("boolean") ? ["true", "false"] : values.map(String);
  const control =
    words.length > 0 && !required
      ? select(`${place}:${name}`, [["", ""], ...words.map((word) => [word, word])], "")
      : h("input", { name: `${place}:${name}`, placeholder: exampleOf(schema, schemas), ...shared });
  return field(name, control);
}

/**
 * @param {HTMLFormElement} element
 * @returns {import("./request.js").Filled}
 */
function filledIn(element) {
  const controls = [...element.elements].map((control) => /** @type {HTMLInputElement} */ (control));
  const named = controls.filter(({ name }) => name.includes(":")).map(({ name, value }) => [name, value.trim()]);
  const body = controls.find(({ name }) => name === "body")?.value ?? "";
  return { values: Object.fromEntries(named), body };
}

/**
 * Throws a problem with a fault for each field that can't be sent.
 *
 * @param {Operation} operation
 * @param {import("./request.js").Filled} filled
 * @param {import("./send.js").Credential | null} credential
 */
function check(operation, filled, credential) {
  const fault = (/** @type {string} */ name, /** @type {string} */ detail) => ({
    pointer: `/${name}`,
    code: "local",
    detail,
  });
  const errors = unusable(operation, filled.values).map((name) => fault(name, t("reference.fill_in")));
  if (isBroken(operation, filled.body)) errors.push(fault("body", t("reference.not_json")));
  if (credential === null || (credential.key !== null && !KEY.test(credential.key))) {
    errors.unshift(fault("key", t("reference.key_missing")));
  }
  if (errors.length > 0) throw new Problem(0, { code: "invalid_input", errors });
}

/** @param {Request} request */
async function isConfirmed({ method, path }) {
  const words = {
    title: t("reference.confirm", { method }),
    body: [h("p", {}, t("reference.confirm_what")), h("p", {}, h("code", {}, method), " ", pathText(path))],
    button: t("reference.send"),
    safe: method !== "DELETE",
  };
  return (await confirm(words, async () => {})) === true;
}

/** @param {Received} response */
function isProofMissing({ status, text }) {
  return status === 403 && text.includes('"proof_required"');
}
