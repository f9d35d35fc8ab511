// The calls of a key or of the organization over time, by outcome and by gate, from the API.

import { get } from "./api.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Periods by their name in the address: interval, length of a bucket, number of buckets.
 *
 * @type {Record<string, ["hour" | "day", number, number]>}
 */
export const SPANS = {
  "24h": ["hour", HOUR_MS, 24],
  "7d": ["day", DAY_MS, 7],
  "30d": ["day", DAY_MS, 30],
  "90d": ["day", DAY_MS, 90],
};
/** The name of the sum of gates in the API. */
export const OTHER_GATES = "*";
/** Calls without a gate. The API does not list them. */
export const NO_GATE = "";

/**
 * @typedef {{calls: number, codes: Record<string, number>}} Sums
 * @typedef {{usage: Api.Usage, buckets: Page.Bucket[], step: number}} Calls
 * @typedef {{gate: string, totals: Sums, buckets: Page.Bucket[]}} GateCalls
 */

/**
 * The calls of a period, and all buckets of this period.
 *
 * @param {string} span A name in `SPANS`.
 * @param {string} [key] Without a key, the calls of the organization.
 * @returns {Promise<Calls>}
 */
export async function callsOf(span, key) {
  const [interval, step, count] = SPANS[span];
  const from = new Date(Math.floor(Date.now() / step) * step - (count - 1) * step).toISOString();
  const usage = await get("/v1/usage", { key, interval, from });
  return { usage, buckets: filled(usage, usage.items, step), step };
}

/** @param {{calls: number, codes: Record<string, unknown>}} sums */
export const refusedOf = ({ calls, codes }) => calls - Number(codes.VALID ?? 0);

/** @param {{codes: Record<string, unknown>}} sums */
export const codesOf = ({ codes }) => /** @type {Record<string, number>} */ (codes);

/**
 * The calls of each gate, and those without a gate: the difference to all calls.
 *
 * @param {Calls} calls
 * @returns {GateCalls[]}
 */
export function gatesOf({ usage, buckets, step }) {
  const gates = usage.gates.map(({ gate, items, totals }) => ({
    gate,
    totals: { calls: totals.calls, codes: codesOf(totals) },
    buckets: filled(usage, items, step),
  }));
  const rest = (/** @type {Page.Bucket} */ bucket, /** @type {number} */ at) => ({
    ...bucket,
    ...difference(
      bucket,
      gates.map((of) => of.buckets[at]),
    ),
  });
  const without = {
    gate: NO_GATE,
    totals: difference(
      usage.totals,
      gates.map((of) => of.totals),
    ),
    buckets: buckets.map(rest),
  };
  return without.totals.calls > 0 ? [...gates, without] : gates;
}

/**
 * What the chart stacks by gate: at most `most` series, the gates with the most calls. Further gates are added to
 * those that the API has added.
 *
 * @param {GateCalls[]} gates
 * @param {(sums: Sums) => number} countOf
 * @param {number} most
 */
export function stackedGates(gates, countOf, most) {
  const counted = gates.filter(({ totals }) => countOf(totals) > 0);
  counted.sort((one, other) => countOf(other.totals) - countOf(one.totals));
  const named = counted.filter(({ gate }) => gate !== OTHER_GATES);
  const own = counted.length <= most ? named : named.slice(0, most - 1);
  const nameOf = (/** @type {GateCalls} */ of) => (own.includes(of) ? of.gate : OTHER_GATES);
  const totals = sumsByName();
  for (const of of counted) add(totals, nameOf(of), countOf(of.totals));
  const buckets = (gates[0]?.buckets ?? []).map(({ start }, at) => {
    const codes = sumsByName();
    for (const of of counted) add(codes, nameOf(of), countOf(of.buckets[at]));
    return { start, calls: Object.values(codes).reduce((sum, count) => sum + count, 0), codes };
  });
  return { totals, buckets };
}

/** Sums by name, without a prototype: a gate may have the name `constructor`. */
const sumsByName = () => /** @type {Record<string, number>} */ (Object.create(null));

/**
 * @param {Record<string, number>} sums
 * @param {string} name
 * @param {number} count
 */
function add(sums, name, count) {
  if (count > 0) sums[name] = (sums[name] ?? 0) + count;
}

/**
 * @param {{codes: Record<string, unknown>}} whole
 * @param {{codes: Record<string, unknown>}[]} parts
 * @returns {Sums}
 */
function difference(whole, parts) {
  /** @type {Record<string, number>} */
  const codes = {};
  let calls = 0;
  for (const [code, count] of Object.entries(codesOf(whole))) {
    const left = parts.reduce((left, part) => left - (codesOf(part)[code] ?? 0), count);
    if (left <= 0) continue;
    codes[code] = left;
    calls += left;
  }
  return { calls, codes };
}

/**
 * All buckets of the period, including those without calls.
 *
 * @param {{from: string, to: string}} usage
 * @param {{start: string, calls: number, codes: Record<string, unknown>}[]} items
 * @param {number} step
 */
function filled(usage, items, step) {
  const byStart = new Map(items.map((item) => [Date.parse(item.start), item]));
  /** @type {Page.Bucket[]} */
  const buckets = [];
  for (let start = Date.parse(usage.from); start < Date.parse(usage.to); start += step) {
    const { calls = 0, codes = {} } = byStart.get(start) ?? {};
    buckets.push({ start: new Date(start), calls, codes: /** @type {Record<string, number>} */ (codes) });
  }
  return buckets;
}
