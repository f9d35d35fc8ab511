// Sends requests to the API. No other file calls `fetch`.
//
// Every failure is thrown as a `Problem`.

/** Longer than the server's own deadline for a response. */
const PATIENCE_MS = 30_000;
/** A request that takes longer shows the progress bar. */
const SLOW_MS = 400;

/**
 * A problem of the API (RFC 9457), or a code of the page itself: `unreachable`, `timeout`, `outdated`, `unreadable`.
 */
export class Problem extends Error {
  constructor(status, members) {
    super(members.detail ?? members.code);
    this.status = status;
    this.code = members.code;
    this.members = members;
    this.retryAfter = members.retryAfter;
  }

  /** Faults of the input: `[{pointer, code, detail}]`. */
  get faults() {
    return this.members.errors ?? [];
  }
}

/** Called when the session has ended. Resolves to whether the user signed in again. */
let signInAgain = async () => false;
export const onSessionEnd = (handler) => (signInAgain = handler);

/** Called when a resource was changed elsewhere after it was shown. Handlers stay as long as the page. */
const staleHandlers = new Set();
export const onStale = (handler) => staleHandlers.add(handler);

/** Called with `true` when the first slow request starts, with `false` when the last one ends. */
let notifyBusy = () => {};
export const onBusy = (handler) => (notifyBusy = handler);

export const get = (path, query) => request("GET", path, { query });
export const post = (path, body = {}, options = {}) => request("POST", path, { body, ...options });
export const put = (path, body = {}) => request("PUT", path, { body });
/** Changes a resource. With `version`, only if the resource still has that version. */
export const patch = (path, body, version) => request("PATCH", path, { body, version });
export const remove = (path, query, version) => request("DELETE", path, { query, version });

/** All items of a short list, such as teams, up to `itemsMax`. */
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

/** The texts of a language, from the folder `locales`. */
export async function locale(name) {
  try {
    return await exchange(new URL(`../locales/${name}.json`, import.meta.url), {});
  } catch (problem) {
    // After an update of the server, the files of the previous page no longer exist.
    throw problem.status === 404 ? new Problem(404, { code: "outdated" }) : problem;
  }
}

/**
 * Sends one request. With `quietly`, it shows no progress bar and no sign-in dialog.
 */
export async function request(method, path, { query, body, version, quietly } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = {};
  const options = { method, headers, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const answer = () => (quietly ? exchange(url, options) : watched(exchange(url, options)));
  try {
    return await answer();
  } catch (problem) {
    for (const fault of problem.faults ?? []) fault.item = itemAt(body, fault.pointer);
    if (problem.code === "version_conflict") for (const handler of staleHandlers) handler();
    const isSignedOut = problem.status === 401 && ["session_ended", "NO_CREDENTIAL"].includes(problem.code);
    if (quietly || !isSignedOut || !(await signInAgain())) throw problem;
    return answer();
  }
}

/** The list item that a pointer names, if it is a text. Shown with its fault, because a list has many items. */
function itemAt(body, pointer) {
  const names = pointer.split("/").slice(1);
  const item = names.reduce((at, name) => at?.[name], body);
  return /^\d+$/.test(names.at(-1) ?? "") && typeof item === "string" ? item : undefined;
}

async function exchange(url, options) {
  const response = await reach(url, options);
  const text = await response.text().catch(() => {
    throw new Problem(0, { code: "unreachable" });
  });
  const members = parse(text);
  if (response.ok && members) return members;
  // A proxy in front of Keyhouse responded: the proxy can't reach Keyhouse, or returns its own page.
  const isAlone = [502, 503, 504].includes(response.status) && !members?.code;
  const error = isAlone ? { code: "unreachable" } : (members ?? { code: "unreadable" });
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  throw new Problem(response.status, { code: "internal", ...error, retryAfter });
}

async function reach(url, options) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new Problem(0, { code: error.name === "TimeoutError" ? "timeout" : "unreachable" });
  }
}

/** The members of a response; `null` if it is not JSON and therefore not from Keyhouse. */
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
    if (++waitingFor === 1) notifyBusy(true);
  }, SLOW_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    if (isSlow && --waitingFor === 0) notifyBusy(false);
  }
}
