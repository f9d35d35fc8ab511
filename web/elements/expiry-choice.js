// The choice of a key's expiry: a number of days, a date, or never if the organization allows that.

import { replaceChildren, h } from "../lib/dom.js";
import { field, group, radios } from "../lib/form.js";
import { session } from "../lib/state.js";
import { day, t } from "../lib/text.js";

const DAYS = [7, 30, 90, 365];
const DAY_MS = 86_400_000;
const PROPOSED = "30d";
const YEAR = 365;

/**
 * The choice, with `chosen` selected: a number of days (`30d`), a date (`2027-01-31`), or `never`. Returns
 * `{element, fields, linked, inWords}`; `fields()` returns the fields of the request.
 */
export function expiryChoice(chosen = PROPOSED) {
  const daysMax = session.organization.key_lifetime_days_max;
  const fits = (/** @type {number} */ days) => daysMax === null || days <= daysMax;
  const span = (/** @type {number} */ days) => [`${days}d`, lasting(days)];
  const spans = DAYS.filter(fits).map(span);
  // The organization's maximum is below the shortest of these choices.
  if (spans.length === 0 && daysMax !== null) spans.push(span(daysMax));
  const known = spans.some(([days]) => days === chosen) || (chosen === "never" && daysMax === null);
  // Any other number of days appears as a date.
  if (!known && /^\d+d$/.test(chosen)) chosen = inputDate(Number.parseInt(chosen, 10));
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(chosen);
  const now = isDate ? "date" : known ? chosen : spans.some(([days]) => days === PROPOSED) ? PROPOSED : spans[0][0];
  const choices = [...spans, ["date", t("expiry.date")]];
  if (daysMax === null) choices.push(["never", t("expiry.never")]);
  const date = h("input", {
    type: "date",
    name: "expires_at",
    min: inputDate(1),
    max: daysMax === null ? null : inputDate(daysMax),
    value: isDate ? chosen : inputDate(Math.min(30, daysMax ?? 30)),
  });
  const dateField = field(t("expiry.last_day"), date);
  const ends = h("p.hint", { role: "status" });
  const warning = h("p.notice.warn", { role: "status" });
  const value = () => element.querySelector("input[type=radio]:checked").value;
  const show = () => {
    dateField.hidden = value() !== "date";
    warning.hidden = value() !== "never";
    replaceChildren(warning, value() === "never" ? t("expiry.never_warning") : null);
    ends.hidden = !isSpan();
    replaceChildren(ends, isSpan() ? t("expiry.ends", { day: inWords() }) : null);
  };
  const isSpan = () => value().endsWith("d");
  /** The last day, or that there is none. */
  const inWords = () => {
    if (value() === "never") return t("expiry.never");
    if (isSpan()) return day(Date.now() + Number.parseInt(value(), 10) * DAY_MS);
    return date.value === "" ? t("expiry.date") : day(`${date.value}T23:59:59`);
  };
  const element = group(
    "expires_in",
    t("expiry.title"),
    h(
      "div.segmented",
      {},
      radios("expires_in", choices, now, () => show()),
    ),
    ends,
    dateField,
    warning,
    daysMax === null ? null : h("p.hint", {}, t("expiry.maximum", { count: daysMax })),
  );
  show();
  const fields = () => {
    if (value() === "never") return {};
    if (value() !== "date") return { expires_in: value() };
    // The key expires at the end of the chosen day in the user's time zone.
    return { expires_at: date.value === "" ? "" : new Date(`${date.value}T23:59:59`).toISOString() };
  };
  /** The choice as in a link. */
  const linked = () => (value() === "date" ? date.value : value());
  return { element, fields, linked, inWords };
}

/** A number of days in words. */
export const lasting = (/** @type {number} */ days) =>
  days === YEAR ? t("expiry.year") : t("expiry.days", { count: days });

/**
 * The date in a number of days, in the format of a date field and the user's time zone.
 *
 * @param {number} days
 */
function inputDate(days) {
  const then = new Date(Date.now() + days * DAY_MS);
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
}
