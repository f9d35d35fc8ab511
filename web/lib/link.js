// Shared parts of the forms of one-time links. The token is in the link's fragment, which browsers do not send
// to servers. The page keeps it in memory only.

import { post } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { field, form, valueOf } from "./form.js";
import { problemNotice } from "./messages.js";
import { setSession } from "./state.js";
import { moment, t } from "./text.js";

/** @typedef {Page.ResponseOf<"/v1/links", "post">} Link */

/**
 * The form of a one-time link of this kind. It first asks the server what the link is for, and shows that above
 * the fields. Without a token, or when the link is not valid (`invalid`), it says what to do, and shows no field.
 *
 * @param {{
 * kind: Link["kind"],
 * token: string,
 * invalid: string,
 * lead: string,
 * submit: (form: HTMLFormElement) => unknown,
 * button: string,
 * }} options
 * @param {(link: Link) => Page.Child[]} fields
 */
export function linkForm({ kind, token, invalid, lead, submit, button }, fields) {
  const card = h("div.card.stack", {});
  const away = h("p", {}, h("a", { href: "./" }, t("link.sign_in")));
  if (token === "") {
    return replaceChildren(card, h("p", {}, t("link.incomplete")), h("p.soft", {}, t("link.open_again")), away);
  }
  const showInvalid = () => {
    const title = h("h2", { tabindex: "-1" }, t("link.invalid"));
    replaceChildren(card, title, h("p", {}, invalid), away);
    title.focus();
  };
  const send = async (/** @type {HTMLFormElement} */ element) => {
    try {
      await submit(element);
    } catch (problem) {
      if (!isInvalid(problem)) throw problem;
      showInvalid();
    }
  };
  const load = async () => {
    replaceChildren(card, h("p.soft", { role: "status" }, t("forms.sending")));
    try {
      const link = await post("/v1/links", { token }, { quietly: true });
      // The link belongs to another page.
      if (link.kind !== kind) return showInvalid();
      replaceChildren(card, h("p", {}, lead), facts(link), form({ submit: send, button }, ...fields(link)));
      card.querySelector("input:not([readonly])")?.focus();
    } catch (problem) {
      if (!problem.members) throw problem;
      if (isInvalid(problem)) showInvalid();
      else replaceChildren(card, problemNotice(problem, load));
    }
  };
  load();
  return card;
}

const isInvalid = (/** @type {any} */ problem) => ["link_invalid", "not_found"].includes(problem.code);

/** @param {Link} link */
function facts({ kind, organization, created_by, expires_at }) {
  const fact = (/** @type {string} */ name, /** @type {Page.Child} */ value) =>
    value ? [h("dt", {}, name), h("dd", {}, value)] : [];
  return h(
    "dl.facts",
    {},
    fact(t("link.organization"), organization),
    fact(kind === "invitation" ? t("link.invited_by") : t("link.created_by"), created_by),
    fact(t("link.expires"), h("time", { datetime: expires_at }, moment(expires_at))),
  );
}

/**
 * The email of the link's account, which password managers store with the new password.
 *
 * @param {Link} link
 */
export function accountField({ email }) {
  const input = h("input", { name: "email", type: "email", autocomplete: "username", readonly: true, value: email });
  return field(t("link.email"), input);
}

/**
 * A hidden username field. Password managers need one in every password form.
 *
 * @param {string} email
 */
export function userName(email) {
  return h("input", { hidden: true, autocomplete: "username", value: email, "aria-hidden": "true", tabindex: "-1" });
}

/**
 * The values of the named fields, without empty ones.
 *
 * @param {HTMLFormElement} element
 * @param {string[]} names
 * @returns {Record<string, string>}
 */
export function filledFields(element, names) {
  return Object.fromEntries(names.map((name) => [name, valueOf(element, name)]).filter(([, value]) => value !== ""));
}

/**
 * Continues with the session that the link created.
 *
 * @param {Api.Session} signedIn
 * @param {() => void} done
 */
export function enterWith(signedIn, done) {
  setSession(signedIn);
  done();
}
