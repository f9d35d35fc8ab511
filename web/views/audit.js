// The audit log, newest events first, and its verification.

import { all, post, request } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { copyButton } from "../elements/copy-button.js";
import { eventText } from "../lib/event-words.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { list } from "../lib/list.js";
import { allRoles } from "../lib/roles.js";
import { may, session } from "../lib/state.js";
import { exactMoment, compareNames, optionalText, moment, number, t } from "../lib/text.js";

/** Kinds of events: the first word of their actions. */
const KINDS = [
  "session",
  "key",
  "keys",
  "user",
  "invitation",
  "reset",
  "totp",
  "team",
  "role",
  "organization",
  "subscription",
  "permission",
  "plan",
  "gate",
  "instance",
  "audit",
];

/** @param {Page.Address} options */
export async function view({ query }) {
  const [people, teams, roles] = await Promise.all([
    may("keyhouse:users:read") ? all("/v1/users") : [session.user],
    all("/v1/teams"),
    allRoles(),
  ]);
  const names = new Map([...people, ...teams, ...roles].map((one) => [one.id, one.name]));
  loadingNames.clear();
  const line = (/** @type {Api.Event} */ event) => lineOf(event, names);
  const events = list("/v1/audit", {
    query: apiQuery(query),
    show: (items) => h("ol.events.card.flush", {}, items.map(line)),
    more: (element, items) => {
      const lines = items.map(line);
      element.append(...lines);
      lines[0]?.setAttribute("tabindex", "-1");
      return lines[0];
    },
    empty: () => h("div.card.empty", {}, h("p", {}, t("audit.nothing"))),
  });
  const button = h("button", { type: "button", onclick: check }, t("audit.check"));
  // Without the permission the list shows the problem, so the filters are omitted.
  const reads = may("keyhouse:audit:read");
  const body = h("div.stack", {}, reads ? filters(query, people, events.reload) : null, events.element);
  return { title: t("audit.title"), actions: reads ? [button] : [], body };
}

/**
 * The API query of the address. Days are in the user's time zone.
 *
 * @param {URLSearchParams} query
 */
function apiQuery(query) {
  const kind = query.get("what");
  const since = query.get("since");
  const until = query.get("until");
  return {
    actor: query.get("who"),
    action: kind ? `${kind}.*` : null,
    target: query.get("subject"),
    since: since ? dayOf(since, 0) : null,
    until: until ? dayOf(until, 1) : null,
  };
}

/**
 * The start of a day, plus a number of days; `undefined` if it is not a date.
 *
 * @param {string} text
 * @param {number} later
 */
function dayOf(text, later) {
  const at = new Date(`${text}T00:00`);
  at.setDate(at.getDate() + later);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/**
 * @param {URLSearchParams} query
 * @param {{id: string, name: string, email: string}[]} people
 * @param {(query: Record<string, unknown>) => unknown} reload
 */
function filters(query, people, reload) {
  people.sort((one, other) => compareNames(one.name, other.name));
  const who = [
    ["", t("audit.any_actor")],
    ...people.map((one) => [one.id, `${one.name} (${one.email})`]),
    ["local", t("audit.local")],
    ["none", t("audit.anonymous")],
  ];
  const chosen = query.get("who") ?? "";
  // A link from another page may name a key or a removed user.
  if (!who.some(([id]) => id === chosen)) who.push([chosen, chosen]);
  const what = [["", t("audit.any_action")], ...KINDS.map((kind) => [kind, kindName(kind)])];
  const date = (/** @type {string} */ name) => h("input", { type: "date", name, value: query.get(name) });
  const value = query.get("subject");
  const subject = h("input", { name: "subject", value, autocomplete: "off", spellcheck: "false" });
  const apply = () => {
    for (const name of ["who", "what", "subject", "since", "until"]) {
      const value = valueOf(element, name).trim();
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const at = query.toString();
    history.replaceState(null, "", at ? `#/audit?${at}` : "#/audit");
    return reload(apiQuery(query));
  };
  const clear = () => {
    for (const control of element.elements) /** @type {Page.Control} */ (control).value = "";
    apply();
  };
  const element = form(
    { submit: apply, button: t("audit.show") },
    h(
      "div.filters",
      {},
      field(t("audit.actor"), select("who", who, chosen)),
      field(t("audit.action"), select("what", what, query.get("what") ?? "")),
      field(t("audit.since"), date("since")),
      field(t("audit.until"), date("until")),
      field(t("audit.subject"), subject, { hint: t("audit.subject_hint") }),
    ),
  );
  element.querySelector(".buttons").append(h("button", { type: "button", onclick: clear }, t("audit.clear")));
  const isUsed = [...query.keys()].length > 0;
  return h("details.card", { open: isUsed }, h("summary", {}, t("audit.filters")), element);
}

// audit.kind_session, .kind_key and so on, one for each of KINDS
const kindName = (/** @type {string} */ kind) => t(`audit.kind_${kind}`);

/**
 * @param {Api.Event} event
 * @param {Map<string, string>} names
 */
function lineOf(event, names) {
  return h(
    "li",
    {},
    h(
      "div.event",
      {},
      h("span", {}, eventText(event)),
      // Who signs in is the subject of the event too.
      event.target === event.actor.id ? h("span", {}) : subjectOf(event, names),
      h("span.soft.small", {}, whenAndWhere(event)),
    ),
    changes(event),
  );
}

/** @param {Api.Event} event */
function whenAndWhere(event) {
  const time = h("time", { datetime: event.at, title: exactMoment(event.at) }, moment(event.at));
  return event.address ? [time, " · ", event.address] : time;
}

/**
 * Views by the prefix of an id.
 *
 * @type {Record<string, string>}
 */
const PLACES = { key: "keys", usr: "people", team: "teams", role: "roles" };

/**
 * @param {Api.Event} options
 * @param {Map<string, string>} names
 */
function subjectOf({ target, before, after }, names) {
  const place = PLACES[(target ?? "").split("_")[0]];
  const candidates = [after.name, names.get(target ?? ""), before.name, after.email, before.email];
  const name = candidates.find((one) => typeof one === "string");
  const text = name ?? h("code", {}, target);
  if (name === undefined && target?.startsWith("key_")) showKeyName(target, /** @type {Element} */ (text), names);
  return place ? h("a", { href: `#/${place}/${target}`, title: target }, text) : h("span", { title: target }, text);
}

/**
 * Replaces the id of a key by its name, which most events of a key do not contain. The id stays if the key was purged
 * or the user may not open it.
 *
 * @param {string} id
 * @param {Element} place
 * @param {Map<string, string>} names
 */
async function showKeyName(id, place, names) {
  if (!loadingNames.has(id)) {
    const load = request("GET", `/v1/keys/${id}`, { quietly: true }).then(({ name }) => names.set(id, name));
    loadingNames.set(
      id,
      load.catch(() => {}),
    );
  }
  await loadingNames.get(id);
  const name = names.get(id);
  if (name !== undefined) place.replaceWith(name);
}
/** Requests for names of keys, by id: several events of a list may name the same key. */
const loadingNames = new Map();

/**
 * The old and new value of each changed field.
 *
 * @param {Api.Event} options
 */
function changes({ before, after }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => written(before[name]) !== written(after[name]));
  if (changed.length === 0) return null;
  const row = (/** @type {string} */ name) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, optionalText(`event_fields.${name}`) ?? h("code", {}, name)),
      h("td", {}, h("code", {}, written(before[name]))),
      h("td", {}, h("code", {}, written(after[name]))),
    );
  const columns = [t("audit.field"), t("audit.before"), t("audit.after")];
  const heading = columns.map((text) => h("th", { scope: "col" }, text));
  const table = h("table.changes", {}, h("thead", {}, h("tr", {}, heading)), h("tbody", {}, changed.map(row)));
  return h("details", {}, h("summary.small", {}, t("audit.details")), table);
}

/**
 * A value as in the log; empty if there is none.
 *
 * @param {unknown} value
 */
function written(value) {
  if (value === null || value === undefined || value === "") return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The last removal of older events, and its retention period.
 *
 * @param {NonNullable<Api.Checked["cut"]>} options
 */
function cutInWords({ at, retention }) {
  if (retention === null) return t("audit.cut_before", { at: moment(at) });
  return t("audit.cut", { at: moment(at), days: number(parseInt(retention, 10)) });
}

/** Verifies the seals of the whole log and shows the result. */
function check() {
  return open(
    t("audit.check"),
    () => {
      const outcome = h("div", {});
      const head = h("input", { name: "head", autocomplete: "off", spellcheck: "false" });
      const submit = async (/** @type {HTMLFormElement} */ element) => {
        const noted = valueOf(element, "head").trim();
        replaceChildren(outcome, report(await post("/v1/audit/check", noted ? { head: noted } : {})));
      };
      return h(
        "div.stack",
        {},
        h("p", {}, t("audit.check_what")),
        form(
          { submit, button: t("audit.check_now") },
          field(t("audit.earlier_head"), head, {
            optional: true,
            hint: t("audit.earlier_head_hint"),
          }),
        ),
        outcome,
      );
    },
    { wide: true },
  );
}

/** @param {Api.Checked} options */
function report({ ok, events, unsealed, faults, head, cut }) {
  const hash = h("code.one-time", { tabindex: "-1" }, head.hash);
  const fault = (/** @type {Api.Checked["faults"][number]} */ one) =>
    h("li", {}, t(`audit.fault_${one.kind}`), " ", h("code", {}, one.event ?? place(one)));
  // audit.fault_altered, .fault_chain_broken and so on
  const place = (/** @type {{seal?: number}} */ { seal }) => (seal === undefined ? "" : t("audit.seal", { seal }));
  const broken = () => [
    h("p", {}, t("audit.tampered", { count: faults.length })),
    h("ul.bullets", {}, faults.map(fault)),
  ];
  return h(
    "div.stack",
    { role: "status" },
    ok ? h("div.notice", {}, h("p", {}, t("audit.verified", { count: events }))) : h("div.notice.bad", {}, broken()),
    cut ? h("p.small.soft", {}, cutInWords(cut)) : null,
    unsealed > 0 ? h("p.small.soft", {}, t("audit.unsealed", { count: unsealed })) : null,
    h(
      "div.stack.tight",
      {},
      h("p.strong", {}, t("audit.head")),
      h("p.small.soft", {}, t("audit.head_hint")),
      hash,
      h(
        "div",
        {},
        copyButton(
          () => head.hash,
          () => hash,
          t("audit.copy_head"),
        ),
      ),
    ),
  );
}
