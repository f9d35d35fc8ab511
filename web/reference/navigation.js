// The column of the API reference: a search over all operations, and the operations by resource.

import { h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { t } from "../lib/text.js";
import { addressOf } from "./overview.js";
import { methodBadge } from "./parts.js";
import { searchOver } from "./search.js";

/**
 * @typedef {import("./description.js").Description} Description
 * @typedef {import("./description.js").Operation} Operation
 * @typedef {import("./description.js").Resource} Resource
 */

/** The field of the search, for the shortcut. */
export const searchField = () => /** @type {HTMLInputElement} */ (document.querySelector(".reference-search input"));

/**
 * The navigation. `mark(address)` marks the current place, such as `keys/createKey`.
 *
 * @param {Description} description
 */
export function navigation(description) {
  const find = searchOver(description);
  const list = h("div.reference-list", {});
  const found = h("p.visually-hidden", { role: "status" });
  let here = "";
  const search = h("input", {
    type: "search",
    name: "search",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": t("reference.search"),
    "aria-keyshortcuts": "/",
    placeholder: t("reference.search_hint"),
    oninput: () => show(),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.isComposing) return;
      const [first] = links();
      if (event.key === "Enter" && search.value.trim() !== "") first?.click();
      if (event.key === "ArrowDown") focusAt(event, 0);
    },
  });
  const links = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a")]).filter(isShown);
  const focusAt = (/** @type {Event} */ event, /** @type {number} */ at) => {
    const target = at < 0 ? search : links()[at];
    if (!target) return;
    event.preventDefault();
    target.focus();
  };
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = links().findIndex((link) => link === document.activeElement);
    if (by && at >= 0) focusAt(event, at + by);
  });
  const show = () => {
    const query = search.value.trim();
    if (query === "") {
      replaceChildren(found);
      replaceChildren(list, all(description, here));
    } else {
      const operations = find(query);
      const text = operations.length > 0 ? t("reference.found", { count: operations.length }) : t("reference.nothing");
      replaceChildren(found, text);
      replaceChildren(
        list,
        h("p.part", { "aria-hidden": "true" }, text),
        h(
          "ul",
          {},
          operations.map((operation) => operationLink(operation)),
        ),
      );
    }
    markIn(list, here);
  };
  const mark = (/** @type {string} */ address) => {
    const [resource] = address.split("/");
    const isElsewhere = here.split("/")[0] !== resource;
    here = address;
    if (isElsewhere && search.value.trim() === "") show();
    else markIn(list, here);
  };
  show();
  const element = h(
    "nav.side.reference-side",
    { id: "side", popover: "auto", "aria-label": t("reference.title"), ontoggle: followDrawer, onclick: closeOnLink },
    h("div.search-field.reference-search", { role: "search" }, icon("search"), search),
    found,
    list,
  );
  return { element, mark };
}

const isShown = (/** @type {Element} */ element) => element.checkVisibility();

/** @param {Event} event */
function followDrawer(event) {
  const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
  document.querySelector(".toggle")?.setAttribute("aria-expanded", String(isOpen));
}

/** @param {Event} event */
function closeOnLink({ target, currentTarget }) {
  const side = /** @type {HTMLElement} */ (currentTarget);
  if (/** @type {Element} */ (target).closest("a") && side.matches(":popover-open")) side.hidePopover();
}

/**
 * @param {Element} list
 * @param {string} here
 */
function markIn(list, here) {
  for (const link of list.querySelectorAll("a")) {
    const isHere = link.getAttribute("href") === `#/${here}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isHere && isShown(link)) link.scrollIntoView({ block: "nearest" });
  }
}

/**
 * @param {Description} description
 * @param {string} here
 */
function all({ parts }, here) {
  const [current] = here.split("/");
  const place = (/** @type {string} */ address, /** @type {string} */ symbol, /** @type {string} */ text) =>
    h("a", { href: `#/${address}` }, icon(symbol), text);
  const resource = (/** @type {Resource} */ { name, title, operations }) =>
    h(
      "details",
      { open: name === current },
      h("summary", { lang: "en" }, title),
      h("ul", {}, operations.map(operationLink)),
    );
  return [
    place("", "book", t("reference.overview")),
    place("errors", "alert", t("reference.errors")),
    parts.map(({ title, resources }) => [h("p.part", { lang: "en" }, title), resources.map(resource)]),
  ];
}

/** @param {Operation} operation */
function operationLink(operation) {
  const { method, summary } = operation;
  return h("li", {}, h("a", { href: addressOf(operation) }, methodBadge(method), h("span", { lang: "en" }, summary)));
}
