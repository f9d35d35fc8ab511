// The calls of the organization: over time, refused ones by reason, and the busiest keys.

import { h, replaceChildren } from "../lib/dom.js";
import { problemNotice } from "../lib/messages.js";
import { number, t } from "../lib/text.js";
import { callsOf, codesOf, refusedOf } from "../lib/usage.js";
import { callsChart, segments } from "../elements/calls-chart.js";
import { keyLink, share } from "../elements/key-use.js";
import { codeName } from "../elements/usage-chart.js";

const USUAL = "24h";
/** The periods of the overview. */
const NAMES = ["24h", "7d", "30d"];
const BUSIEST_MAX = 4;
/** The keys that are named beside a reason. */
const NAMED_MAX = 2;

/** @typedef {import("../elements/key-use.js").KeyUse} KeyUse */

/**
 * @param {URLSearchParams} query
 * @param {Promise<unknown>} ready Resolves when the texts are there.
 */
export async function callsPart(query, ready) {
  const wanted = query.get("span") ?? "";
  const first = NAMES.includes(wanted) ? wanted : USUAL;
  const [calls] = await Promise.all([callsOf(first), ready]);
  const [over, beside] = [h("div.stack", {}), h("div.stack", {})];
  const show = (/** @type {import("../lib/usage.js").Calls} */ { usage, buckets }) => {
    replaceChildren(over, figures(usage), usage.totals.calls === 0 ? none() : chart(usage, buckets));
    replaceChildren(beside, refusals(usage), busiest(usage));
  };
  let latest = first;
  const choose = async (/** @type {string} */ name) => {
    latest = name;
    history.replaceState(null, "", name === USUAL ? "#/overview" : `#/overview?span=${name}`);
    over.setAttribute("aria-busy", "true");
    try {
      const calls = await callsOf(name);
      // Meanwhile the user has chosen another period.
      if (name === latest) show(calls);
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
  show(calls);
  // overview.span_24h, .span_7d, .span_30d
  const texts = Object.fromEntries(NAMES.map((name) => [name, t(`overview.span_${name}`)]));
  const spans = segments(t("overview.span"), texts, first, choose);
  const more = h("a.small", { href: "#/usage" }, t("key.show_usage"));
  const head = h("div.card-head", {}, h("h2", {}, t("usage.calls")), h("div.row", {}, more, spans));
  return h("div.calls", {}, h("section.card.stack", {}, head, over), beside);
}

const none = () => h("p.soft.no-calls", {}, t("usage.none"));

/** @param {Api.Usage} usage */
function figures(usage) {
  const { calls } = usage.totals;
  const refused = refusedOf(usage.totals);
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
 * @param {Page.Bucket[]} buckets
 */
function chart(usage, buckets) {
  const { interval, totals } = usage;
  const refused = t("usage.refused", { count: refusedOf(totals) });
  const label = t("usage.sum", { count: totals.calls, refused });
  return callsChart({ interval, buckets, totals: codesOf(totals), label });
}

/**
 * The refused calls by reason, each with the keys that have the most of them.
 *
 * @param {Api.Usage} usage
 */
function refusals(usage) {
  const reasons = Object.entries(codesOf(usage.totals)).filter(([code]) => code !== "VALID");
  reasons.sort(([, one], [, other]) => other - one);
  const line = (/** @type {[string, number]} */ [code, count]) => {
    const of = (/** @type {KeyUse} */ use) => codesOf(use)[code] ?? 0;
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
