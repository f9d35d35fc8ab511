// The usage of a key: allowed and refused calls over time, and recent addresses.

import { get } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { timeAgo } from "../elements/time-ago.js";
import { codeName, looksOf, startOf, swatch, usageChart } from "../elements/usage-chart.js";
import { problemNotice } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { number, t } from "../lib/text.js";
import { card } from "./parts.js";
import { refusedCalls } from "./requests.js";

const HOUR_MS = 3_600_000;
/** Selectable periods: interval, length of a bucket, number of buckets. */
const SPANS = { hour: [HOUR_MS, 24], day: [24 * HOUR_MS, 30] };

/** @param {Api.Key} key */
export function usageCard(key) {
  const place = h("div.stack", {});
  let latestTurn = 0;
  const load = async (/** @type {"hour" | "day"} */ interval) => {
    const turn = ++latestTurn;
    place.setAttribute("aria-busy", "true");
    const [step, count] = SPANS[interval];
    const from = new Date(Math.floor(Date.now() / step) * step - (count - 1) * step).toISOString();
    try {
      const usage = await get("/v1/usage", { key: key.id, interval, from });
      if (turn === latestTurn) replaceChildren(place, drawn(usage, step));
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === latestTurn)
        replaceChildren(
          place,
          problemNotice(problem, () => load(interval)),
        );
    } finally {
      if (turn === latestTurn) place.removeAttribute("aria-busy");
    }
  };
  const choose = (/** @type {"hour" | "day"} */ interval) => {
    for (const [name, button] of Object.entries(buttons)) {
      button.setAttribute("aria-pressed", String(name === interval));
    }
    load(interval);
  };
  const button = (/** @type {"hour" | "day"} */ interval, /** @type {string} */ label) =>
    h("button", { type: "button", onclick: () => choose(interval) }, label);
  const buttons = { hour: button("hour", t("usage.hours")), day: button("day", t("usage.days")) };
  choose("hour");
  return card(t("usage.title"), h("div.segments", {}, Object.values(buttons)), place, refusedCalls(key));
}

/**
 * @param {Api.Usage} usage
 * @param {number} step
 */
function drawn(usage, step) {
  const buckets = filled(usage, step);
  const { calls } = usage.totals;
  const codes = /** @type {Record<string, number>} */ (usage.totals.codes);
  const none = h("p.soft.quiet-chart", {}, t("usage.none"));
  return [calls === 0 ? none : chart(usage, buckets, codes), addresses(usage.addresses)];
}

/**
 * @param {Api.Usage} usage
 * @param {Page.Bucket[]} buckets
 * @param {Record<string, number>} totals
 */
function chart(usage, buckets, totals) {
  const { interval } = usage;
  const { calls } = usage.totals;
  const refused = calls - (totals.VALID ?? 0);
  const sum = t("usage.sum", { count: calls, refused: t("usage.refused", { count: refused }) });
  // Codes are stacked in this order, from the bottom.
  const rank = (/** @type {string} */ code) => (code === "VALID" ? Infinity : totals[code]);
  const codes = Object.keys(totals).toSorted((one, other) => rank(other) - rank(one));
  const looks = looksOf(codes);
  const legend = codes.map((code, at) =>
    h("li", {}, swatch(looks[at]), h("span", {}, codeName(code), " ", h("strong", {}, number(totals[code])))),
  );
  return [
    h("p", {}, sum),
    usageChart({ buckets, codes, interval, label: sum }),
    h("ul.legend", { "aria-label": t("usage.legend") }, legend),
    interval === "day" ? h("p.small.soft", {}, t("usage.in_utc")) : null,
    h("details", {}, h("summary", {}, t("usage.as_table")), asTable(buckets, codes, interval)),
  ];
}

/**
 * @param {Page.Bucket[]} buckets
 * @param {string[]} codes
 * @param {"hour" | "day"} interval
 */
function asTable(buckets, codes, interval) {
  const columns = [interval === "hour" ? t("usage.hour") : t("usage.day"), t("usage.calls"), ...codes.map(codeName)];
  const row = (/** @type {Page.Bucket} */ bucket) => [
    startOf(bucket, interval),
    number(bucket.calls),
    ...codes.map((code) => number(bucket.codes[code] ?? 0)),
  ];
  const rows = buckets
    .filter((bucket) => bucket.calls > 0)
    .toReversed()
    .map(row);
  return h("div.counts", {}, table(t("usage.table"), columns, rows));
}

/**
 * All buckets of the period, including those without calls.
 *
 * @param {Api.Usage} usage
 * @param {number} step
 */
function filled(usage, step) {
  const byStart = new Map(usage.items.map((item) => [Date.parse(item.start), item]));
  /** @type {Page.Bucket[]} */
  const buckets = [];
  for (let start = Date.parse(usage.from); start < Date.parse(usage.to); start += step) {
    const { calls = 0, codes = {} } = byStart.get(start) ?? {};
    buckets.push({ start: new Date(start), calls, codes: /** @type {Record<string, number>} */ (codes) });
  }
  return buckets;
}

/**
 * Recent addresses. The API returns them only to users who may see them.
 *
 * @param {Api.Usage["addresses"]} items
 */
function addresses(items) {
  if (!items || items.length === 0) return null;
  const lines = items.map(({ ip, last_used_at }) =>
    h("li", {}, h("code", {}, ip), h("span.soft", {}, timeAgo(last_used_at))),
  );
  return h("div", {}, h("h3", {}, t("usage.addresses")), h("ul.addresses", {}, lines));
}
