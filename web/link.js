// What the forms behind one-time links have in common. The token comes in the link's fragment, which
// no server and no log ever sees; it stays in this page's memory alone.

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

/** What was typed in the fields of these names; what is empty is not sent. */
export function filled(element, names) {
  return Object.fromEntries(names.map((name) => [name, valueOf(element, name)]).filter(([, value]) => value !== ""));
}

/** Goes into the page as whoever the link signed in. */
export function enterBy(somebody, done) {
  become(somebody);
  done();
}
