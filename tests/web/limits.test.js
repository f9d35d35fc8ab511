// The names of rate limits.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ namesOf }] = await load("elements/limit-fields.js");

// In an earlier version, two limits without a name and with the same window got one name, and the server rejected them.
test("each limit without a name gets one that no other limit has", () => {
  for (const [limits, names] of [
    [[["", "60"]], ["per-60s"]],
    [
      [
        ["", "60"],
        ["", "60"],
        ["", "1"],
        ["", "60"],
      ],
      ["per-60s", "per-60s-2", "per-1s", "per-60s-3"],
    ],
    [
      [
        ["", "60"],
        ["per-60s", "1"],
        ["burst", "60"],
      ],
      ["per-60s-2", "per-60s", "burst"],
    ],
  ]) {
    assert.deepEqual(namesOf(limits), names);
  }
});
