// The usage of a key: calls over time by outcome, recent addresses, refused calls.

import { replaceChildren, h } from "../lib/dom.js";
import { timeAgo } from "../elements/time-ago.js";
import { codeName, looksOf, startOf, swatch, usageChart } from "../elements/usage-chart.js";
import { problemNotice } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { number, t } from "../lib/text.js";
import { callsOf, refusedOf } from "./calls.js";
import { card } from "./parts.js";
import { refusedCalls } from "./requests.js";

/**
 * @typedef {import("./calls.js").Interval} Interval
 * @typedef {"all" | "refused"} Shown
 * @typedef {Awaited<ReturnType<typeof callsOf>>} Calls
 */

/**
 * @param {Page.KeyPage} page
 * @returns {Page.KeyPanel}
 */
export function panel({ key }) {
  const used = h("div.stack", {});
  const calls = callsCard(key, (/** @type {Api.Usage} */ usage) => replaceChildren(used, addresses(usage.addresses)));
  const element = h("div.stack", {}, calls, refusedCalls(key), used);
  return { element };
}

/**
 * @param {Api.Key} key
 * @param {(usage: Api.Usage) => void} loaded
 */
function callsCard(key, loaded) {
  const place = h("div.stack", {});
  let latestTurn = 0;
  let interval = /** @type {Interval} */ ("hour");
  let shown = /** @type {Shown} */ ("all");
  /** @type {Calls | null} */
  let calls = null;
  const draw = () => calls && replaceChildren(place, drawn(calls, shown));
  const load = async () => {
    const turn = ++latestTurn;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await callsOf(key.id, interval);
      if (turn !== latestTurn) return;
      calls = answer;
      draw();
      loaded(calls.usage);
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === latestTurn) replaceChildren(place, problemNotice(problem, load));
    } finally {
      if (turn === latestTurn) place.removeAttribute("aria-busy");
    }
  };
  const outcomes = segments(t("usage.outcomes"), { all: t("usage.all"), refused: t("usage.only_refused") }, (name) => {
    shown = /** @type {Shown} */ (name);
    draw();
  });
  const periods = segments(t("usage.period"), { hour: t("usage.hours"), day: t("usage.days") }, (name) => {
    interval = /** @type {Interval} */ (name);
    load();
  });
  load();
  return card(t("usage.calls"), [outcomes, periods], place);
}

/**
 * A choice of one of a few values. The first is chosen.
 *
 * @param {string} label
 * @param {Record<string, string>} names
 * @param {(name: string) => void} choose
 */
function segments(label, names, choose) {
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
  mark(Object.keys(names)[0]);
  return h("div.segments", { role: "group", "aria-label": label }, Object.values(buttons));
}

/**
 * @param {Calls} calls
 * @param {Shown} shown
 */
function drawn({ usage, buckets }, shown) {
  const { calls } = usage.totals;
  const codes = /** @type {Record<string, number>} */ (usage.totals.codes);
  const refused = refusedOf(usage.totals);
  if (calls === 0) return h("p.soft.quiet-chart", {}, t("usage.none"));
  const sums = [
    sum(t("usage.all"), calls),
    sum(codeName("VALID"), calls - refused),
    sum(t("usage.refused_calls"), refused),
  ];
  const isAll = shown === "all";
  const totals = isAll ? codes : withoutAllowed(codes);
  const chosen = isAll ? buckets : buckets.map(refusedIn);
  const label = t("usage.sum", { count: calls, refused: t("usage.refused", { count: refused }) });
  const none = h("p.soft.quiet-chart", {}, t("usage.none_refused"));
  return [h("dl.sums", {}, sums), isAll || refused > 0 ? chart(usage.interval, chosen, totals, label) : none];
}

const sum = (/** @type {string} */ name, /** @type {number} */ count) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, number(count)));

/** @param {Record<string, number>} codes */
const withoutAllowed = (codes) => Object.fromEntries(Object.entries(codes).filter(([code]) => code !== "VALID"));

/** @param {Page.Bucket} bucket */
const refusedIn = (bucket) => ({ ...bucket, calls: refusedOf(bucket), codes: withoutAllowed(bucket.codes) });

/**
 * @param {Api.Usage["interval"]} interval
 * @param {Page.Bucket[]} buckets
 * @param {Record<string, number>} totals
 * @param {string} label
 */
function chart(interval, buckets, totals, label) {
  // Codes are stacked in this order, from the bottom.
  const rank = (/** @type {string} */ code) => (code === "VALID" ? Infinity : totals[code]);
  const codes = Object.keys(totals).toSorted((one, other) => rank(other) - rank(one));
  const looks = looksOf(codes);
  const legend = codes.map((code, at) =>
    h("li", {}, swatch(looks[at]), h("span", {}, codeName(code), " ", h("strong", {}, number(totals[code])))),
  );
  return [
    usageChart({ buckets, codes, interval, label }),
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
 * Recent addresses. The API returns them only to users who may see them.
 *
 * @param {Api.Usage["addresses"]} items
 */
function addresses(items) {
  if (!items || items.length === 0) return null;
  const lines = items.map(({ ip, last_used_at }) =>
    h("li", {}, h("code", {}, ip), h("span.soft", {}, timeAgo(last_used_at))),
  );
  return card(t("usage.addresses"), null, h("ul.addresses", {}, lines));
}
