// Requests: their form, their failures, and what happens when the session ends or a resource changed elsewhere.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { load, server } from "./page-double.js";

const [api, { live }] = await load("lib/api.js", "lib/live.js");
const answer = (status, members) => () => new Response(JSON.stringify(members), { status });

beforeEach(() => {
  server.requests = [];
  api.onSessionEnd(async () => false);
});

test("empty parts of a query are left out, and a version becomes If-Match", async () => {
  server.answer = answer(200, { id: "key_1" });
  await api.get("/v1/keys", { search: "a b", status: "", only: null, sort: undefined, limit: 0 });
  await api.patch("/v1/keys/key_1", { name: "Nightly" }, 7);
  const [read, change] = server.requests;
  assert.equal(read.url.href, "http://keyhouse.test/keys/v1/keys?search=a+b&limit=0");
  assert.equal(change.headers["If-Match"], '"7"');
  assert.equal(change.body, '{"name":"Nightly"}');
});

test("all pages of a list are loaded, up to a maximum", async () => {
  const pages = { null: "2", 2: "3", 3: null };
  server.answer = (url) => {
    const at = url.searchParams.get("cursor");
    return new Response(JSON.stringify({ items: [at], next_cursor: pages[at] }));
  };
  assert.deepEqual(await api.all("/v1/teams"), [null, "2", "3"]);
  assert.deepEqual(await api.all("/v1/teams", {}, 2), [null, "2"]);
});

test("every failure is a problem with a code", async () => {
  const failing = (error) => () => Promise.reject(error);
  const page = (status) => () => new Response("<html>", { status });
  for (const [given, status, code] of [
    [answer(404, { code: "not_found" }), 404, "not_found"],
    [answer(500, {}), 500, "internal"],
    [page(200), 200, "unreadable"],
    [page(502), 502, "unreachable"],
    [failing(new TypeError("failed")), 0, "unreachable"],
    [failing(new DOMException("late", "TimeoutError")), 0, "timeout"],
  ]) {
    server.answer = given;
    const problem = await api.get("/v1/me").catch((caught) => caught);
    assert.ok(problem instanceof api.Problem, code);
    assert.deepEqual([problem.status, problem.code], [status, code]);
  }
});

test("a fault names the faulty item of a list", async () => {
  const errors = [{ pointer: "/ip_rules/allow/1" }, { pointer: "/ip_rules/allow" }, { pointer: "/name" }];
  server.answer = answer(422, { code: "invalid_input", errors });
  const problem = await api.post("/v1/keys", { ip_rules: { allow: ["a", "b"] } }).catch((caught) => caught);
  assert.deepEqual(
    problem.faults.map(({ item }) => item),
    ["b", undefined, undefined],
  );
});

test("a request is sent once more after the user signed in again", async () => {
  const answers = [answer(401, { code: "session_ended" }), answer(200, { name: "Owner" })];
  server.answer = () => answers.shift()();
  api.onSessionEnd(async () => true);
  assert.equal((await api.get("/v1/me")).name, "Owner");
  server.answer = answer(401, { code: "session_ended" });
  await assert.rejects(api.request("GET", "/v1/me", { quietly: true }), { code: "session_ended" });
});

test("a request that needs a proof is sent once more after the user gave it, and else fails", async () => {
  const needed = answer(403, { code: "proof_required" });
  const answers = [needed, answer(200, { secret: "kh_live_1" })];
  server.answer = () => answers.shift()();
  api.onProofRequired(async () => true);
  assert.equal((await api.post("/v1/keys", { name: "Nightly" })).secret, "kh_live_1");
  const [first, second] = server.requests;
  assert.deepEqual([second.method, second.body, second.url], [first.method, first.body, first.url]);
  server.answer = needed;
  api.onProofRequired(async () => false);
  await assert.rejects(api.post("/v1/keys", {}), { code: "proof_required" });
  await assert.rejects(api.post("/v1/keys", {}, { quietly: true }), { code: "proof_required" });
});

// The proof was refused with 401, and the request failed although the user signed in again.
test("a session that ends while the proof is given leads to one more sign-in", async () => {
  const answers = [
    answer(403, { code: "proof_required" }),
    answer(401, { code: "session_ended" }),
    answer(200, { secret: "kh_live_1" }),
  ];
  server.answer = () => answers.shift()();
  api.onProofRequired(async () => true);
  api.onSessionEnd(async () => true);
  assert.equal((await api.post("/v1/keys", {})).secret, "kh_live_1");
  // A request that the server never accepts fails in the end.
  server.requests = [];
  server.answer = answer(401, { code: "session_ended" });
  await assert.rejects(api.post("/v1/keys", {}), { code: "session_ended" });
  assert.equal(server.requests.length, 4);
});

// Only the first response was examined.
test("a conflict of a request that is sent again is noticed", async () => {
  const answers = [answer(401, { code: "session_ended" }), answer(412, { code: "version_conflict" })];
  server.answer = () => answers.shift()();
  api.onSessionEnd(async () => true);
  let calls = 0;
  api.onStale(() => calls++);
  await assert.rejects(api.patch("/v1/keys/key_1", {}, 1), { code: "version_conflict" });
  assert.equal(calls, 1);
});

// `onStale` kept one handler, so the second live element of a page replaced the first.
test("every live element on the page is redrawn after a conflict", async () => {
  const drawn = [];
  const parts = [];
  for (const name of ["first", "second", "removed"]) parts.push(await live(() => void drawn.push(name)));
  document.body.replaceChildren(parts[0].element, parts[1].element);
  let calls = 0;
  api.onStale(() => calls++);
  drawn.length = 0;
  server.answer = answer(412, { code: "version_conflict" });
  await assert.rejects(api.patch("/v1/keys/key_1", {}, 1), { code: "version_conflict" });
  assert.deepEqual([drawn, calls], [["first", "second"], 1]);
});
