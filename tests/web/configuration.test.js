// The configuration of a proxy for a gate: the example, without its stand-in for the application.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ portOf, forGate }] = await load("gate/configuration.js");

/** The files that `build.rs` embeds, each with the line that names the gate, if it does. */
const FILES = {
  "caddy/Caddyfile": "uri /v1/forward-auth/orders?",
  "envoy/envoy.yaml": "path_prefix: /v1/ext-authz/orders",
  "haproxy/haproxy.cfg": null,
  "haproxy/keyhouse.lua": 'local URL = "http://127.0.0.1:9000/v1/forward-auth/orders"',
  "nginx/nginx.conf": "proxy_pass http://keyhouse/v1/forward-auth/orders;",
  "traefik/routes.yaml": 'address: "http://127.0.0.1:9000/v1/forward-auth/orders"',
  "traefik/traefik.yaml": null,
};

const exampleOf = (name) => readFileSync(`examples/${name}`, "utf8");

/** The lines that do something. */
const settings = (text) => text.split("\n").filter((line) => !/^\s*(#|--|$)/.test(line));

test("a configuration names the gate and has no stand-in", () => {
  for (const [name, line] of Object.entries(FILES)) {
    const text = forGate(exampleOf(name), "orders", "9000");
    assert.doesNotMatch(text, /stand.in|7117|auth\/default|authz\/default|`default`/, name);
    assert.match(text, /[^\n]\n$/, name);
    assert.doesNotMatch(text, /^[ \t]+(#|--) *$/m, `${name}: an empty comment`);
    if (line)
      assert(
        settings(text).some((one) => one.trim() === line),
        `${name}: ${line}`,
      );
  }
});

test("all other settings are those of the tested example", () => {
  for (const name of Object.keys(FILES)) {
    const example = exampleOf(name);
    const [before, after] = example.split(/\n+ *# A stand-in for the application[^]*?(?=\n {2}clusters:|$)/);
    const end = name.startsWith("nginx") ? ["}"] : [];
    assert.deepEqual(settings(forGate(example, "default")), [...settings(before + (after ?? "")), ...end], name);
  }
});

test("blocks are closed", () => {
  for (const name of ["caddy/Caddyfile", "nginx/nginx.conf"]) {
    const text = settings(forGate(exampleOf(name), "orders")).join("\n");
    assert.equal(text.split("{").length, text.split("}").length, name);
  }
});

test("a proxy reaches Keyhouse on the port of the page only without a proxy before it", () => {
  for (const [publicUrl, port] of [
    ["http://127.0.0.1:7200", "7200"],
    ["http://localhost:7300/", "7300"],
    ["http://localhost", "7117"],
    ["https://keyhouse.example.com", "7117"],
    ["https://127.0.0.1:8443", "7117"],
    ["http://keyhouse.example.com:8080", "7117"],
  ]) {
    assert.equal(portOf(publicUrl), port, publicUrl);
  }
});
