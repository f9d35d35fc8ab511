// Makes a request from an operation and what the reader filled in, and its command for curl.

/**
 * @typedef {import("./description.js").Operation} Operation
 * @typedef {import("./description.js").Description} Description
 * @typedef {import("./description.js").Parameter} Parameter
 * @typedef {{values: Record<string, string>, body: string}} Filled
 * @typedef {{method: string, path: string, headers: Record<string, string>, body: string | null}} Request
 */

const FORM = "application/x-www-form-urlencoded";

/** The parameter that may contain slashes: the path of a request to a gate. */
const PATH = "path";

/**
 * The request. Empty values are left out. Parameters are named `place:name`.
 *
 * @param {Operation} operation
 * @param {Filled} filled
 * @returns {Request}
 */
export function requestOf({ method, path, parameters, body }, filled) {
  const valueAt = (/** @type {string} */ place, /** @type {string} */ name) => filled.values[`${place}:${name}`] ?? "";
  const given = (/** @type {string} */ place) =>
    parameters
      .filter((one) => one.place === place && valueAt(place, one.name) !== "")
      .map(({ name }) => [name, valueAt(place, name)]);
  const query = new URLSearchParams(given("query"));
  const written = path.replace(/\{(\w+)\}/g, (_, name) => segment(name, valueAt("path", name)));
  /** @type {Record<string, string>} */
  const headers = Object.fromEntries(given("header"));
  const sent = body && filled.body.trim() !== "" ? filled.body : null;
  if (body && sent !== null) headers["Content-Type"] = body.kind;
  return { method, path: query.size > 0 ? `${written}?${query}` : written, headers, body: sent };
}

/**
 * @param {string} name
 * @param {string} value
 */
function segment(name, value) {
  return name === PATH ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
}

/**
 * The names of the path parameters without a usable value. A segment of dots would change the path.
 *
 * @param {Operation} operation
 * @param {Record<string, string>} values
 */
export function unusable({ parameters }, values) {
  const isDots = (/** @type {string} */ part) => /^\.{0,2}$/.test(part);
  const fails = (/** @type {Parameter} */ { place, name, required }) => {
    const value = values[`${place}:${name}`] ?? "";
    if (place !== "path") return required && value === "";
    return name === PATH ? value === "" || value.split("/").some((part) => /^\.{1,2}$/.test(part)) : isDots(value);
  };
  return parameters.filter(fails).map(({ place, name }) => `${place}:${name}`);
}

/**
 * The body that the form shows at first.
 *
 * @param {Operation} operation
 */
export function bodyExample({ body }) {
  if (!body) return "";
  if (body.kind === FORM) return String(new URLSearchParams(body.example));
  return Object.keys(body.example).length === 0 ? "" : JSON.stringify(body.example, null, 2);
}

/**
 * Whether a body is not JSON although the operation takes JSON.
 *
 * @param {Operation} operation
 * @param {string} text
 */
export function isBroken({ body }, text) {
  if (!body || body.kind === FORM || text.trim() === "") return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}

/**
 * The command for curl, for a POSIX shell. It names variables of the environment in the place of credentials.
 *
 * @param {Operation} operation
 * @param {Request} request
 * @param {Description} description
 */
export function curl({ takesKey, takesSession }, { method, path, headers, body }, { url, cookie }) {
  const lines = [method === "GET" ? "curl" : `curl -X ${method}`];
  lines[0] += ` ${quoted(`${url}${path}`)}`;
  if (takesKey) lines.push('-H "Authorization: Bearer $KEYHOUSE_KEY"');
  else if (takesSession) lines.push(`-b "${cookie}=$KEYHOUSE_SESSION"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== null) lines.push(`--data-raw ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
