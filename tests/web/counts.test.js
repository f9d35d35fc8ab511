// The numbers in the navigation: taken from answers that views request, and otherwise requested once.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { load, server, useLanguage } from "./page-double.js";

const [api, counts, { h }] = await load("lib/api.js", "frame/counts.js", "lib/dom.js");

const answer = (total) => () => new Response(JSON.stringify({ items: [], total, total_is_exceeded: total === 10000 }));
const link = h("a", {});
const description = counts.keyCounts(link);

/** The numbers beside the entry. */
const shown = () => link.children[0].children.map(({ children }) => children.join(""));

/** Ends the wait after a view, and returns the queries that were then sent. */
async function requested() {
  server.requests = [];
  counts.askForCount();
  mock.timers.tick(1500);
  await new Promise(setImmediate);
  return server.requests.map(({ url }) => url.search);
}

beforeEach(async () => {
  await useLanguage("en");
  server.requests = [];
});

test("numbers come from the lists that a view requests", async () => {
  server.answer = answer(1200);
  await api.get("/v1/keys", { owner: "me", search: "", status: null, sort: "name", limit: 50 });
  assert.deepEqual(shown(), ["", "1,200"]);
  server.answer = answer(2);
  await api.get("/v1/keys", { owner: "me", status: "active", expires_within: "30d", limit: 3 });
  assert.deepEqual(shown(), ["2", "1,200"]);
  assert.deepEqual(description.children, ["1,200 keys", " ", "2 keys expire within 30 days"]);
  // Other lists, and one key.
  server.answer = answer(9);
  for (const query of [{}, { owner: "me", search: "a" }, { owner: "me", status: "active" }]) {
    await api.get("/v1/keys", query);
  }
  await api.get("/v1/keys/key_1", { owner: "me" });
  assert.deepEqual(shown(), ["2", "1,200"]);
});

test("an unknown number is requested once, and again after a change of a key", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  server.answer = answer(0);
  assert.deepEqual(await requested(), []);
  await api.post("/v1/keys/key_1/revoke");
  assert.deepEqual(await requested(), ["?owner=me&status=active&expires_within=30d&limit=1"]);
  server.answer = answer(10000);
  assert.deepEqual(await requested(), ["?owner=me&limit=1"]);
  assert.deepEqual(shown(), ["", "10,000+"]);
  assert.deepEqual(await requested(), []);
  mock.timers.reset();
});

test("a number that the server does not give is no error", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  await api.post("/v1/keys/key_1/revoke");
  server.answer = () => new Response("{}", { status: 503 });
  assert.equal((await requested()).length, 1);
  assert.deepEqual(shown(), ["", "10,000+"]);
  mock.timers.reset();
});
