// The state of the page: the current session and the instance.

import { get, HOME, request } from "./api.js";

/** `GET /v1/instance`. */
export let instance = /** @type {Page.Instance} */ ({});
/**
 * `GET /v1/session`, or `null` without a session. The type leaves `null` out, because views are shown only with a
 * session.
 */
export let session = /** @type {Page.SignedIn} */ (/** @type {unknown} */ (null));

/** Tabs of this instance. Another instance may be on another path of the same origin. */
const channel = new BroadcastChannel(`keyhouse ${HOME.pathname}`);

/** Loads the instance and the session. */
export async function load() {
  [instance, session] = await Promise.all([get("/v1/instance"), fetchSession()]);
}

/** Loads the session again. */
export async function reload() {
  session = await fetchSession();
}

/**
 * Sets the session after a sign-in or sign-out (`null`) and notifies other tabs.
 *
 * @param {Api.Session | null} signedIn
 */
export function setSession(signedIn) {
  session = /** @type {Page.SignedIn} */ (signedIn);
  channel.postMessage(session?.user.id ?? null);
}

/**
 * Calls `handler` when another tab signs in or out.
 *
 * @param {(event: MessageEvent<string | null>) => void} handler
 */
export function onOtherTab(handler) {
  channel.addEventListener("message", handler);
}

/**
 * Whether the user has a `keyhouse:` permission.
 *
 * @param {string} permission
 */
export const may = (permission) => session?.permissions.includes(permission) ?? false;

/** Whether the user can create keys of any kind. */
export const createsKeys = () => may("keyhouse:keys:create") || may("keyhouse:keys:manage");

export const isOperator = () => session?.user.operator ?? false;

async function fetchSession() {
  try {
    return await request("GET", "/v1/session", { quietly: true });
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}
