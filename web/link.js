// What the forms behind one-time links have in common. The token comes in the link's fragment, which
// no server and no log ever sees; it stays in this page's memory alone.

import { post } from "./api.js";
import { fill, h } from "./dom.js";
import { form, valueOf } from "./form.js";
import { become } from "./state.js";
import { t } from "./text.js";

/**
 * The form of a link, or what to do where there is no token or nothing more behind it (`dead`).
 */
export function linkForm({ token, dead, lead, submit, button }, ...fields) {
  const card = h("div.card.stack", {});
  const away = h("p", {}, h("a", { href: "/" }, t("link.sign_in")));
  if (token === "") return fill(card, h("p", {}, t("link.no_token")), h("p.soft", {}, t("link.whole")), away);
  const send = async (element) => {
    try {
      await submit(element);
    } catch (problem) {
      if (!["link_invalid", "not_found"].includes(problem.code)) throw problem;
      const title = h("h2", { tabindex: "-1" }, t("link.dead"));
      fill(card, title, h("p", {}, dead), away);
      title.focus();
    }
  };
  return fill(card, h("p", {}, lead), form({ submit: send, button }, ...fields));
}

/**
 * Whose account a link is for, shown and named to password managers once it is known; nothing where the
 * link is dead: the form then tells so.
 */
export function accountOf(token) {
  const place = h("div", {});
  const show = async () => {
    try {
      const { email } = await post("/v1/links", { token }, { quietly: true });
      fill(place, h("p", {}, t("link.account", { email })), userName(email));
    } catch (problem) {
      if (!problem.members) throw problem;
    }
  };
  // A token that was cut short is refused when the form is sent.
  if (/^(inv|usr)_[^.]+\../.test(token)) show();
  return place;
}

/** The account of a form without a field for it: password managers ask for one. */
export function userName(email) {
  return h("input", { hidden: true, autocomplete: "username", value: email, "aria-hidden": "true", tabindex: "-1" });
}

/** What was typed in the fields of these names; what is empty is not sent. */
export function filled(element, names) {
  return Object.fromEntries(names.map((name) => [name, valueOf(element, name)]).filter(([, value]) => value !== ""));
}

/** Goes into the page as whoever the link signed in. */
export function enterBy(somebody, done) {
  become(somebody);
  done();
}
