// Reads the API description: parts, resources and operations.

/**
 * @typedef {Record<string, any>} Schema
 * @typedef {{name: string, place: string, required: boolean, description: string, schema: Schema}} Parameter
 * @typedef {{kind: string, schema: Schema, example: any, required: boolean}} Body
 * @typedef {{name: string, description: string}} Header
 * @typedef {{
 * status: string, description: string, headers: Header[], kind: string | null, schema: Schema, example: any,
 * }} Answer
 * @typedef {{status: string, code: string, meaning: string}} Failure
 * @typedef {{
 * id: string, method: string, path: string, summary: string, description: string, resource: string,
 * permissions: string[], takesSession: boolean, takesKey: boolean, takesNothing: boolean,
 * parameters: Parameter[], body: Body | null, answers: Answer[], failures: Failure[],
 * }} Operation
 * @typedef {{name: string, title: string, description: string, operations: Operation[]}} Resource
 * @typedef {{title: string, resources: Resource[]}} Part
 * @typedef {{
 * version: string, introduction: string, url: string, cookie: string, schemes: [string, Schema][],
 * schemas: Record<string, Schema>, parts: Part[], resources: Resource[], operations: Operation[], common: Set<string>,
 * }} Description
 */

/** In the order in which a resource shows them. HEAD has the same description as GET. */
const METHODS = ["get", "post", "put", "patch", "delete"];
/** Permissions that say who may call, not which permission is needed. */
export const CALLERS = ["open", "none", "session", "key"];

/**
 * @param {any} document
 * @returns {Description}
 */
export function read(document) {
  const { components, info } = document;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => operationOf(path, method, item[method], components)),
  );
  /** @type {Resource[]} */
  const resources = document.tags.map((/** @type {any} */ tag) => ({
    name: tag.name,
    title: tag["x-displayName"],
    description: tag.description,
    operations: operations.filter(({ resource }) => resource === tag.name),
  }));
  const ofPart = (/** @type {{tags: string[]}} */ { tags }) => resources.filter(({ name }) => tags.includes(name));
  return {
    version: info.version,
    introduction: info.description,
    url: document.servers[0].url,
    cookie: components.securitySchemes.session.name,
    schemes: Object.entries(components.securitySchemes),
    schemas: components.schemas,
    parts: document["x-tagGroups"].map((/** @type {any} */ part) => ({ title: part.name, resources: ofPart(part) })),
    resources,
    operations,
    common: commonCodes(operations),
  };
}

/**
 * @param {string} path
 * @param {string} method
 * @param {any} given
 * @param {any} components
 * @returns {Operation}
 */
function operationOf(path, method, given, components) {
  const responses = Object.entries(given.responses).map(
    ([status, response]) => /** @type {[string, any]} */ ([status, referred(response, components)]),
  );
  const isGood = ([status] = ["", {}]) => status.startsWith("2");
  /** @type {string[]} */
  const schemes = (given.security ?? []).flatMap(Object.keys);
  const isOptional = (given.security ?? []).some((/** @type {object} */ one) => Object.keys(one).length === 0);
  return {
    id: given.operationId,
    method: method.toUpperCase(),
    path,
    summary: given.summary,
    description: given.description ?? "",
    resource: given.tags[0],
    permissions: given["x-permission"],
    takesSession: schemes.includes("session"),
    takesKey: schemes.includes("bearer"),
    takesNothing: schemes.length === 0 || isOptional,
    parameters: (given.parameters ?? []).map((/** @type {any} */ one) => ({ ...one, place: one.in })),
    body: given.requestBody ? bodyOf(given.requestBody) : null,
    answers: responses.filter(isGood).map(answerOf),
    failures: responses.filter((one) => !isGood(one)).flatMap(failuresOf),
  };
}

/**
 * @param {any} response
 * @param {any} components
 */
const referred = (response, components) =>
  response.$ref ? components.responses[response.$ref.split("/").at(-1)] : response;

/**
 * @param {any} given
 * @returns {Body}
 */
function bodyOf({ content, required }) {
  const [[kind, { schema, example }]] = Object.entries(content);
  return { kind, schema, example, required: Boolean(required) };
}

/**
 * @param {[string, any]} response
 * @returns {Answer}
 */
function answerOf([status, { description, headers, content }]) {
  const [kind, { schema, example }] = Object.entries(content ?? {})[0] ?? [null, { schema: {}, example: null }];
  const named = Object.entries(headers ?? {}).map(([name, header]) => ({ name, description: header.description }));
  return { status, description, headers: named, kind, schema, example };
}

/**
 * The codes of an error response. Its description is a list of lines such as ``- `not_found`: The object ...``.
 *
 * @param {[string, any]} response
 * @returns {Failure[]}
 */
function failuresOf([status, { description }]) {
  const lines = [...description.matchAll(/^- `([^`]+)`: (.*)$/gm)];
  return lines.map(([, code, meaning]) => ({ status, code, meaning }));
}

/**
 * The codes that at least half of the operations may return.
 *
 * @param {Operation[]} operations
 */
function commonCodes(operations) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { failures } of operations) {
    for (const { code } of failures) counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => 2 * count >= operations.length).map(([code]) => code));
}

/**
 * All codes of errors, by status and code.
 *
 * @param {Description} description
 */
export function allFailures({ operations }) {
  const byCode = new Map(operations.flatMap(({ failures }) => failures.map((one) => [one.code, one])));
  const place = (/** @type {Failure} */ { status, code }) => `${status} ${code}`;
  return [...byCode.values()].sort((one, other) => (place(one) < place(other) ? -1 : 1));
}
