// The navigation: a column beside the view, on narrow screens a drawer over it.

import { h } from "../lib/dom.js";
import { icon, iconButton } from "../lib/icon.js";
import { t } from "../lib/text.js";
import { keyCounts } from "./counts.js";
import { placeGroups } from "./places.js";

/** @type {HTMLAnchorElement[]} */
let links = [];

/** The navigation. It is a popover, so that the drawer closes on Escape and on a click beside it. */
export function navigation() {
  links = [];
  const link = (/** @type {import("./places.js").Place} */ place) => {
    const element = h("a", { href: `#/${place.hash}`, "data-place": place.hash }, icon(place.icon), t(place.title));
    links.push(element);
    return place.hash === "keys" ? [element, keyCounts(element)] : element;
  };
  const groups = placeGroups().map(({ heading, places }) => [
    heading ? h("p.part", {}, t(heading)) : null,
    places.map(link),
  ]);
  const follow = (/** @type {Event} */ event) => {
    const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
    document.querySelector(".toggle")?.setAttribute("aria-expanded", String(isOpen));
  };
  return h(
    "nav.side",
    { id: "side", popover: "auto", "aria-label": t("shell.navigation"), ontoggle: follow, onclick: closeDrawer },
    groups,
    h("a.last", { href: "docs" }, icon("book"), t("about.api")),
  );
}

/** The button that opens the drawer. */
export function drawerButton() {
  const button = iconButton("menu", t("shell.menu"), {
    popovertarget: "side",
    "aria-controls": "side",
    "aria-expanded": "false",
  });
  button.classList.add("toggle");
  return button;
}

/** Closes the drawer, if it is open. */
export function closeDrawer() {
  const side = document.getElementById("side");
  if (side?.matches(":popover-open")) side.hidePopover();
}

/**
 * Marks the current place.
 *
 * @param {string} here
 */
export function markPlace(here) {
  for (const link of links) {
    if (link.dataset.place === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
