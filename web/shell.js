// The frame around every view: the header with the user menu, the navigation and the main area.

import { remove } from "./lib/api.js";
import { replaceChildren, h } from "./lib/dom.js";
import { notices } from "./notices.js";
import { problemText, announce, status } from "./lib/messages.js";
import { setSession, instance, isOperator, may, session } from "./lib/state.js";
import { t } from "./lib/text.js";
import { about } from "./views/about.js";

/** @typedef {[string, string, () => boolean]} Place */

/**
 * Entries of the navigation: hash, text key, and whether the user sees the entry.
 *
 * @type {Place[]}
 */
const PLACES = [
  ["keys", "keys.title", () => true],
  ["teams", "teams.title", () => true],
  ["people", "people.title", () => may("keyhouse:users:read")],
  ["roles", "roles.title", () => may("keyhouse:roles:read")],
  ["permissions", "permissions.title", () => true],
  ["organization", "organization.title", () => may("keyhouse:organization:read")],
  ["audit", "audit.title", () => may("keyhouse:audit:read")],
];
/** @type {Place[]} */
const OPERATORS_PLACES = [
  ["organizations", "organizations.title", isOperator],
  ["plans", "plans.title", isOperator],
  ["gates", "gates.title", isOperator],
];

const main = h("main", { id: "main", tabindex: "-1" });
const busy = h("progress.busy", { hidden: true });
/** @type {HTMLAnchorElement[]} */
let links = [];
/** The first segment of the address of the current view. */
let here = "";

/**
 * Draws the frame. Without a session there is no navigation, nor with `alone`: a one-time link may belong to a
 * user other than the one who is signed in.
 */
export function frame({ alone = !session } = {}) {
  busy.setAttribute("aria-label", t("shell.busy"));
  document.body.classList.toggle("alone", alone);
  const around = alone ? [brandAlone()] : [bar(), navigation()];
  document.body.replaceChildren(skip(), busy, ...around, main, status);
}

/** Redraws the frame, for example after a change of language. Keeps the view. */
export function refresh() {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  frame();
  mark();
  focused?.focus({ preventScroll: true });
}

/**
 * Shows a view: `{title, actions, body}`.
 *
 * @param {Page.View} view
 * @param {string} hash
 */
export function place(view, hash) {
  [here] = hash.split("/");
  const title = h("h1", { tabindex: "-1" }, view.title);
  replaceChildren(main, notices(), h("div.heading", {}, title, h("div.actions", {}, view.actions ?? [])), view.body);
  document.title = `${view.title} · Keyhouse`;
  mark();
  document.querySelector("nav.side")?.classList.remove("open");
  return title;
}

/** Marks the current view in the navigation. */
function mark() {
  for (const link of links) {
    if (link.dataset.place === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/**
 * Changes the title of the current view.
 *
 * @param {string} title
 */
export function setTitle(title) {
  replaceChildren(main.querySelector("h1"), title);
  document.title = `${title} · Keyhouse`;
}

/**
 * Shows or hides the progress bar.
 *
 * @param {boolean} is
 */
export function showBusy(is) {
  busy.hidden = !is;
}

function skip() {
  const jump = (/** @type {Event} */ event) => {
    event.preventDefault();
    main.focus();
  };
  return h("a.skip", { href: "#main", onclick: jump }, t("shell.skip"));
}

function brand() {
  return h("a.brand", { href: "#/keys" }, "Keyhouse");
}

function brandAlone() {
  return h("header.top", {}, h("span.brand", {}, "Keyhouse"));
}

function bar() {
  const toggle = h(
    "button.quiet.toggle",
    {
      type: "button",
      "aria-expanded": "false",
      "aria-controls": "side",
      onclick: () => {
        const open = document.getElementById("side")?.classList.toggle("open");
        toggle.setAttribute("aria-expanded", String(open));
      },
    },
    t("shell.menu"),
  );
  const name = session.user.name || session.user.email;
  return h(
    "header.top",
    {},
    toggle,
    brand(),
    h("span.organization", {}, session.organization.name),
    h(
      "button.quiet.person",
      { type: "button", popovertarget: "person-menu", "aria-label": t("shell.account", { name }) },
      h("span.soft", {}, t("shell.user"), " "),
      h("span.name", {}, name),
      h("span.chevron", { "aria-hidden": "true" }, "▾"),
    ),
    h(
      "nav.menu",
      { id: "person-menu", popover: "auto", "aria-label": t("shell.user") },
      h("p.who", {}, h("strong", {}, name), h("span", {}, session.user.email)),
      item("#/keys", t("keys.title")),
      item("#/profile", t("profile.title")),
      instance.support_url
        ? h("a", { href: instance.support_url, target: "_blank", rel: "noreferrer" }, t("shell.support"))
        : null,
      h(
        "button.quiet",
        {
          type: "button",
          onclick: () => {
            hideMenu();
            about();
          },
        },
        t("about.title"),
      ),
      h("button.quiet", { type: "button", onclick: signOut }, t("shell.sign_out")),
    ),
  );
}

const hideMenu = () => document.getElementById("person-menu")?.hidePopover();
const item = (/** @type {string} */ href, /** @type {string} */ text) => h("a", { href, onclick: hideMenu }, text);

function navigation() {
  const linkTo = (/** @type {Place} */ [hash, key]) => h("a", { href: `#/${hash}`, "data-place": hash }, t(key));
  const own = PLACES.filter(([, , seen]) => seen()).map(linkTo);
  const operators = OPERATORS_PLACES.filter(([, , seen]) => seen()).map(linkTo);
  links = [...own, ...operators];
  return h(
    "nav.side",
    { id: "side", "aria-label": t("shell.navigation") },
    own,
    operators.length > 0 ? h("p.part", {}, t("shell.instance")) : null,
    operators,
  );
}

async function signOut() {
  try {
    await remove("/v1/session");
  } catch (problem) {
    hideMenu();
    announce(problemText(problem));
    return;
  }
  setSession(null);
  // Load a new page, so that no data of the user stays in memory.
  location.replace("./");
}
