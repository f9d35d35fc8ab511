// The menu of the signed-in user.

import { late, remove } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { keep } from "../lib/kept.js";
import { orAnnounce } from "../lib/messages.js";
import { setSession, instance, session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { avatar } from "../elements/avatar.js";
import { languageSwitch, themeSwitch } from "./preferences.js";
import { openShortcuts } from "./shortcuts.js";

const ID = "person-menu";

/** The button that opens the menu. */
export function personButton() {
  const name = session.user.name || session.user.email;
  const button = h(
    "button.quiet.person",
    { type: "button", popovertarget: ID, "aria-label": t("shell.account", { name }) },
    avatar(name),
    h("span.soft", {}, t("shell.user"), " "),
    h("span.name", {}, name),
    icon("chevron"),
  );
  return button;
}

/**
 * `redraw` shows the page again, in a newly chosen language.
 *
 * @param {() => unknown} redraw
 */
export function personMenu(redraw) {
  const name = session.user.name || session.user.email;
  const link = (/** @type {string} */ href, /** @type {string} */ symbol, /** @type {string} */ text) =>
    h("a", { href, onclick: hide }, icon(symbol), text);
  const action = (/** @type {string} */ symbol, /** @type {string} */ text, /** @type {() => unknown} */ act) =>
    h("button", { type: "button", onclick: act }, icon(symbol), text);
  const then = (/** @type {() => unknown} */ act) => () => {
    hide();
    return orAnnounce(act);
  };
  return h(
    "nav.menu.person-menu",
    { id: ID, popover: "auto", "aria-label": t("shell.user") },
    h("p.who", {}, h("strong", {}, name), h("span", {}, session.user.email)),
    link("#/keys", "key", t("keys.title")),
    link("#/profile", "person", t("profile.title")),
    h("div.line", {}),
    themeSwitch(),
    languageSwitch(redraw),
    h("div.line", {}),
    instance.support_url
      ? h("a", { href: instance.support_url, target: "_blank", rel: "noreferrer" }, icon("help"), t("shell.support"))
      : null,
    action("keyboard", t("shortcuts.title"), then(openShortcuts)),
    action(
      "info",
      t("about.title"),
      then(async () => (await late(() => import("../views/about.js"))).about()),
    ),
    action("exit", t("shell.sign_out"), then(signOut)),
  );
}

const hide = () => document.getElementById(ID)?.hidePopover();

async function signOut() {
  await remove("/v1/session");
  keep("frame", null);
  setSession(null);
  // Load a new page, so that no data of the user stays in memory.
  location.replace("./");
}
