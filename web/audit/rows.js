// The rows of the audit log: time, what happened, the object by its name, the address. A row unfolds to its details.

import { avatar } from "../elements/avatar.js";
import { copyButton } from "../elements/copy-button.js";
import { freshId, h } from "../lib/dom.js";
import { difference, eventText, fieldName, isNothing, written } from "../lib/event-words.js";
import { iconButton } from "../lib/icon.js";
import { exactMoment, moment, t } from "../lib/text.js";

/**
 * Views by the prefix of an id.
 *
 * @type {Record<string, string>}
 */
const PLACES = { key: "keys", usr: "people", team: "teams", role: "roles" };

/** @param {(id: string) => string | undefined} nameOf */
export function eventRows(nameOf) {
  const columns = () => [
    t("audit_log.time"),
    t("audit_log.event"),
    t("audit_log.object"),
    t("audit_log.address"),
    { hidden: t("audit_log.details") },
  ];
  const cells = (/** @type {Api.Event} */ event) => [
    h("time", { datetime: event.at, title: exactMoment(event.at) }, moment(event.at)),
    h("span.event", {}, avatar(event.actor.name ?? ""), h("span", {}, eventText(event))),
    // Who signs in is the object of the event too.
    event.target === event.actor.id ? null : objectOf(event),
    event.address,
    unfoldButton(event, nameOf),
  ];
  return { columns, cells };
}

/** @param {Api.Event} event */
function objectOf({ target, target_name }) {
  const place = PLACES[(target ?? "").split("_")[0]];
  const text = target_name ?? h("code", {}, target);
  return place ? h("a", { href: `#/${place}/${target}`, title: target }, text) : h("span", { title: target }, text);
}

/**
 * The button that unfolds the row below its own.
 *
 * @param {Api.Event} event
 * @param {(id: string) => string | undefined} nameOf
 */
function unfoldButton(event, nameOf) {
  const id = freshId("event");
  const words = h("span", {}, eventText(event), " ", event.target_name).textContent;
  const label = t("audit_log.details_of", { event: words.trim() });
  const button = iconButton("chevron", label, { "aria-expanded": "false", "aria-controls": id });
  button.addEventListener("click", () => {
    const row = button.closest("tr");
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    row.classList.toggle("open", !isOpen);
    if (isOpen) document.getElementById(id)?.remove();
    else row.after(detailRow(event, id, nameOf));
  });
  return button;
}

/**
 * @param {Api.Event} event
 * @param {string} id
 * @param {(id: string) => string | undefined} nameOf
 */
function detailRow(event, id, nameOf) {
  return h("tr.detail", { id, role: "row" }, h("td", { role: "cell", colspan: 5 }, details(event, nameOf)));
}

/**
 * The changed fields in words, then the facts of the event.
 *
 * @param {Api.Event} event
 * @param {(id: string) => string | undefined} nameOf
 */
function details(event, nameOf) {
  const { id, action, target, actor, before, after } = event;
  const fact = (/** @type {string} */ name, /** @type {Page.Child} */ value) => [h("dt", {}, name), h("dd", {}, value)];
  const code = (/** @type {string | null} */ text) => (text ? h("code", {}, text) : null);
  const changed = changedFields(before, after).map((name) => fact(fieldName(name), change(name, event, nameOf)));
  const idCode = h("code", { tabindex: "-1" }, id);
  const copy = copyButton(
    () => id,
    () => idCode,
    t("audit_log.copy_id"),
    true,
  );
  return h(
    "div.event-details",
    {},
    changed.length > 0 ? h("dl.facts.changed", {}, changed) : h("p.soft", {}, t("audit_log.no_changes")),
    h(
      "dl.facts.small",
      {},
      fact(t("audit_log.time"), exactMoment(event.at)),
      fact(t("audit_log.action_code"), code(action)),
      actor.id ? fact(t("audit_log.actor_id"), code(actor.id)) : null,
      target ? fact(t("audit_log.object_id"), code(target)) : null,
      fact(t("audit_log.event_id"), [idCode, copy]),
    ),
  );
}

/**
 * The fields whose values differ. A new object has only those with a value, a removed one too.
 *
 * @param {Record<string, unknown>} before
 * @param {Record<string, unknown>} after
 */
export function changedFields(before, after) {
  const isEmpty = (/** @type {unknown} */ value) =>
    isNothing(value) || value === "" || (Array.isArray(value) && value.length === 0) || isEmptyObject(value);
  const isSame = (/** @type {string} */ name) =>
    JSON.stringify(before[name]) === JSON.stringify(after[name]) || (isEmpty(before[name]) && isEmpty(after[name]));
  return Object.keys({ ...before, ...after }).filter((name) => !isSame(name));
}

const isEmptyObject = (/** @type {unknown} */ value) =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/**
 * @param {string} name
 * @param {Api.Event} event
 * @param {(id: string) => string | undefined} nameOf
 */
function change(name, { before, after }, nameOf) {
  const [old, now] = [before[name], after[name]];
  const isNew = Object.values(before).every(isNothing);
  const isGone = Object.values(after).every(isNothing);
  if (isNew) return h("ins", {}, written(now, nameOf));
  if (isGone) return h("del", {}, written(old, nameOf));
  return difference(written(old, nameOf), written(now, nameOf));
}
