// The calls of a key or of the organization: a chart with choices of the period, of all or only refused calls, and of
// outcomes or gates. The texts are in the part `usage`.

import { h, replaceChildren } from "../lib/dom.js";
import { problemNotice } from "../lib/messages.js";
import { number, t } from "../lib/text.js";
import { callsOf, codesOf, gatesOf, NO_GATE, OTHER_GATES, refusedOf, stackedGates } from "../lib/usage.js";
import { callsChart, segments } from "./calls-chart.js";
import { codeName, LOOKS } from "./usage-chart.js";

/**
 * @typedef {import("../lib/usage.js").Calls} Calls
 * @typedef {{span: string, by: "code" | "gate", shown: "all" | "refused"}} Choice
 */

/** @param {string} gate */
export function gateName(gate) {
  if (gate === NO_GATE) return t("usage_page.no_gate");
  return gate === OTHER_GATES ? t("usage_page.other_gates") : gate;
}

/**
 * The choices, and the place of the chart. `spans` are the texts of the periods. `chosen` is called after a choice,
 * `loaded` when the calls of a period are there.
 *
 * @param {{key?: string, spans: Record<string, string>, choice: Choice, calls?: Calls,
 *   chosen?: (choice: Choice) => void, loaded: (calls: Calls) => void}} options
 */
export function callsView({ key, spans, choice, calls: first, chosen, loaded }) {
  const place = h("div.stack", {});
  let latestTurn = 0;
  /** @type {Calls | null} */
  let calls = null;
  const draw = () => calls && replaceChildren(place, drawn(calls, choice));
  const show = (/** @type {Calls} */ shown) => {
    calls = shown;
    draw();
    loaded(shown);
  };
  const load = async () => {
    const turn = ++latestTurn;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await callsOf(choice.span, key);
      if (turn === latestTurn) show(answer);
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === latestTurn) replaceChildren(place, problemNotice(problem, load));
    } finally {
      if (turn === latestTurn) place.removeAttribute("aria-busy");
    }
  };
  /**
   * @param {"span" | "by" | "shown"} name
   * @param {() => unknown} then
   */
  const choose = (name, then) => (/** @type {any} */ value) => {
    choice = { ...choice, [name]: value };
    chosen?.(choice);
    then();
  };
  const groups = { code: t("usage_page.by_code"), gate: t("usage_page.by_gate") };
  const outcomes = { all: t("usage.all"), refused: t("usage.only_refused") };
  const buttons = [
    segments(t("usage_page.by"), groups, choice.by, choose("by", draw)),
    segments(t("usage.outcomes"), outcomes, choice.shown, choose("shown", draw)),
    segments(t("usage.period"), spans, choice.span, choose("span", load)),
  ];
  if (first) show(first);
  else load();
  return { buttons, place };
}

/**
 * @param {Calls} calls
 * @param {Choice} choice
 */
function drawn(calls, { by, shown }) {
  const { usage, buckets } = calls;
  const count = usage.totals.calls;
  const refused = refusedOf(usage.totals);
  if (count === 0) return h("p.soft.quiet-chart", {}, t("usage.none"));
  const sums = h(
    "dl.sums",
    {},
    sum(t("usage.all"), count),
    sum(codeName("VALID"), count - refused),
    sum(t("usage.refused_calls"), refused),
  );
  const isAll = shown === "all";
  if (!isAll && refused === 0) return [sums, h("p.soft.quiet-chart", {}, t("usage.none_refused"))];
  const { interval } = usage;
  const label = t("usage.sum", { count, refused: t("usage.refused", { count: refused }) });
  if (by === "gate") {
    const countOf = isAll ? (/** @type {{calls: number}} */ sums) => sums.calls : refusedOf;
    const stacked = stackedGates(gatesOf(calls), countOf, LOOKS);
    return [sums, callsChart({ interval, ...stacked, label, legend: t("usage_page.of_gates"), nameOf: gateName })];
  }
  const codes = codesOf(usage.totals);
  const totals = isAll ? codes : withoutAllowed(codes);
  return [sums, callsChart({ interval, buckets: isAll ? buckets : buckets.map(refusedIn), totals, label })];
}

const sum = (/** @type {string} */ name, /** @type {number} */ count) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, number(count)));

/** @param {Record<string, number>} codes */
const withoutAllowed = (codes) => Object.fromEntries(Object.entries(codes).filter(([code]) => code !== "VALID"));

/** @param {Page.Bucket} bucket */
const refusedIn = (bucket) => ({ ...bucket, calls: refusedOf(bucket), codes: withoutAllowed(bucket.codes) });
