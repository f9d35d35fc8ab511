// Texts for audit events: the actor, the action and the changed fields.

import { h } from "./dom.js";
import { exactMoment, optionalText, formatList, number, parts, t } from "./text.js";

/** Actions whose events list every field as new or as removed. */
const WHOLE = /\.(create|remove|delete|import|setup)$/;
const A_MOMENT = /^\d{4}-\d\d-\d\dT/;

/**
 * An event as a sentence: a list of texts and nodes. The sentence does not name the subject.
 *
 * @param {Api.Event} event
 */
export function eventText(event) {
  const actor = h("strong", {}, actorName(event.actor));
  // events.key_create, events.key_update, ... : one for each action; `unknown` for an action without a text
  const key = `events.${event.action.replaceAll(".", "_")}`;
  if (optionalText(key) === undefined) return parts("events.unknown", { actor, action: event.action });
  return parts(key, { actor });
}

/**
 * The actor's name, or a text for the kind of actor.
 *
 * @param {Api.Event["actor"]} actor
 */
function actorName(actor) {
  if (actor.name) return actor.name;
  if (actor.kind === "local") return t("events.actor_local");
  if (actor.kind === "none") return t("events.actor_anonymous");
  return actor.kind === "key" ? t("events.actor_removed_key") : t("events.actor_unknown_user");
}

/**
 * The changed fields with their old and new values, as nodes; none if the event created or removed its subject.
 * `nameOf(id)` may return the name of a resource that the event names only by id.
 *
 * @param {Api.Event} event
 * @param {(id: string) => string | undefined} [nameOf]
 * @returns {Page.Child[]}
 */
export function changesIn(event, nameOf = () => undefined) {
  const names = Object.keys({ ...event.before, ...event.after });
  if (names.length === 0 || WHOLE.test(event.action)) return [];
  const text = (/** @type {unknown} */ value) => written(value, nameOf);
  const line = (/** @type {string} */ name) => [
    h("dt", {}, fieldName(name)),
    h("dd", {}, difference(text(event.before[name]), text(event.after[name]))),
  ];
  return [h("dl.facts", {}, names.map(line))];
}

/** @param {unknown} value */
export const isNothing = (value) => value === null || value === undefined;

/**
 * @param {string} before
 * @param {string} after
 */
export function difference(before, after) {
  return parts("events.from_to", { before: h("del", {}, before), after: h("ins", {}, after) });
}

/**
 * The label of a field; its API name if there is no text for it.
 *
 * @param {string} name
 */
export function fieldName(name) {
  // event_fields.name, event_fields.permissions, ...
  return optionalText(`event_fields.${name}`) ?? name;
}

/**
 * @param {any} value
 * @param {(id: string) => string | undefined} nameOf
 * @returns {string}
 */
export function written(value, nameOf) {
  const text = (/** @type {unknown} */ one) => written(one, nameOf);
  if (isNothing(value) || value === "") return t("events.nothing");
  if (value === true) return t("events.yes");
  if (value === false) return t("events.no");
  if (typeof value === "number") return number(value);
  // A list inside a list, such as a team with its access.
  const pair = (/** @type {unknown} */ one) => (Array.isArray(one) ? one.map(text).join(" ") : text(one));
  if (Array.isArray(value)) return value.length === 0 ? t("events.nothing") : formatList(value.map(pair));
  if (typeof value === "object") {
    const named = Object.entries(value).filter(([, one]) => !isNothing(one));
    const pairs = named.map(([name, one]) => [fieldName(name), one]);
    return pairs.length === 0 ? t("events.nothing") : formatList(pairs.map(pair));
  }
  return nameOf(value) ?? (A_MOMENT.test(value) ? exactMoment(value) : value);
}
