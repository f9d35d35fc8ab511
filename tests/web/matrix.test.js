// The patterns of a preset as permissions of the catalogue.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ expanded }] = await load("elements/permission-matrix.js");

test("a pattern becomes the permissions of the catalogue that it covers", () => {
  const entries = ["a:read", "a:write", "b:c:read", "keyhouse:keys:read"].map((name) => ({
    name,
    own: name.startsWith("keyhouse:"),
  }));
  for (const [patterns, names] of [
    [["*:read"], ["a:read", "b:c:read"]],
    [
      ["a:*", "b:c:read"],
      ["a:read", "a:write", "b:c:read"],
    ],
    // A pattern that covers nothing today stays.
    [["*:deploy"], ["*:deploy"]],
    [[], []],
  ]) {
    assert.deepEqual(expanded(patterns, entries), names, patterns.join());
  }
});
