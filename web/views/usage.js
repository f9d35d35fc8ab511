// The usage of the organization: calls over time by outcome and by gate, and the busiest keys.

import { h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { saveFile } from "../lib/save.js";
import { loadStyles } from "../lib/styles.js";
import { table } from "../lib/table.js";
import { loadTexts, number, t } from "../lib/text.js";
import { callsOf, codesOf, gatesOf, NO_GATE, refusedOf, SPANS } from "../lib/usage.js";
import { callsView, gateName } from "../elements/calls-view.js";
import { keyLink } from "../elements/key-use.js";
import { codeName } from "../elements/usage-chart.js";
import { card } from "../key/parts.js";
import { callsCsv, keysCsv } from "../usage/export.js";

/** @typedef {import("../lib/usage.js").Calls} Calls */

const USUAL = "24h";

/** @param {Page.Address} options */
export async function view({ query }) {
  const wanted = query.get("span") ?? "";
  const span = Object.hasOwn(SPANS, wanted) ? wanted : USUAL;
  const [calls] = await Promise.all([
    callsOf(span),
    loadStyles("chart"),
    loadStyles("usage"),
    loadTexts("usage"),
    loadTexts("overview"),
  ]);
  const tables = h("div.stack", {});
  let chosen = span;
  const { buttons, place } = callsView({
    calls,
    spans: {
      "24h": t("overview.span_24h"),
      "7d": t("overview.span_7d"),
      "30d": t("overview.span_30d"),
      "90d": t("usage_page.span_90d"),
    },
    choice: { span, by: query.get("by") === "gate" ? "gate" : "code", shown: "all" },
    chosen: ({ span, by }) => {
      chosen = span;
      history.replaceState(null, "", addressOf(span, by));
    },
    loaded: (calls) => replaceChildren(tables, tablesOf(calls, chosen)),
  });
  const body = h(
    "div.stack.usage",
    {},
    card(t("usage.calls"), buttons, place, h("p.small.soft", {}, t("usage_page.known_keys_only"))),
    tables,
  );
  return { title: t("usage.title"), body };
}

/**
 * @param {string} span
 * @param {string} by
 */
function addressOf(span, by) {
  const query = new URLSearchParams();
  if (span !== USUAL) query.set("span", span);
  if (by === "gate") query.set("by", by);
  const text = query.toString();
  return text ? `#/usage?${text}` : "#/usage";
}

/**
 * @param {Calls} calls
 * @param {string} span
 */
function tablesOf(calls, span) {
  const { usage } = calls;
  if (usage.totals.calls === 0) return null;
  const gates = gatesOf(calls);
  const keys = usage.keys ?? [];
  const save = (/** @type {string} */ title, /** @type {string} */ name, /** @type {() => string} */ text) => {
    const onclick = () => saveFile(name, "text/csv", text());
    const label = t("usage_page.export_of", { title });
    return h("button", { type: "button", "aria-label": label, onclick }, icon("down"), t("keys.export"));
  };
  return [
    card(
      t("usage_page.of_gates"),
      save(t("usage_page.of_gates"), `usage-${span}.csv`, () => callsCsv(gates)),
      gateTable(gates, usage.totals.calls),
    ),
    card(t("usage_page.of_codes"), null, codeTable(usage)),
    card(
      t("overview.busiest"),
      keys.length > 0 ? save(t("overview.busiest"), `usage-keys-${span}.csv`, () => keysCsv(keys)) : null,
      keys.length > 0
        ? keyTable(keys, usage.totals.calls)
        : h("p.soft", {}, usage.keys ? t("usage.none") : t("overview.too_many")),
    ),
  ];
}

/** @type {Intl.NumberFormatOptions} */
const PERCENT = { style: "percent", maximumFractionDigits: 1 };
const partOf = (/** @type {number} */ count, /** @type {number} */ all) => number(count / all, PERCENT);

/**
 * @param {import("../lib/usage.js").GateCalls[]} gates
 * @param {number} all
 */
function gateTable(gates, all) {
  const columns = [t("requests.gate"), t("usage.calls"), t("usage.refused_calls"), t("usage_page.share")];
  const rows = gates.map(({ gate, totals }) => [
    gate === NO_GATE
      ? [gateName(gate), h("p.small.soft", {}, t("usage_page.no_gate_hint"))]
      : h("span", { dir: "auto" }, gateName(gate)),
    number(totals.calls),
    number(refusedOf(totals)),
    partOf(totals.calls, all),
  ]);
  return h("div.counts", {}, table(t("usage_page.of_gates"), columns, rows));
}

/** @param {Api.Usage} usage */
function codeTable({ totals }) {
  const columns = [t("usage_page.outcome"), t("usage.calls"), t("usage_page.share")];
  const codes = Object.entries(codesOf(totals)).toSorted(([, one], [, other]) => other - one);
  const rows = codes.map(([code, count]) => [codeName(code), number(count), partOf(count, totals.calls)]);
  return h("div.counts", {}, table(t("usage_page.of_codes"), columns, rows));
}

/**
 * @param {import("../elements/key-use.js").KeyUse[]} keys
 * @param {number} all
 */
function keyTable(keys, all) {
  const columns = [t("usage_page.key"), t("usage.calls"), t("usage.refused_calls"), t("usage_page.share")];
  const rows = keys.map((use) => [keyLink(use), number(use.calls), number(use.refused), partOf(use.calls, all)]);
  return h("div.counts", {}, table(t("overview.busiest"), columns, rows));
}
