// Sends requests to the API. Beside it, only `reference/send.js` calls `fetch`.
//
// Every failure is thrown as a `Problem`.

/** The folder of the page. The API is below it, on a sub-path too. */
export const HOME = new URL(".", location.href);

/** Longer than the server's own deadline for a response. */
const PATIENCE_MS = 30_000;
/** A request that takes longer shows the progress bar. */
const SLOW_MS = 400;
/** A request may need a proof, a sign-in because the session ended meanwhile, and a proof again. */
const TRIES_MAX = 4;

/**
 * A problem of the API (RFC 9457), or a code of the page itself: `unreachable`, `timeout`, `outdated`, `unreadable`.
 */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {Page.Members} members
   */
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
/** @param {() => Promise<boolean>} handler */
export const onSessionEnd = (handler) => (signInAgain = handler);

/** Called when a request needs the password or a code again. Resolves to whether the user gave it. */
let proveAgain = async () => false;
/** @param {() => Promise<boolean>} handler */
export const onProofRequired = (handler) => (proveAgain = handler);

/** Called when a resource was changed elsewhere after it was shown. Handlers stay as long as the page. */
/** @type {Set<() => void>} */
const staleHandlers = new Set();
/** @param {() => void} handler */
export const onStale = (handler) => staleHandlers.add(handler);

/** Called with every answer of the API. */
/** @type {(method: string, path: string, query: Record<string, any>, answer: any) => void} */
let noteAnswer = () => {};
/** @param {typeof noteAnswer} handler */
export const onAnswer = (handler) => (noteAnswer = handler);

/** Called with `true` when the first slow request starts, with `false` when the last one ends. */
/** @type {(isBusy: boolean) => void} */
let notifyBusy = () => {};
/** @param {(isBusy: boolean) => void} handler */
export const onBusy = (handler) => (notifyBusy = handler);

/**
 * @template {Page.PathWith<"get">} P
 * @param {P} path
 * @param {Page.QueryOf<P, "get">} [query]
 * @returns {Promise<Page.ResponseOf<P, "get">>}
 */
export const get = (path, query) => request("GET", path, { query });

/**
 * @template {Page.PathWith<"post">} P
 * @param {P} path
 * @param {Page.BodyOf<P, "post">} [body]
 * @param {{quietly?: boolean, version?: number}} [options]
 * @returns {Promise<Page.ResponseOf<P, "post">>}
 */
export const post = (path, body, options = {}) => request("POST", path, { body: body ?? {}, ...options });

/**
 * @template {Page.PathWith<"put">} P
 * @param {P} path
 * @param {Page.BodyOf<P, "put">} [body]
 * @returns {Promise<Page.ResponseOf<P, "put">>}
 */
export const put = (path, body) => request("PUT", path, { body: body ?? {} });

/**
 * Changes a resource. With `version`, only if the resource still has that version.
 *
 * @template {Page.PathWith<"patch">} P
 * @param {P} path
 * @param {Page.BodyOf<P, "patch">} body
 * @param {number} [version]
 * @returns {Promise<Page.ResponseOf<P, "patch">>}
 */
export const patch = (path, body, version) => request("PATCH", path, { body, version });

/**
 * @template {Page.PathWith<"delete">} P
 * @param {P} path
 * @param {Page.QueryOf<P, "delete">} [query]
 * @param {number} [version]
 * @returns {Promise<Page.ResponseOf<P, "delete">>}
 */
export const remove = (path, query, version) => request("DELETE", path, { query, version });

/**
 * All items of a short list, such as teams, up to `itemsMax`.
 *
 * @template {Page.PathWith<"get">} P
 * @param {P} path
 * @param {Page.QueryOf<P, "get">} [query]
 * @returns {Promise<Page.ItemOf<P>[]>}
 */
export async function all(path, query, itemsMax = 2000) {
  /** @type {any[]} */
  const items = [];
  /** @type {string | null | undefined} */
  let cursor;
  do {
    const page = await request("GET", path, { query: { ...query, limit: 100, cursor } });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < itemsMax);
  return items;
}

/**
 * A JSON file of the page, such as `locales/en`.
 *
 * @param {string} name
 */
export async function file(name) {
  try {
    return await exchange(new URL(`../${name}.json`, import.meta.url), {});
  } catch (problem) {
    // After an update of the server, the files of the previous page no longer exist.
    throw problem.status === 404 ? new Problem(404, { code: "outdated" }) : problem;
  }
}

/**
 * Sends one request. With `quietly`, it shows no progress bar and no dialog that asks for a password.
 *
 * @param {string} method
 * @param {string} path
 * @param {{query?: Record<string, any>, body?: Record<string, unknown>, version?: number, quietly?: boolean}} [options]
 * @returns {Promise<any>}
 */
export async function request(method, path, { query, body, version, quietly } = {}) {
  const url = new URL(`.${path}`, HOME);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  /** @type {Record<string, string>} */
  const headers = {};
  /** @type {RequestInit} */
  const options = { method, headers, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const answer = () => (quietly ? exchange(url, options) : watched(exchange(url, options)));
  for (let tries = 1; ; tries++) {
    try {
      const members = await answer();
      noteAnswer(method, path, query ?? {}, members);
      return members;
    } catch (problem) {
      for (const fault of problem.faults ?? []) fault.item = itemAt(body, fault.pointer);
      if (problem.code === "version_conflict") for (const handler of staleHandlers) handler();
      if (quietly || tries === TRIES_MAX || !(await isResolved(problem))) throw problem;
    }
  }
}

/**
 * Whether the user removed the cause of a problem, so that the same request can be sent again.
 *
 * @param {Problem} problem
 */
async function isResolved({ status, code }) {
  if (status === 401 && ["session_ended", "NO_CREDENTIAL"].includes(code)) return signInAgain();
  return code === "proof_required" && proveAgain();
}

/**
 * The list item that a pointer names, if it is a text. Shown with its fault, because a list has many items.
 *
 * @param {Record<string, unknown> | undefined} body
 * @param {string} pointer
 * @returns {string | undefined}
 */
function itemAt(body, pointer) {
  const names = pointer.split("/").slice(1);
  const item = names.reduce((/** @type {any} */ at, name) => at?.[name], body);
  return /^\d+$/.test(names.at(-1) ?? "") && typeof item === "string" ? item : undefined;
}

/**
 * @param {URL} url
 * @param {RequestInit} options
 */
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

/**
 * @param {URL} url
 * @param {RequestInit} options
 */
async function reach(url, options) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new Problem(0, { code: error.name === "TimeoutError" ? "timeout" : "unreachable" });
  }
}

/**
 * The members of a response; `null` if it is not JSON and therefore not from Keyhouse.
 *
 * @param {string} text
 */
function parse(text) {
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

let waitingFor = 0;
/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
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

/**
 * Imports a module after the start. A failure is thrown as a `Problem`.
 *
 * @template T
 * @param {() => Promise<T>} module
 * @returns {Promise<T>}
 */
export async function late(module) {
  try {
    return await module();
  } catch {
    // Either the server is unreachable, or an update of the server removed the modules of this page.
    await get("/v1/instance");
    throw new Problem(404, { code: "outdated" });
  }
}
