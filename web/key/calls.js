// The calls of a key by hour or day, from the API.

import { get } from "../lib/api.js";

const HOUR_MS = 3_600_000;
/** Selectable periods: length of a bucket, number of buckets. */
const SPANS = { hour: [HOUR_MS, 24], day: [24 * HOUR_MS, 30] };

/** @typedef {"hour" | "day"} Interval */

/**
 * The calls of the last 24 hours or 30 days, and all buckets of this period.
 *
 * @param {string} key
 * @param {Interval} interval
 */
export async function callsOf(key, interval) {
  const [step, count] = SPANS[interval];
  const from = new Date(Math.floor(Date.now() / step) * step - (count - 1) * step).toISOString();
  const usage = await get("/v1/usage", { key, interval, from });
  return { usage, buckets: filled(usage, step) };
}

/** @param {{calls: number, codes: Record<string, unknown>}} sums */
export const refusedOf = ({ calls, codes }) => calls - Number(codes.VALID ?? 0);

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
