// The calls of the organization: over time, refused ones by reason, and the busiest keys.

import { get } from "../lib/api.js";
import { h, replaceChildren, svg } from "../lib/dom.js";
import { problemNotice } from "../lib/messages.js";
import { number, t } from "../lib/text.js";
import { looksOf, swatch, usageChart, codeName } from "../elements/usage-chart.js";

const HOUR_MS = 3_600_000;
/**
 * Periods by their name in the address: interval, length of a bucket, number of buckets.
 *
 * @type {Record<string, ["hour" | "day", number, number]>}
 */
const SPANS = { "24h": ["hour", HOUR_MS, 24], "7d": ["day", 24 * HOUR_MS, 7], "30d": ["day", 24 * HOUR_MS, 30] };
const USUAL = "24h";
const BUSIEST_MAX = 4;
/** The keys that are named beside a reason. */
const NAMED_MAX = 2;

/** @typedef {NonNullable<Api.Usage["keys"]>[number]} KeyUse */

/**
 * @param {URLSearchParams} query
 * @param {Promise<unknown>} ready Resolves when the texts are there.
 */
export async function callsPart(query, ready) {
  const wanted = query.get("span") ?? "";
  const first = Object.hasOwn(SPANS, wanted) ? wanted : USUAL;
  const [usage] = await Promise.all([usageOf(first), ready]);
  const [over, beside] = [h("div.stack", {}), h("div.stack", {})];
  /** @type {Map<string, HTMLElement>} */
  const buttons = new Map();
  const show = (/** @type {string} */ name, /** @type {Api.Usage} */ usage) => {
    replaceChildren(over, figures(usage), usage.totals.calls === 0 ? none() : chart(usage, SPANS[name][1]));
    replaceChildren(beside, refusals(usage), busiest(usage));
  };
  const press = (/** @type {string} */ name) => {
    for (const [span, button] of buttons) button.setAttribute("aria-pressed", String(span === name));
  };
  let latest = first;
  const choose = async (/** @type {string} */ name) => {
    latest = name;
    press(name);
    history.replaceState(null, "", name === USUAL ? "#/overview" : `#/overview?span=${name}`);
    over.setAttribute("aria-busy", "true");
    try {
      const usage = await usageOf(name);
      // Meanwhile the user has chosen another period.
      if (name === latest) show(name, usage);
    } catch (problem) {
      if (!problem.members) throw problem;
      if (name === latest) {
        const again = () => choose(name);
        replaceChildren(over, problemNotice(problem, again));
      }
    } finally {
      if (name === latest) over.removeAttribute("aria-busy");
    }
  };
  for (const span of Object.keys(SPANS)) {
    // overview.span_24h, .span_7d, .span_30d
    buttons.set(span, h("button", { type: "button", onclick: () => choose(span) }, t(`overview.span_${span}`)));
  }
  press(first);
  show(first, usage);
  const spans = h("div.segments", { role: "group", "aria-label": t("overview.span") }, [...buttons.values()]);
  const head = h("div.card-head", {}, h("h2", {}, t("usage.calls")), spans);
  return h("div.calls", {}, h("section.card.stack", {}, head, over), beside);
}

/** @param {string} name */
function usageOf(name) {
  const [interval, step, count] = SPANS[name];
  const from = new Date(Math.floor(Date.now() / step) * step - (count - 1) * step).toISOString();
  return get("/v1/usage", { interval, from });
}

const none = () => h("p.soft.no-calls", {}, t("usage.none"));

/** @param {Api.Usage} usage */
function figures(usage) {
  const { calls } = usage.totals;
  const refused = calls - (codesOf(usage).VALID ?? 0);
  return h("dl.figures", {}, figure(t("overview.all"), calls), figure(t("overview.refused_share"), refused, calls));
}

/**
 * @param {string} name
 * @param {number} value
 * @param {number} [all]
 */
function figure(name, value, all) {
  /** @type {Intl.NumberFormatOptions} */
  const percent = { style: "percent", maximumFractionDigits: 1 };
  const share = all ? h("span.small.soft", {}, " ", number(value / all, percent)) : null;
  return h("div", {}, h("dt", {}, name), h("dd", {}, number(value), share));
}

/**
 * @param {Api.Usage} usage
 * @param {number} step
 */
function chart(usage, step) {
  const totals = codesOf(usage);
  const byStart = new Map(usage.items.map((item) => [Date.parse(item.start), item]));
  /** @type {Page.Bucket[]} */
  const buckets = [];
  for (let start = Date.parse(usage.from); start < Date.parse(usage.to); start += step) {
    const item = byStart.get(start);
    const codes = /** @type {Record<string, number>} */ (item?.codes ?? {});
    buckets.push({ start: new Date(start), calls: item?.calls ?? 0, codes });
  }
  const rank = (/** @type {string} */ code) => (code === "VALID" ? Infinity : totals[code]);
  const codes = Object.keys(totals).toSorted((one, other) => rank(other) - rank(one));
  const looks = looksOf(codes);
  const { calls } = usage.totals;
  const label = t("usage.sum", {
    count: calls,
    refused: t("usage.refused", { count: calls - (totals.VALID ?? 0) }),
  });
  const legend = codes.map((code, at) => h("li", {}, swatch(looks[at]), h("span", {}, codeName(code))));
  return [
    usageChart({ buckets, codes, interval: usage.interval, label }),
    h("ul.legend", { "aria-label": t("usage.legend") }, legend),
  ];
}

/**
 * The refused calls by reason, each with the keys that have the most of them.
 *
 * @param {Api.Usage} usage
 */
function refusals(usage) {
  const reasons = Object.entries(codesOf(usage)).filter(([code]) => code !== "VALID");
  reasons.sort(([, one], [, other]) => other - one);
  const line = (/** @type {[string, number]} */ [code, count]) => {
    const of = (/** @type {KeyUse} */ use) => codesOf({ totals: use })[code] ?? 0;
    const keys = (usage.refused_keys ?? []).filter((use) => of(use) > 0).toSorted((one, other) => of(other) - of(one));
    const named = keys.slice(0, NAMED_MAX).map((use) => keyLink(use));
    const more = keys.length - named.length;
    return h(
      "li",
      {},
      h("div.measure", {}, h("span", {}, codeName(code)), h("strong", {}, number(count))),
      named.length > 0
        ? h("p.small.soft.names", {}, named, more > 0 ? h("span", {}, t("overview.more_keys", { count: more })) : null)
        : null,
    );
  };
  const list = reasons.length > 0 ? h("ul.measures", {}, reasons.map(line)) : null;
  return h("section.card", {}, h("h2", {}, t("overview.refused")), list ?? h("p.soft", {}, t("overview.refused_none")));
}

/** @param {Api.Usage} usage */
function busiest(usage) {
  const keys = (usage.keys ?? []).slice(0, BUSIEST_MAX);
  const most = keys[0]?.calls ?? 1;
  const line = (/** @type {KeyUse} */ use) =>
    h("li", {}, h("div.measure", {}, keyLink(use), h("strong", {}, number(use.calls))), share(use.calls / most));
  const none = usage.keys ? t("usage.none") : t("overview.too_many");
  return h(
    "section.card",
    {},
    h("h2", {}, t("overview.busiest")),
    keys.length > 0 ? h("ol.measures", {}, keys.map(line)) : h("p.soft", {}, none),
  );
}

/**
 * A bar of this part of the width.
 *
 * @param {number} part
 */
const share = (part) =>
  svg(
    "svg.share",
    { viewBox: "0 0 100 2", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100 * part, height: 2 }),
  );

/** @param {KeyUse} use */
const keyLink = ({ key, name }) =>
  h("a.key-name", { href: `#/keys/${key}`, dir: "auto", title: name }, name ?? t("overview.hidden_key"));

/** @param {{totals: {codes: Record<string, unknown>}}} usage */
const codesOf = ({ totals }) => /** @type {Record<string, number>} */ (totals.codes);
