// The frame around every view: the header with the user menu, the navigation and the main area.

import { replaceChildren, h } from "./lib/dom.js";
import { icon, mark } from "./lib/icon.js";
import { keep } from "./lib/kept.js";
import { skeleton } from "./lib/list.js";
import { notices } from "./notices.js";
import { status } from "./lib/messages.js";
import { session } from "./lib/state.js";
import { t } from "./lib/text.js";
import { askForCount } from "./frame/counts.js";
import { closeDrawer, drawerButton, markPlace, navigation } from "./frame/navigation.js";
import { personButton, personMenu } from "./frame/person-menu.js";
import { placeOf } from "./frame/places.js";
import { showPreferences } from "./frame/preferences.js";
import { openPalette } from "./frame/shortcuts.js";

/** A view that is there sooner shows no skeleton. */
const SKELETON_AFTER_MS = 150;

const main = h("main", { id: "main", tabindex: "-1" });
const busy = h("progress.busy", { hidden: true });
const preferences = h("div.preferences", {});
/** The first segment of the address of the current view. */
let here = "";
let isAlone = false;
/** Shows the current view again. Set by `app.js`. */
let redraw = async () => {};

/** @param {() => Promise<void>} handler */
export const onRedraw = (handler) => (redraw = handler);

/**
 * Draws the frame. Without a session there is no navigation, nor with `alone`: a one-time link may belong to a
 * user other than the one who is signed in.
 */
export function frame({ alone = !session } = {}) {
  isAlone = alone;
  keep("frame", session ? "whole" : null);
  delete document.documentElement.dataset.frame;
  busy.setAttribute("aria-label", t("shell.busy"));
  document.body.classList.remove("starting");
  document.body.classList.toggle("alone", alone);
  const inNewLanguage = async () => {
    refresh();
    await redraw();
  };
  if (alone) showPreferences(preferences, inNewLanguage);
  const around = alone ? [brandAlone(), main, h("footer", {}, preferences)] : [bar(inNewLanguage), navigation(), main];
  document.body.replaceChildren(skip(), busy, ...around, status);
}

/** Redraws the frame, for example after a change of language. Keeps the view. */
export function refresh() {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  frame({ alone: isAlone });
  markPlace(here);
  focused?.focus({ preventScroll: true });
}

/**
 * Shows a view: `{title, beside, actions, body}`. `expect` has marked its place.
 *
 * @param {Page.View} view
 * @param {string} hash
 */
export function place(view, hash) {
  endSkeleton();
  const inside = hash.includes("/") && !view.isDeadEnd;
  const title = h("h1", { tabindex: "-1" }, view.title);
  const heading = h("div.heading", {}, title, view.beside, h("div.actions", {}, view.actions));
  replaceChildren(main, notices(), inside ? breadcrumb() : null, heading, view.body);
  document.title = `${view.title} · Keyhouse`;
  if (!isAlone && !session.user.second_factor_required) askForCount();
  return title;
}

/** The link from a view to the list that it belongs to, if the user sees that list. */
function breadcrumb() {
  const above = session ? placeOf(here) : undefined;
  if (!above) return null;
  const link = h("a", { href: `#/${above.hash}` }, t(above.title));
  return h("nav.breadcrumb", { "aria-label": t("shell.breadcrumb") }, link, h("span", { "aria-hidden": "true" }, "/"));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let skeletonTimer;

/**
 * Marks the place of an address whose view is loading. Shows a skeleton unless the view is there soon.
 *
 * @param {string} hash
 */
export function expect(hash) {
  clearTimeout(skeletonTimer);
  if (isAlone) return;
  [here] = hash.split("/");
  markPlace(here);
  closeDrawer();
  skeletonTimer = setTimeout(() => {
    main.setAttribute("aria-busy", "true");
    replaceChildren(main, h("div.bar.title", {}), skeleton());
  }, SKELETON_AFTER_MS);
}

function endSkeleton() {
  clearTimeout(skeletonTimer);
  main.removeAttribute("aria-busy");
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

function brandAlone() {
  return h("header.lone", {}, mark(), h("span.brand", {}, "Keyhouse"));
}

/** @param {() => Promise<void>} inNewLanguage */
function bar(inNewLanguage) {
  return h(
    "header.top",
    {},
    drawerButton(),
    h("a.brand", { href: "#/" }, mark(), "Keyhouse"),
    h("span.organization", {}, session.organization.name),
    finder(),
    personButton(),
    personMenu(inNewLanguage),
  );
}

/** The button that opens the command palette. */
function finder() {
  return h(
    "button.finder",
    { type: "button", onclick: openPalette, "aria-keyshortcuts": "/ Control+K" },
    icon("search"),
    h("span", {}, t("palette.field")),
    h("kbd", { "aria-hidden": "true" }, "/"),
  );
}
