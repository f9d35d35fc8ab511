// The filters of the audit log: a search field and chips. The address holds them.

import { replaceChildren, h } from "../lib/dom.js";
import { searchField, select } from "../lib/form.js";
import { icon } from "../lib/icon.js";
import { compareNames, t } from "../lib/text.js";

/** Kinds of events: the first word of their actions. */
export const KINDS = [
  "session",
  "key",
  "keys",
  "user",
  "invitation",
  "reset",
  "totp",
  "lockout",
  "notice",
  "team",
  "role",
  "organization",
  "subscription",
  "permission",
  "plan",
  "gate",
  "instance",
  "seal_key",
  "audit",
];
/** Days back from now, by their names in the address. */
const PERIODS = { "1d": 1, "7d": 7, "30d": 30, "90d": 90 };
const OWN_DATES = "dates";
const DAY_MS = 86_400_000;
const NAMES = /** @type {const} */ (["search", "who", "what", "when", "since", "until", "subject"]);

/** @typedef {Record<typeof NAMES[number], string>} Chosen */

/**
 * The filters of an address.
 *
 * @param {URLSearchParams} query
 * @returns {Chosen}
 */
export function chosenBy(query) {
  const chosen = /** @type {Chosen} */ (Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""])));
  if (chosen.when === "" && (chosen.since || chosen.until)) chosen.when = OWN_DATES;
  if (chosen.when !== OWN_DATES) Object.assign(chosen, { since: "", until: "" });
  return chosen;
}

/** @param {Chosen} chosen */
export function addressOf(chosen) {
  const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== ""));
  return query.size > 0 ? `#/audit?${query}` : "#/audit";
}

/** @param {Chosen} chosen */
export const isFiltered = (chosen) => Object.values(chosen).some((value) => value !== "");

/**
 * The API query of filters. Days are in the user's time zone.
 *
 * @param {Chosen} chosen
 * @param {number} [now]
 */
export function apiQuery({ search, who, what, when, since, until, subject }, now = Date.now()) {
  const days = Object.entries(PERIODS).find(([name]) => name === when)?.[1];
  return {
    search,
    actor: who,
    action: what ? `${what}.*` : "",
    target: subject,
    since: days ? new Date(now - days * DAY_MS).toISOString() : dayOf(since, 0),
    until: dayOf(until, 1),
  };
}

/**
 * The start of a day, plus a number of days; empty if it is not a date.
 *
 * @param {string} text
 * @param {number} later
 */
function dayOf(text, later) {
  const at = new Date(`${text}T00:00`);
  at.setDate(at.getDate() + later);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

/**
 * The row of filters. `change(isStep)` shows the list of changed filters. A chosen filter is a step of the browser
 * history, a typed letter is not. `nameOf(id)` is the name of an object, if it is known.
 *
 * @param {Chosen} chosen
 * @param {{id: string, name: string, email: string}[]} people
 * @param {{change: (isStep: boolean) => void, nameOf: (id: string) => string | undefined}} options
 */
export function filters(chosen, people, { change, nameOf }) {
  const place = h("div.chips", {});
  const draw = () => replaceChildren(place, chips());
  const changed = (/** @type {boolean} */ isStep) => {
    draw();
    change(isStep);
  };
  const chip = (
    /** @type {"who" | "what" | "when"} */ name,
    /** @type {string} */ label,
    /** @type {string[][]} */ options,
  ) => {
    const onchange = (/** @type {Page.ControlEvent} */ event) => {
      chosen[name] = event.target.value;
      if (name === "when") Object.assign(chosen, { since: "", until: "" });
      changed(true);
      place.querySelector(`select[name=${name}]`)?.focus();
    };
    const element = h("label.chip", {}, h("span", {}, label), select(name, options, chosen[name], { onchange }));
    element.classList.toggle("chosen", chosen[name] !== "");
    return element;
  };
  const date = (/** @type {"since" | "until"} */ name, /** @type {string} */ label) => {
    const onchange = (/** @type {Page.ControlEvent} */ event) => {
      chosen[name] = event.target.value;
      change(true);
    };
    return h("label.chip", {}, h("span", {}, label), h("input", { type: "date", name, value: chosen[name], onchange }));
  };
  const subject = () => {
    const onclick = () => {
      chosen.subject = "";
      changed(true);
    };
    const words = t("audit_log.of_subject", { name: nameOf(chosen.subject) ?? chosen.subject });
    return h(
      "button.chip.chosen",
      { type: "button", onclick, title: t("audit_log.drop_subject") },
      words,
      icon("close"),
    );
  };
  const clear = () => {
    for (const name of NAMES) chosen[name] = "";
    input.value = "";
    changed(true);
    input.focus();
  };
  const chips = () => [
    chosen.subject ? subject() : null,
    chip("who", t("audit_log.actor"), actors(people, chosen.who)),
    chip("what", t("audit_log.action"), [["", t("audit_log.any")], ...KINDS.map((kind) => [kind, kindName(kind)])]),
    chip("when", t("audit_log.time"), periods()),
    chosen.when === OWN_DATES ? [date("since", t("audit_log.since")), date("until", t("audit_log.until"))] : null,
    isFiltered(chosen) ? h("button.quiet", { type: "button", onclick: clear }, t("audit_log.clear")) : null,
  ];
  const search = (/** @type {string} */ text) => {
    chosen.search = text;
    changed(false);
  };
  const words = { label: t("audit_log.search"), hint: t("audit_log.search_hint"), value: chosen.search };
  const isHere = () => /^#\/audit(\?|$)/.test(location.hash);
  const { element: field, input } = searchField(words, isHere, search);
  draw();
  return h("div.key-filters.audit-filters", { role: "search", "aria-label": t("audit_log.filters") }, field, place);
}

/**
 * @param {{id: string, name: string, email: string}[]} people
 * @param {string} chosen
 */
function actors(people, chosen) {
  const sorted = people.toSorted((one, other) => compareNames(one.name, other.name));
  const options = [
    ["", t("audit_log.any")],
    ...sorted.map(({ id, name, email }) => [id, `${name} (${email})`]),
    ["local", t("audit_log.local")],
    ["none", t("audit_log.anonymous")],
  ];
  // A link from another view may name a key or a removed user.
  return options.some(([id]) => id === chosen) ? options : [...options, [chosen, chosen]];
}

// audit_log.kind_session, .kind_key and so on, one for each of KINDS
const kindName = (/** @type {string} */ kind) => t(`audit_log.kind_${kind}`);

// audit_log.within_1d, .within_7d, .within_30d, .within_90d
const periods = () => [
  ["", t("audit_log.any")],
  ...Object.keys(PERIODS).map((name) => [name, t(`audit_log.within_${name}`)]),
  [OWN_DATES, t("audit_log.dates")],
];
