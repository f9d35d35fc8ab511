// Audit events in words: who did what, and what changed by it.

import { h } from "./dom.js";
import { exactly, known, listed, number, parts, t } from "./text.js";

/** Events of which all fields are new, or gone. */
const WHOLE = /\.(create|remove|delete|import|setup)$/;
const A_MOMENT = /^\d{4}-\d\d-\d\dT/;

/** An event as a sentence: a list of texts and nodes. It does not name what the event was done to. */
export function inWords(event) {
  const actor = h("strong", {}, actorName(event.actor));
  // events.key_create, events.key_update, ... : one for each action; `unknown` for one that is new
  const key = `events.${event.action.replaceAll(".", "_")}`;
  return known(key) === undefined ? parts("events.unknown", { actor, action: event.action }) : parts(key, { actor });
}

/** Who did it. */
function actorName(actor) {
  if (actor.name) return actor.name;
  if (actor.kind === "local") return t("events.actor_local");
  if (actor.kind === "none") return t("events.actor_nobody");
  return actor.kind === "key" ? t("events.actor_gone_key") : t("events.actor_gone_user");
}

/**
 * The fields that the event changed, as they were and as they are: nodes; none where the thing itself
 * came or went. `nameOf(id)` may give the name of what is only told by its id.
 */
export function changesIn(event, nameOf = () => undefined) {
  const names = Object.keys({ ...event.before, ...event.after });
  if (names.length === 0 || WHOLE.test(event.action)) return [];
  const said = (value) => written(value, nameOf);
  const line = (name) => [
    h("dt", {}, fieldName(name)),
    h("dd", {}, difference(said(event.before[name]), said(event.after[name]))),
  ];
  return [h("dl.facts", {}, names.map(line))];
}

const isNothing = (value) => value === null || value === undefined;

function difference(before, after) {
  return parts("events.from_to", { before: h("del", {}, before), after: h("ins", {}, after) });
}

/** A field in words; as the API calls it where it is new. */
function fieldName(name) {
  // event_fields.name, event_fields.permissions, ...
  return known(`event_fields.${name}`) ?? name;
}

function written(value, nameOf) {
  const said = (one) => written(one, nameOf);
  if (isNothing(value) || value === "") return t("events.nothing");
  if (value === true) return t("events.yes");
  if (value === false) return t("events.no");
  if (typeof value === "number") return number(value);
  // A short list inside another, such as a team and its access.
  const pair = (one) => (Array.isArray(one) ? one.map(said).join(" ") : said(one));
  if (Array.isArray(value)) return value.length === 0 ? t("events.nothing") : listed(value.map(pair));
  if (typeof value === "object") {
    const named = Object.entries(value).filter(([, one]) => !isNothing(one));
    const pairs = named.map(([name, one]) => [fieldName(name), one]);
    return pairs.length === 0 ? t("events.nothing") : listed(pairs.map(pair));
  }
  return nameOf(value) ?? (A_MOMENT.test(value) ? exactly(value) : value);
}
