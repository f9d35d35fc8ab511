// Shared parts of the forms of one-time links. The token is in the link's fragment, which browsers do not send
// to servers. The page keeps it in memory only.

import { post } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { form, valueOf } from "./form.js";
import { setSession } from "./state.js";
import { t } from "./text.js";

/**
 * The form of a one-time link. Without a token, or when the link is no longer valid (`invalid`), it says what to do.
 *
 * @param {{
 * token: string,
 * invalid: string,
 * lead: string,
 * submit: (form: HTMLFormElement) => unknown,
 * button: string,
 * }} options
 * @param {...Page.Child} fields
 */
export function linkForm({ token, invalid, lead, submit, button }, ...fields) {
  const card = h("div.card.stack", {});
  const away = h("p", {}, h("a", { href: "./" }, t("link.sign_in")));
  if (token === "") {
    return replaceChildren(card, h("p", {}, t("link.incomplete")), h("p.soft", {}, t("link.open_again")), away);
  }
  const send = async (/** @type {HTMLFormElement} */ element) => {
    try {
      await submit(element);
    } catch (problem) {
      if (!["link_invalid", "not_found"].includes(problem.code)) throw problem;
      const title = h("h2", { tabindex: "-1" }, t("link.invalid"));
      replaceChildren(card, title, h("p", {}, invalid), away);
      title.focus();
    }
  };
  return replaceChildren(card, h("p", {}, lead), form({ submit: send, button }, ...fields));
}

/**
 * The email of the link's account, for the user and for password managers, after the server has returned it.
 * Empty if the link is no longer valid; the form then shows that.
 *
 * @param {string} token
 */
export function accountOfLink(token) {
  const place = h("div", {});
  const show = async () => {
    try {
      const { email } = await post("/v1/links", { token }, { quietly: true });
      replaceChildren(place, h("p", {}, t("link.account", { email })), userName(email));
    } catch (problem) {
      if (!problem.members) throw problem;
    }
  };
  // The server rejects a truncated token when the form is submitted.
  if (/^(inv|usr)_[^.]+\../.test(token)) show();
  return place;
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
