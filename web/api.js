// Asks the API. The only file that fetches.
//
// Every fault is a `Problem`, whatever went wrong: no view meets another kind.

/** Longer than any answer should take; the server gives up on its own sooner. */
const PATIENCE_MS = 30_000;
/** After this long, people are told that something is on its way. */
const SLOW_MS = 400;

/**
 * What went wrong: the members of the API's problem (RFC 9457), or one of ours: `unreachable`, `timeout`, `outdated`,
 * `unreadable`.
 */
export class Problem extends Error {
  constructor(status, members) {
    super(members.detail ?? members.code);
    this.status = status;
    this.code = members.code;
    this.members = members;
    this.retryAfter = members.retryAfter;
  }

  /** The faults of the input: `[{pointer, code, detail}]`. */
  get faults() {
    return this.members.errors ?? [];
  }
}

/** Asked where a session has ended: signs the person in again; resolves to whether that worked. */
let signInAgain = async () => false;
export const whenSessionEnds = (handler) => (signInAgain = handler);

/** Told when a thing was changed elsewhere since it was shown. */
let toldStale = () => {};
export const whenStale = (handler) => (toldStale = handler);

/** Told whenever the number of requests that people wait for goes from or to none. */
let toldBusy = () => {};
export const whenBusy = (handler) => (toldBusy = handler);

export const get = (path, query) => request("GET", path, { query });
export const post = (path, body = {}, options = {}) => request("POST", path, { body, ...options });
export const put = (path, body = {}) => request("PUT", path, { body });
/** Changes a thing; with `version`, only if it is still at that. */
export const patch = (path, body, version) => request("PATCH", path, { body, version });
export const remove = (path, query, version) => request("DELETE", path, { query, version });

/** All items of a list, page after page, up to a bound; for short lists such as teams. */
export async function all(path, query = {}, itemsMax = 2000) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { ...query, limit: 100, cursor });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < itemsMax);
  return items;
}

/** The texts of a language; they lie beside this file. */
export async function locale(name) {
  try {
    return await exchange(new URL(`./locales/${name}.json`, import.meta.url), {});
  } catch (problem) {
    // After an update of the server the files of the page before it are gone.
    throw problem.status === 404 ? new Problem(404, { code: "outdated" }) : problem;
  }
}

/**
 * One request. `quietly` neither shows that it runs nor asks to sign in again where nobody is.
 */
export async function request(method, path, { query, body, version, quietly } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = {};
  const asked = { method, headers, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    asked.body = JSON.stringify(body);
  }
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const answer = () => (quietly ? exchange(url, asked) : watched(exchange(url, asked)));
  try {
    return await answer();
  } catch (problem) {
    for (const fault of problem.faults ?? []) fault.item = itemAt(body, fault.pointer);
    if (problem.code === "version_conflict") toldStale();
    const nobody = problem.status === 401 && ["session_ended", "NO_CREDENTIAL"].includes(problem.code);
    if (quietly || !nobody || !(await signInAgain())) throw problem;
    return answer();
  }
}

/** The item of a list that a pointer names, where it is a text: of many, people look for the wrong one. */
function itemAt(body, pointer) {
  const names = pointer.split("/").slice(1);
  const item = names.reduce((at, name) => at?.[name], body);
  return /^\d+$/.test(names.at(-1) ?? "") && typeof item === "string" ? item : undefined;
}

async function exchange(url, asked) {
  const response = await reach(url, asked);
  const text = await response.text().catch(() => {
    throw new Problem(0, { code: "unreachable" });
  });
  const members = parse(text);
  if (response.ok && members) return members;
  // A proxy before Keyhouse that finds nobody there, or has a page of its own for everything.
  const isAlone = [502, 503, 504].includes(response.status) && !members?.code;
  const told = isAlone ? { code: "unreachable" } : (members ?? { code: "unreadable" });
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  throw new Problem(response.status, { code: "internal", ...told, retryAfter });
}

async function reach(url, asked) {
  try {
    return await fetch(url, { ...asked, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new Problem(0, { code: error.name === "TimeoutError" ? "timeout" : "unreachable" });
  }
}

/** The members of an answer; `null` where it is none of Keyhouse's. */
function parse(text) {
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

let waitingFor = 0;
async function watched(promise) {
  let isSlow = false;
  const timer = setTimeout(() => {
    isSlow = true;
    if (++waitingFor === 1) toldBusy(true);
  }, SLOW_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    if (isSlow && --waitingFor === 0) toldBusy(false);
  }
}
