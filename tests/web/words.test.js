// Permissions in words, and what the texts of the fields for gates mean.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load, useLanguage } from "./page-double.js";

const [words, gate] = await load("lib/permission-words.js", "gate/words.js");

test("a list shows the first resources and the number of the others", async () => {
  await useLanguage("en");
  for (const [permissions, expected] of [
    [null, "Same as owner"],
    [[], "None"],
    [["*"], "All permissions"],
    [["diagrams:read"], "read diagrams"],
    [["diagrams:read", "diagrams:write"], "read and write diagrams"],
    [["diagrams:*"], "do everything with diagrams"],
    [["*:read"], "read everything"],
    [["a:read", "b:read"], "read a and b"],
    [["a:read", "b:write"], "read a; write b"],
    [["a:read", "b:read", "c:read", "d:read"], "read a, b and 2 more"],
    [["a:read", "b:read", "c:read"], "read a, b and one more"],
    // Covered by another one, or not complete yet.
    [["diagrams:*", "diagrams:read"], "do everything with diagrams"],
    [["diagrams", "diagrams:read"], "read diagrams"],
    // Without a text for the action.
    [["diagrams:rotate"], "rotate diagrams"],
    // Permissions to manage Keyhouse come first, and no wildcard covers them.
    [["a:read", "b:read", "c:read", "keyhouse:keys:manage"], "manage keyhouse:keys; read a and 2 more"],
    [["*", "keyhouse:*"], "do everything with keyhouse; do everything"],
  ]) {
    assert.equal(words.shortPermissions(permissions), expected, JSON.stringify(permissions));
  }
});

test("a key and a role are described in a sentence", async () => {
  await useLanguage("en");
  assert.equal(words.keySentence(["a:read", "b:read", "c:read"]), "This key can read a, b, and c.");
  assert.equal(words.keySentence([]), "No permissions yet.");
  assert.equal(words.roleSentence(["*"]), "This role can do everything.");
  await useLanguage("fr");
  assert.match(words.keySentence(["diagrams:read"]), /diagrams/);
});

test("names in a field are separated by commas or spaces", () => {
  assert.deepEqual(gate.namesIn(" live, test\nstaging,,"), ["live", "test", "staging"]);
  assert.deepEqual(gate.namesIn("  "), []);
});

test("what is not a whole number is sent as it was typed", () => {
  for (const [typed, sent] of [
    [" 12 ", 12],
    ["0", 0],
    ["1.5", "1.5"],
    ["-1", "-1"],
    ["", ""],
    ["ten", "ten"],
  ]) {
    assert.equal(gate.wholeNumber(typed), sent, typed);
  }
});

test("a route is named by its methods, host and path", async () => {
  await useLanguage("en", "gate");
  const route = { host: "api.example.com", path: "/v1/**", methods: ["GET", "POST"] };
  assert.match(gate.routeName(route), /GET, POST.*api\.example\.com\/v1\/\*\*/);
  assert.match(gate.routeName({ ...route, host: null, methods: null }), /\/v1\/\*\*/);
});
