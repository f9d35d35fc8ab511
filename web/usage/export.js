// The usage of the organization as CSV: calls over time by gate and outcome, and the busiest keys by outcome.

import { csvOf } from "../lib/csv.js";
import { codesOf } from "../lib/usage.js";

/**
 * A line for each hour or day, gate and outcome with calls. Calls without a gate have an empty gate; `*` is the sum of
 * other gates.
 *
 * @param {import("../lib/usage.js").GateCalls[]} gates
 */
export function callsCsv(gates) {
  const lines = gates.flatMap(({ gate, buckets }) =>
    buckets.flatMap(({ start, codes }) =>
      Object.entries(codes).map(([code, calls]) => [start.toISOString(), gate, code, calls]),
    ),
  );
  const order = (/** @type {(string | number)[]} */ [start, gate, code]) => `${start} ${gate} ${code}`;
  lines.sort((one, other) => (order(one) < order(other) ? -1 : 1));
  return csvOf([["start", "gate", "code", "calls"], ...lines]);
}

/**
 * A line for each key and outcome with calls.
 *
 * @param {import("../elements/key-use.js").KeyUse[]} keys
 */
export function keysCsv(keys) {
  const lines = keys.flatMap((use) =>
    Object.entries(codesOf(use)).map(([code, calls]) => [use.key, use.name, code, calls]),
  );
  return csvOf([["key", "name", "code", "calls"], ...lines]);
}
