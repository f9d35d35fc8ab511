// The audit log: its filters, the changed fields of an event, and its CSV.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { load } from "./page-double.js";

const [filters, rows, { csv }] = await load("audit/filters.js", "audit/rows.js", "audit/export.js");
const NOW = Date.parse("2026-03-10T12:00:00Z");
const EMPTY = { search: "", who: "", what: "", when: "", since: "", until: "", subject: "" };

test("filters come from the address and go into it", () => {
  for (const [address, expected, rewritten] of [
    ["", {}, "#/audit"],
    ["search=a&who=local", { search: "a", who: "local" }, "#/audit?search=a&who=local"],
    ["when=7d&since=2026-01-01", { when: "7d" }, "#/audit?when=7d"],
    ["since=2026-01-01", { when: "dates", since: "2026-01-01" }, "#/audit?when=dates&since=2026-01-01"],
    ["other=x", {}, "#/audit"],
  ]) {
    const chosen = filters.chosenBy(new URLSearchParams(address));
    assert.deepEqual(chosen, { ...EMPTY, ...expected }, address);
    assert.equal(filters.addressOf(chosen), rewritten);
    assert.equal(filters.isFiltered(chosen), rewritten !== "#/audit");
  }
});

test("a query has the start of a period, or whole days", () => {
  const query = (chosen) => filters.apiQuery({ ...EMPTY, ...chosen }, NOW);
  assert.equal(query({ when: "7d" }).since, "2026-03-03T12:00:00.000Z");
  assert.equal(query({ when: "unknown" }).since, "");
  assert.equal(query({ what: "key" }).action, "key.*");
  const days = query({ when: "dates", since: "2026-01-01", until: "2026-01-01" });
  assert.equal(new Date(days.until) - new Date(days.since), 86_400_000);
  assert.equal(query({ until: "yesterday" }).until, "");
});

test("the kinds of the filter are those of all actions", () => {
  const reference = readFileSync("docs/reference/audit-actions.md", "utf8");
  const kinds = [...reference.matchAll(/^\| `(\w+)\./gm)].map(([, kind]) => kind);
  assert.deepEqual(filters.KINDS.toSorted(), [...new Set(kinds)].toSorted());
});

test("changed fields are those whose values differ; nothing and an empty list are the same", () => {
  const before = { name: "a", teams: [], limits: null, quota: 1, metadata: {} };
  const after = { name: "b", teams: null, limits: [], quota: 1, metadata: { note: "x" } };
  assert.deepEqual(rows.changedFields(before, after), ["name", "metadata"]);
});

test("a cell of CSV is quoted, and is no formula", () => {
  const event = {
    id: "evt_1",
    at: "2026-03-10T12:00:00.000Z",
    actor: { kind: "user", id: "usr_1", name: "+Ada" },
    action: "key.update",
    target: "key_1",
    target_name: 'a "b",\nc',
    address: null,
    organization: "org_1",
    before: {},
    after: { name: "x" },
  };
  assert.equal(
    csv([event]),
    "time,actor,actor_id,actor_kind,action,object,object_id,address,organization,before,after,id\r\n" +
      '2026-03-10T12:00:00.000Z,\'+Ada,usr_1,user,key.update,"a ""b"",\nc",key_1,,org_1,{},' +
      '"{""name"":""x""}",evt_1\r\n',
  );
});
