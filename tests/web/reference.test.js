// The API reference: what it reads from the description, its search and its requests.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./page-double.js";

const [{ read, allFailures }, schema, { searchOver }, request] = await load(
  "reference/description.js",
  "reference/schema.js",
  "reference/search.js",
  "reference/request.js",
);

const problem = (code) => ({ description: `- \`${code}\`: What it means.\n- \`busy\`: Later.` });
const DOCUMENT = {
  info: { version: "1.2.3", description: "First.\n\nSecond." },
  servers: [{ url: "https://keys.example.com/kh" }],
  tags: [
    { name: "keys", description: "About keys.", "x-displayName": "Keys" },
    { name: "checks", description: "About checks.", "x-displayName": "Checks" },
  ],
  "x-tagGroups": [{ name: "All", tags: ["keys", "checks"] }],
  paths: {
    "/v1/keys": {
      post: {
        operationId: "createKey",
        summary: "Create a key",
        tags: ["keys"],
        "x-permission": ["keyhouse:keys:create"],
        security: [{ bearer: [] }, { session: [] }],
        requestBody: {
          required: true,
          content: {
            "application/json": { schema: { $ref: "#/components/schemas/Draft" }, example: { name: "it's" } },
          },
        },
        responses: { 201: { description: "The key." }, 409: problem("name_taken"), 503: { $ref: "#/x/y/busy" } },
      },
    },
    "/v1/check/{gate}/{path}": {
      get: {
        operationId: "check",
        summary: "Authorize a request",
        tags: ["checks"],
        "x-permission": ["key"],
        security: [],
        parameters: [
          { name: "gate", in: "path", required: true, description: "Gate.", schema: { type: "string" } },
          { name: "path", in: "path", required: true, description: "Path.", schema: { type: "string" } },
          { name: "limit", in: "query", required: false, description: "Items.", schema: { type: "integer" } },
          { name: "If-Match", in: "header", required: false, description: "Tag.", schema: { type: "string" } },
        ],
        responses: { 200: { description: "Allowed." }, 404: problem("not_found") },
      },
      head: { operationId: "checkHead", summary: "Authorize a request", tags: ["checks"], responses: {} },
    },
  },
  components: {
    securitySchemes: { session: { type: "apiKey", in: "cookie", name: "keyhouse" } },
    responses: { busy: problem("storage_full") },
    schemas: {
      Draft: {
        type: "object",
        required: ["name"],
        properties: {
          teams: { type: ["array", "null"], items: { $ref: "#/components/schemas/Share" }, maxItems: 16 },
          name: { type: "string", description: "Name of the key.", maxLength: 200, examples: ["deploy"] },
        },
      },
      Share: { type: "object", properties: { access: { type: "string", enum: ["read", "write"] } } },
    },
  },
};

const described = read(DOCUMENT);
const [create, check] = described.operations;

test("operations are read by resource, without HEAD", () => {
  assert.deepEqual(
    described.parts[0].resources.map(({ title, operations }) => [title, operations.map(({ id }) => id)]),
    [
      ["Keys", ["createKey"]],
      ["Checks", ["check"]],
    ],
  );
  assert.deepEqual([create.takesSession, create.takesKey, create.takesNothing], [true, true, false]);
  assert.deepEqual([check.takesSession, check.takesKey, check.takesNothing], [false, false, true]);
});

test("codes are read from the responses, those of a reference too", () => {
  assert.deepEqual(
    create.failures.map(({ status, code }) => `${status} ${code}`),
    ["409 name_taken", "409 busy", "503 storage_full", "503 busy"],
  );
  assert.equal(described.common.has("busy"), true);
  assert.deepEqual(
    allFailures(described).map(({ code }) => code),
    ["busy", "not_found", "name_taken", "storage_full"],
  );
});

test("types, fields and bounds are read through references", () => {
  const { schemas } = described;
  const fields = schema.fieldsOf(create.body.schema, schemas);
  assert.deepEqual(
    fields.map(({ name, required, schema: part }) => [name, required, schema.typeOf(part, schemas)]),
    [
      ["name", true, "string"],
      ["teams", false, "object[] | null"],
    ],
  );
  assert.equal(schema.boundsOf(fields[1].schema, schemas).itemsMax, 16);
  assert.equal(schema.exampleOf(fields[0].schema, schemas), "deploy");
  const [access] = schema.fieldsOf(fields[1].schema, schemas);
  assert.deepEqual(schema.boundsOf(access.schema, schemas).values, ["read", "write"]);
  const either = { anyOf: [{ $ref: "#/components/schemas/Draft" }, { type: "null" }] };
  assert.equal(schema.typeOf(either, schemas), "object | null");
  assert.equal(schema.typeOf({ type: "array", items: { type: ["string", "null"] } }, schemas), "(string | null)[]");
});

test("a search finds every word, in names before other places", () => {
  const find = searchOver(described);
  const ids = (query) => find(query).map(({ id }) => id);
  assert.deepEqual(ids("KEY"), ["createKey", "check"]);
  assert.deepEqual(ids("post key"), ["createKey"]);
  assert.deepEqual(ids("teams"), ["createKey"]);
  assert.deepEqual(ids("name_taken"), ["createKey"]);
  assert.deepEqual(ids("if-match"), ["check"]);
  assert.deepEqual(ids("key nothing"), []);
});

test("a request has the filled-in parameters, encoded", () => {
  const values = { "path:gate": "a/b", "path:path": "orders/ä", "query:limit": "5", "header:If-Match": '"2"' };
  assert.deepEqual(request.requestOf(check, { values, body: "" }), {
    method: "GET",
    path: "/v1/check/a%2Fb/orders/%C3%A4?limit=5",
    headers: { "If-Match": '"2"' },
    body: null,
  });
});

test("a path parameter that would change the path is not usable", () => {
  for (const [gate, path, expected] of [
    ["default", "orders", []],
    ["", "orders", ["path:gate"]],
    [".", "a//b", ["path:gate"]],
    ["..", "a/../b", ["path:gate", "path:path"]],
  ]) {
    assert.deepEqual(request.unusable(check, { "path:gate": gate, "path:path": path }), expected, `${gate} ${path}`);
  }
});

test("a command quotes what the shell would change, and names no credential", () => {
  const made = request.requestOf(create, { values: {}, body: request.bodyExample(create) });
  assert.equal(
    request.curl(create, made, described),
    [
      "curl -X POST 'https://keys.example.com/kh/v1/keys' \\",
      '  -H "Authorization: Bearer $KEYHOUSE_KEY" \\',
      "  -H 'Content-Type: application/json' \\",
      `  --data-raw '{\n  "name": "it'\\''s"\n}'`,
    ].join("\n"),
  );
  const withSession = { ...create, takesKey: false };
  assert.match(request.curl(withSession, made, described), /-b "keyhouse=\$KEYHOUSE_SESSION"/);
});

test("a broken body is found before it is sent", () => {
  assert.equal(request.isBroken(create, "{"), true);
  assert.equal(request.isBroken(create, " "), false);
  assert.equal(request.isBroken(create, "{}"), false);
  assert.equal(request.isBroken(check, "{"), false);
});
