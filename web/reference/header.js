// The header of the API reference: the way to the page, and the menu of colours and language.

import { h } from "../lib/dom.js";
import { icon, mark } from "../lib/icon.js";
import { session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { drawerButton } from "../frame/navigation.js";
import { languageSwitch, themeSwitch } from "../frame/preferences.js";

const ID = "display-menu";

/**
 * @param {import("./description.js").Description} description
 * @param {() => unknown} redraw
 */
export function header({ version }, redraw) {
  const display = h(
    "button.quiet.icon-only",
    { type: "button", popovertarget: ID, "aria-label": t("reference.display"), title: t("reference.display") },
    icon("sun"),
  );
  const menu = h("div.menu.person-menu", { id: ID, popover: "auto" }, themeSwitch(), languageSwitch(redraw));
  const leave = session
    ? h("a.button.leave", { href: "./" }, icon("key"), h("span", {}, t("reference.open_page")))
    : h("a.button", { href: "./" }, t("reference.sign_in"));
  return h(
    "header.top",
    {},
    drawerButton(),
    h("a.brand", { href: "./", "aria-label": "Keyhouse" }, mark(), h("span.brand-name", {}, "Keyhouse")),
    h("span.organization", {}, t("reference.title"), " ", h("span.badge", {}, version)),
    leave,
    display,
    menu,
  );
}
