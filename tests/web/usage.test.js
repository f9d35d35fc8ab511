// Calls are summed by gate, and written as CSV.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [usage, { callsCsv, keysCsv }] = await load("lib/usage.js", "usage/export.js");
const HOUR_MS = 3_600_000;
const at = (hour) => new Date(Date.UTC(2027, 0, 15, hour)).toISOString();
const item = (hour, codes) => ({ start: at(hour), calls: Object.values(codes).reduce((a, b) => a + b), codes });
const bucket = (hour, codes) => ({ ...item(hour, codes), start: new Date(at(hour)) });
/** Two hours of calls: through two gates, of which one has a name that every object has, and without a gate. */
const CALLS = {
  step: HOUR_MS,
  buckets: [bucket(8, { VALID: 6 }), bucket(9, { VALID: 2, EXPIRED: 4 })],
  usage: {
    from: at(8),
    to: at(10),
    totals: { calls: 12, codes: { VALID: 8, EXPIRED: 4 } },
    gates: [
      { gate: "constructor", items: [item(8, { VALID: 5 })], totals: { calls: 5, codes: { VALID: 5 } } },
      { gate: "*", items: [item(9, { VALID: 1, EXPIRED: 3 })], totals: { calls: 4, codes: { VALID: 1, EXPIRED: 3 } } },
    ],
  },
};

test("calls without a gate are those that no gate has", () => {
  const gates = usage.gatesOf(CALLS);
  assert.deepEqual(
    gates.map(({ gate, totals }) => [gate, totals]),
    [
      ["constructor", { calls: 5, codes: { VALID: 5 } }],
      ["*", { calls: 4, codes: { VALID: 1, EXPIRED: 3 } }],
      ["", { calls: 3, codes: { VALID: 2, EXPIRED: 1 } }],
    ],
  );
  assert.deepEqual(
    gates[2].buckets.map(({ calls, codes }) => [calls, codes]),
    [
      [1, { VALID: 1 }],
      [2, { VALID: 1, EXPIRED: 1 }],
    ],
  );
});

test("the chart stacks the gates with the most calls, and adds the others", () => {
  const gates = usage.gatesOf(CALLS);
  const plain = ({ totals, buckets }) => [{ ...totals }, buckets.map(({ calls, codes }) => [calls, { ...codes }])];
  const all = usage.stackedGates(gates, (sums) => sums.calls, 6);
  assert.deepEqual(plain(all), [
    { constructor: 5, "*": 4, "": 3 },
    [
      [6, { constructor: 5, "": 1 }],
      [6, { "*": 4, "": 2 }],
    ],
  ]);
  assert.equal(all.buckets[1].codes.constructor, undefined);
  const few = usage.stackedGates(gates, (sums) => sums.calls, 2);
  assert.deepEqual({ ...few.totals }, { constructor: 5, "*": 7 });
  const named = gates.filter(({ gate }) => gate !== "*");
  const whole = usage.stackedGates(named, (sums) => sums.calls, 2);
  assert.deepEqual({ ...whole.totals }, { constructor: 5, "": 3 });
  const refused = usage.stackedGates(gates, usage.refusedOf, 6);
  assert.deepEqual({ ...refused.totals }, { "*": 3, "": 1 });
});

test("calls and keys are written as CSV", () => {
  assert.equal(
    callsCsv(usage.gatesOf(CALLS)),
    [
      "start,gate,code,calls",
      `${at(8)},,VALID,1`,
      `${at(8)},constructor,VALID,5`,
      `${at(9)},,EXPIRED,1`,
      `${at(9)},,VALID,1`,
      `${at(9)},*,EXPIRED,3`,
      `${at(9)},*,VALID,1`,
      "",
    ].join("\r\n"),
  );
  const keys = [
    { key: "key_1", name: "=x", codes: { VALID: 2, EXPIRED: 1 } },
    { key: "key_2", name: null, codes: { VALID: 1 } },
  ];
  const lines = ["key,name,code,calls", "key_1,'=x,VALID,2", "key_1,'=x,EXPIRED,1", "key_2,,VALID,1", ""];
  assert.equal(keysCsv(keys), lines.join("\r\n"));
});
