// What stands around every view: the bar with the person's menu, the navigation, the place of the view.

import { remove } from "./api.js";
import { fill, h } from "./dom.js";
import { notices } from "./notices.js";
import { problemText, say, status } from "./say.js";
import { become, instance, isOperator, may, session } from "./state.js";
import { t } from "./text.js";
import { about } from "./views/about.js";

/** Where the navigation leads: hash, key of its text, and who sees it. */
const PLACES = [
  ["keys", "keys.title", () => true],
  ["teams", "teams.title", () => true],
  ["people", "people.title", () => may("keyhouse:users:read")],
  ["roles", "roles.title", () => may("keyhouse:roles:read")],
  ["permissions", "permissions.title", () => true],
  ["organization", "organization.title", () => may("keyhouse:organization:read")],
  ["audit", "audit.title", () => may("keyhouse:audit:read")],
];
const OPERATORS_PLACES = [
  ["organizations", "organizations.title", isOperator],
  ["plans", "plans.title", isOperator],
  ["gates", "gates.title", isOperator],
];

const main = h("main", { id: "main", tabindex: "-1" });
const busy = h("progress.busy", { hidden: true });
let links = [];
/** The first part of the address of the view that is shown. */
let here = "";

/**
 * Puts the page around what `place` will show. Without a person there is no navigation, nor when
 * `alone`: behind a one-time link, which may be for somebody else.
 */
export function frame({ alone = !session } = {}) {
  busy.setAttribute("aria-label", t("shell.busy"));
  document.body.classList.toggle("alone", alone);
  const around = alone ? [brandAlone()] : [bar(), navigation()];
  document.body.replaceChildren(skip(), busy, ...around, main, status);
}

/** Draws anew what stands around the view, after a change of what it says; the view stays as it is. */
export function refresh() {
  const focused = document.activeElement;
  frame();
  mark();
  focused?.focus({ preventScroll: true });
}

/** Puts a view in its place. `view`: `{title, actions, body}`. */
export function place(view, hash) {
  [here] = hash.split("/");
  const title = h("h1", { tabindex: "-1" }, view.title);
  fill(main, notices(), h("div.heading", {}, title, h("div.actions", {}, view.actions ?? [])), view.body);
  document.title = `${view.title} · Keyhouse`;
  mark();
  document.querySelector("nav.side")?.classList.remove("open");
  return title;
}

/** Marks the place where the view is in the navigation. */
function mark() {
  for (const link of links) {
    if (link.dataset.place === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** The thing that the view shows goes by another name now. */
export function retitle(title) {
  fill(main.querySelector("h1"), title);
  document.title = `${title} · Keyhouse`;
}

/** Shows that a view is on its way, or that people wait for an answer. */
export function showBusy(is) {
  busy.hidden = !is;
}

function skip() {
  const jump = (event) => {
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
        const open = document.getElementById("side").classList.toggle("open");
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
      h("span", {}, name),
      h("span.chevron", { "aria-hidden": "true" }, "▾"),
    ),
    h(
      "nav.menu",
      { id: "person-menu", popover: "auto", "aria-label": t("shell.own_menu") },
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

const hideMenu = () => document.getElementById("person-menu").hidePopover();
const item = (href, text) => h("a", { href, onclick: hideMenu }, text);

function navigation() {
  const linkTo = ([hash, key]) => h("a", { href: `#/${hash}`, "data-place": hash }, t(key));
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
    say(problemText(problem));
    return;
  }
  become(null);
  // Nothing of the person stays in this page's memory.
  location.replace("/");
}
