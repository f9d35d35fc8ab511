// Links that fill in the form of a new key.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ linkQuery, prefill }] = await load("lib/prefill.js");
const OFFERED = {
  kinds: ["personal"],
  teams: [
    { id: "team_1", name: "Operations" },
    { id: "team_2", name: "Data: read" },
  ],
  daysMax: null,
};
const read = (query, offered = {}) => prefill(new URLSearchParams(query), { ...OFFERED, ...offered });

test("texts go into their field unchanged", () => {
  const { values, ignored } = read("name= Nightly &description=a&environment=TEST&ip=10.0.0.0/8, x,&permissions=a:b,c");
  assert.equal(values.name, " Nightly ");
  assert.equal(values.environment, "TEST");
  // What is not a network is reported when the key is saved, not dropped here.
  assert.deepEqual(values.networks, ["10.0.0.0/8", "x"]);
  assert.deepEqual(values.permissions, ["a:b", "c"]);
  assert.deepEqual(ignored, []);
});

test("a choice that the form does not offer is ignored and listed", () => {
  const { values, ignored } = read("kind=service&preset=all&expires=soon&colour=red&toString=1");
  assert.deepEqual([values.kind, values.preset, values.expires], [undefined, undefined, undefined]);
  assert.deepEqual(ignored, ["kind=service", "preset=all", "expires=soon", "colour=red", "toString=1"]);
  for (const preset of ["none", "read", "read-write", "deploy", "role"]) {
    assert.equal(read({ preset }).values.preset, preset);
  }
});

test("an expiry is a number of days, a date or never, up to the maximum", () => {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  for (const [expires, daysMax, isOffered] of [
    ["30d", null, true],
    ["30d", 30, true],
    ["31d", 30, false],
    ["0d", null, false],
    ["12345d", null, false],
    ["never", null, true],
    ["never", 30, false],
    [tomorrow, 30, true],
    ["2001-01-31", null, false],
    ["2999-13-45", null, false],
    ["9999-12-31", 365, false],
  ]) {
    assert.equal(read({ expires }, { daysMax }).values.expires, isOffered ? expires : undefined, expires);
  }
});

test("teams are found by id or name, with an access", () => {
  const { values, ignored } = read("team=operations:write,team_2,Data: read:write,unknown");
  assert.deepEqual(
    [...values.shares],
    [
      ["team_1", "write"],
      ["team_2", "write"],
    ],
  );
  assert.deepEqual(ignored, ["team=unknown"]);
});

test("a long part of a link is cut", () => {
  assert.equal(read(`x=${"y".repeat(200)}`).ignored[0].length, 81);
});

test("a link of the form's values fills in the same values", () => {
  const values = {
    name: "Nightly, of all & more",
    preset: "deploy",
    permissions: ["diagrams:read", "reports:*"],
    networks: ["10.0.0.0/8", "2001:db8::/32"],
    denied: ["10.0.0.1"],
    shares: new Map([["team_1", "write"]]),
    kind: "personal",
    expires: "90d",
    environment: "test",
  };
  assert.deepEqual(read(linkQuery(values)), { values, ignored: [] });
  const empty = { permissions: [], networks: [], denied: [], shares: new Map() };
  assert.equal(linkQuery(empty), "");
});
