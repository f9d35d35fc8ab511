// Declares the types of the API for the page's scripts, from the description that the binary serves.
//
//   node tests/web/api-types.js target/debug/keyhouse            compares web/types/api.d.ts with them
//   node tests/web/api-types.js target/debug/keyhouse --write    writes that file

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";
import { format } from "prettier";

import style from "./prettier.config.js";

const FILE = "web/types/api.d.ts";
const HEADING = "// The types of the API, generated from its description by tests/web/api-types.js.\n\n";
const START_MS_MAX = 60_000;

/** The API description of a binary, served from an empty store. */
async function descriptionOf(binary) {
  const folder = mkdtempSync(join(tmpdir(), "keyhouse-types-"));
  const words = ["serve", "--data", join(folder, "data"), "--listen", "127.0.0.1:0"];
  const environment = { PATH: process.env.PATH, HOME: folder };
  const server = spawn(binary, words, { env: environment, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => server.on("close", resolve));
  try {
    const response = await fetch(`${await addressOf(server)}/openapi.json`);
    return await response.json();
  } finally {
    server.kill();
    await ended;
    rmSync(folder, { recursive: true });
  }
}

/** The address in the server's log line about its listener. */
function addressOf(server) {
  return new Promise((resolve, reject) => {
    let log = "";
    const fail = () => reject(new Error(`keyhouse serve did not start:\n${log}`));
    const timer = setTimeout(fail, START_MS_MAX);
    server.on("error", reject);
    server.on("close", fail);
    server.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
      const found = log.match(/listening on (http:[^\s"]+)/);
      if (found) resolve(found[1]);
      if (found) clearTimeout(timer);
    });
  });
}

/** A schema or document without its texts: types do not change when a sentence does. */
function withoutTexts(value) {
  if (Array.isArray(value)) return value.map(withoutTexts);
  if (value === null || typeof value !== "object") return value;
  const isText = ([name, inner]) => ["description", "summary", "title"].includes(name) && typeof inner === "string";
  const isExample = ([name]) => ["example", "examples"].includes(name);
  const kept = Object.entries(value).filter((member) => !isText(member) && !isExample(member));
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutTexts(inner)]));
}

/**
 * The paths of the API as one schema, which becomes the type `Paths`: for each path and method the fields of the query,
 * the body and the response of success.
 */
function schemaOfPaths(paths) {
  const entries = Object.entries(paths).filter(([path]) => path.startsWith("/v1/"));
  return allOf(entries.map(([path, methods]) => [path, allOf(Object.entries(methods).map(schemaOfOperation))]));
}

function schemaOfOperation([method, { parameters = [], requestBody, responses }]) {
  const successes = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  const contents = successes.map(([, one]) => one.content?.["application/json"]?.schema).filter(Boolean);
  const query = parameters.filter((one) => one.in === "query").map((one) => [one.name, one.schema]);
  const members = [["query", { type: "object", properties: Object.fromEntries(query) }]];
  const body = requestBody?.content["application/json"]?.schema;
  if (body) members.push(["body", body]);
  members.push(["response", contents.length > 1 ? { anyOf: contents } : (contents[0] ?? {})]);
  return [method, allOf(members)];
}

/** An object with these members, all required. */
const allOf = (members) => ({
  type: "object",
  properties: Object.fromEntries(members),
  required: members.map(([name]) => name),
});

const [binary, mode] = process.argv.slice(2);
const { openapi, info, paths, components } = withoutTexts(await descriptionOf(binary));
const schemas = { ...components.schemas, Paths: schemaOfPaths(paths) };
const tree = await openapiTS(
  { openapi, info, paths: {}, components: { schemas } },
  { alphabetize: true, defaultNonNullable: false, rootTypes: true, rootTypesNoSchemaPrefix: true },
);
const wanted = await format(`${HEADING}${astToString(tree)}\nexport as namespace Api;\n`, {
  ...style,
  parser: "typescript",
});
if (mode === "--write") writeFileSync(FILE, wanted);
else if (readFileSync(FILE, "utf8") !== wanted) {
  process.stderr.write(`${FILE} differs from the API: run npm run --prefix tests/web types\n`);
  process.exitCode = 1;
}
