// Fields for the rate limits and the quota of a key.

import { replaceChildren, h } from "../lib/dom.js";
import { seconds } from "./limit-words.js";
import { checkbox, field, group, select, valueOf } from "../lib/form.js";
import { allZones, ownZone, t } from "../lib/text.js";

const RATE_LIMITS_MAX = 8;
const CALLS_MAX = 1_000_000_000;
/** Windows that the field offers: a second, ten, a minute, an hour, a day. */
const WINDOWS = [1, 10, 60, 3600, 86_400];
const USUAL_WINDOW = 60;

/**
 * The fields. `limitsFrom(form)` reads their values.
 *
 * @param {Api.RateLimit[]} limits
 * @param {Api.Quota | null} quota
 */
export function limitFields(limits, quota) {
  const rows = h("div.stack", {});
  const more = h("button", { type: "button", onclick: () => add(null) }, t("key.add_limit"));
  const number = () => {
    for (const [at, row] of [...rows.children].entries()) {
      replaceChildren(row.querySelector("legend"), t("key.limit_number", { number: at + 1 }));
      replaceChildren(row.querySelector("button"), t("key.remove_limit", { number: at + 1 }));
      // The pointer of a fault contains the index of the limit.
      for (const part of row.querySelectorAll("[data-part]")) {
        part.dataset.field = `rate_limits/${at}/${part.dataset.part}`;
      }
    }
    more.hidden = rows.children.length >= RATE_LIMITS_MAX;
  };
  const add = (/** @type {Api.RateLimit | null} */ limit) => {
    const leave = () => {
      row.remove();
      number();
      more.focus();
    };
    const row = limitRow(limit, leave);
    rows.append(row);
    number();
    if (!limit) row.querySelector("input").focus();
  };
  for (const limit of limits) add(limit);
  number();
  return h("div.stack", {}, group("rate_limits", t("key.rate_limits"), rows, more), quotaFields(quota));
}

/**
 * @param {Api.RateLimit | null} limit
 * @param {() => void} leave
 */
function limitRow(limit, leave) {
  const part = (/** @type {string} */ name, /** @type {HTMLElement} */ element) => {
    element.dataset.part = name;
    return element;
  };
  const count = { type: "number", min: 1, max: CALLS_MAX, inputmode: "numeric", autocomplete: "off", required: true };
  const calls = h("input", { ...count, name: "limit_limit", value: limit?.limit });
  const name = h("input", { name: "limit_name", maxlength: 32, autocomplete: "off", value: limit?.name });
  const window = limit?.window_seconds ?? USUAL_WINDOW;
  const windows = [...new Set([...WINDOWS, window])].toSorted((one, other) => one - other);
  const choices = windows.map((span) => [String(span), seconds(span)]);
  return h(
    "fieldset.limit",
    {},
    h("legend", {}),
    part("limit", field(t("key.limit_calls"), calls)),
    part("window_seconds", field(t("key.limit_window"), select("limit_window_seconds", choices, String(window)))),
    part("name", field(t("key.limit_name"), name, { optional: true })),
    h("button", { type: "button", onclick: leave }),
  );
}

/** @param {Api.Quota | null} quota */
function quotaFields(quota) {
  const zones = [...new Set([quota?.timezone ?? ownZone(), "UTC", ...allZones()])];
  const periods = [
    ["day", t("key.a_day")],
    ["week", t("key.a_week")],
    ["month", t("key.a_month")],
  ];
  const value = quota?.limit ?? "";
  const calls = h("input", { name: "quota/limit", type: "number", min: 1, inputmode: "numeric", value });
  const parts = h(
    "div.limit",
    {},
    field(t("key.quota_calls"), calls),
    field(t("key.quota_period"), select("quota/period", periods, quota?.period ?? "month")),
    field(
      t("key.quota_zone"),
      select(
        "quota/timezone",
        zones.map((zone) => [zone, zone]),
        zones[0],
      ),
    ),
  );
  const show = () => (parts.hidden = !box.querySelector("input").checked);
  const box = checkbox("has_quota", t("key.has_quota"), { checked: Boolean(quota), onchange: () => show() });
  show();
  return group("quota", t("key.quota"), box, parts);
}

/**
 * The names of limits, given as typed name and window. The server keeps the state of a limit under its name, so each
 * limit without a name gets one that no other has.
 *
 * @param {[string, string][]} limits
 */
export function namesOf(limits) {
  const taken = new Set(limits.map(([name]) => name));
  return limits.map(([name, window]) => {
    if (name !== "") return name;
    const plain = `per-${window}s`;
    let free = plain;
    for (let number = 2; taken.has(free); number++) free = `${plain}-${number}`;
    taken.add(free);
    return free;
  });
}

/**
 * The fields of the request: `{rate_limits, quota}`.
 *
 * @param {HTMLFormElement} form
 */
export function limitsFrom(form) {
  const rows = [...form.querySelectorAll("fieldset.limit")];
  const text = (/** @type {Element} */ row, /** @type {string} */ name) => row.querySelector(`[name="${name}"]`).value;
  const whole = (/** @type {string} */ value) => (value === "" ? null : Number(value));
  const names = namesOf(rows.map((row) => [text(row, "limit_name"), text(row, "limit_window_seconds")]));
  const rate_limits = rows.map((row, at) => ({
    name: names[at],
    limit: whole(text(row, "limit_limit")),
    window_seconds: whole(text(row, "limit_window_seconds")),
  }));
  const has = form.elements.namedItem("has_quota").checked;
  const period = valueOf(form, "quota/period");
  const timezone = valueOf(form, "quota/timezone");
  const quota = has ? { limit: whole(valueOf(form, "quota/limit")), period, timezone } : null;
  return { rate_limits, quota };
}
