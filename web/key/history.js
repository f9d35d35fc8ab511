// The audit events of a key, newest first.

import { h } from "../lib/dom.js";
import { changesIn, eventText } from "../lib/event-words.js";
import { timeAgo } from "../elements/time-ago.js";
import { list } from "../lib/list.js";
import { may } from "../lib/state.js";
import { t } from "../lib/text.js";
import { card } from "./parts.js";

const PAGE_ITEMS = 20;

/**
 * @param {Page.KeyPage} page
 * @returns {Page.KeyPanel}
 */
export function panel({ key, teams }) {
  const nameOf = (/** @type {string} */ id) => teams.find((team) => team.id === id)?.name;
  const line = (/** @type {Api.Event} */ event) => eventLine(event, nameOf);
  const show = (/** @type {Api.Event[]} */ events) => h("ol.history", {}, events.map(line));
  const more = (/** @type {Element} */ element, /** @type {Api.Event[]} */ events) => {
    const lines = events.map(line);
    element.append(...lines);
    return lines[0];
  };
  const empty = () => h("p.soft", {}, t("key.no_history"));
  const events = list("/v1/audit", { query: { target: key.id }, show, more, empty, pageItems: PAGE_ITEMS });
  const whole = may("keyhouse:audit:read") ? h("a", { href: `#/audit?subject=${key.id}` }, t("key.in_audit")) : null;
  return { element: card(t("key.history"), whole, events.element), draw: () => events.reload() };
}

/**
 * @param {Api.Event} event
 * @param {(id: string) => string | undefined} nameOf
 */
function eventLine(event, nameOf) {
  const changes = changesIn(event, nameOf);
  return h(
    "li",
    { tabindex: "-1" },
    h("p", {}, eventText(event)),
    h("p.small.soft", {}, timeAgo(event.at), event.address ? [" · ", h("code", {}, event.address)] : null),
    changes.length > 0 ? h("details.small", {}, h("summary", {}, t("events.changes")), changes) : null,
  );
}
