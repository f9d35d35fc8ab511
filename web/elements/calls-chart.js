// The chart of calls with its legend and its table, and the choices above it.

import { h } from "../lib/dom.js";
import { table } from "../lib/table.js";
import { number, t } from "../lib/text.js";
import { codeName, looksOf, startOf, swatch, usageChart } from "./usage-chart.js";

/**
 * A choice of one of a few values.
 *
 * @param {string} label
 * @param {Record<string, string>} names
 * @param {string} first
 * @param {(name: string) => void} choose
 */
export function segments(label, names, first, choose) {
  const mark = (/** @type {string} */ chosen) => {
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === chosen));
  };
  const button = (/** @type {string} */ name) => {
    const onclick = () => {
      mark(name);
      choose(name);
    };
    return h("button", { type: "button", onclick }, names[name]);
  };
  const buttons = Object.fromEntries(Object.keys(names).map((name) => [name, button(name)]));
  mark(first);
  return h("div.segments", { role: "group", "aria-label": label }, Object.values(buttons));
}

/** Allowed calls are stacked at the bottom, then the others from the most to the least. */
const inOrder = (/** @type {Record<string, number>} */ totals) => {
  const rank = (/** @type {string} */ code) => (code === "VALID" ? Infinity : totals[code]);
  return Object.keys(totals).toSorted((one, other) => rank(other) - rank(one));
};

/**
 * The chart of `buckets`, stacked by what `totals` sums: outcomes, unless `nameOf` names something else. `label` is the
 * accessible name of the chart, `legend` that of its legend.
 *
 * @param {{interval: "hour" | "day", buckets: Page.Bucket[], totals: Record<string, number>, label: string,
 *   legend?: string, nameOf?: (code: string) => string}} shown
 */
export function callsChart({ interval, buckets, totals, label, legend = t("usage.legend"), nameOf = codeName }) {
  const codes = inOrder(totals);
  const looks = nameOf === codeName ? looksOf(codes) : codes.map((_, at) => at);
  const entries = codes.map((code, at) =>
    h("li", {}, swatch(looks[at]), h("span", {}, nameOf(code), " ", h("strong", {}, number(totals[code])))),
  );
  const columns = [interval === "hour" ? t("usage.hour") : t("usage.day"), t("usage.calls"), ...codes.map(nameOf)];
  const row = (/** @type {Page.Bucket} */ bucket) => [
    startOf(bucket, interval),
    number(bucket.calls),
    ...codes.map((code) => number(bucket.codes[code] ?? 0)),
  ];
  const rows = buckets
    .filter((bucket) => bucket.calls > 0)
    .toReversed()
    .map(row);
  return [
    usageChart({ buckets, codes, interval, label, looks, nameOf }),
    h("ul.legend", { "aria-label": legend }, entries),
    interval === "day" ? h("p.small.soft", {}, t("usage.in_utc")) : null,
    h(
      "details",
      {},
      h("summary", {}, t("usage.as_table")),
      h("div.counts", {}, table(t("usage.table"), columns, rows)),
    ),
  ];
}
