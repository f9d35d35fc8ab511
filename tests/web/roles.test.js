// Whether a pattern of permissions covers another one. The server decides by the same rules.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ covers }] = await load("lib/roles.js");

test("a pattern covers what the server lets it cover", () => {
  for (const [held, wanted, expected] of [
    ["diagrams:read", "diagrams:read", true],
    ["diagrams:read", "diagrams:write", false],
    ["diagrams:*", "diagrams:read", true],
    ["diagrams:*", "diagrams:*", true],
    ["diagrams:*", "diagrams:layers:read", true],
    ["diagrams:*", "diagrams", false],
    ["diagrams:read", "diagrams:*", false],
    ["*", "diagrams:read", true],
    ["*", "*", true],
    ["*:read", "diagrams:read", true],
    ["*:read", "diagrams:write", false],
    ["*:read", "diagrams:layers:read", false],
    ["*:read", "*", false],
    ["*:read", "*:read", true],
    // No wildcard reaches into keyhouse, and none from there into keyhouse:instance.
    ["*", "keyhouse:keys:read", false],
    ["*:keys:read", "keyhouse:keys:read", false],
    ["keyhouse:*", "keyhouse:keys:read", true],
    ["keyhouse:*", "keyhouse:instance:manage", false],
    ["keyhouse:*:manage", "keyhouse:instance:manage", false],
    ["keyhouse:instance:*", "keyhouse:instance:manage", true],
  ]) {
    assert.equal(covers(held, wanted), expected, `${held} covers ${wanted}`);
  }
});
