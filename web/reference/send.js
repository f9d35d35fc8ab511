// Sends the requests of "Try it". They go out as the reader wrote them, to this instance only, and every response is
// shown as it came. Therefore this file calls `fetch` itself, beside lib/api.js.

import { HOME, Problem } from "../lib/api.js";

/**
 * @typedef {{key: string | null, session: boolean}} Credential
 * @typedef {{
 * status: number, kind: string, headers: [string, string][], text: string, isCut: boolean, isFile: boolean, ms: number,
 * }} Received
 */

/** A backup of a large instance takes minutes, but its content is not read. */
const PATIENCE_MS = 60_000;
/** The most of a response that is read and shown. */
const CHARACTERS_MAX = 400_000;
const IS_TEXT = /^(text\/|application\/(json|problem\+json|openmetrics-text))/;

/**
 * Sends a request with the session, or with a key and without cookies, or with neither.
 *
 * @param {import("./request.js").Request} request
 * @param {Credential} credential
 * @returns {Promise<Received>}
 */
export async function send({ method, path, headers, body }, { key, session }) {
  const url = new URL(`.${path}`, HOME);
  if (url.origin !== HOME.origin || !url.pathname.startsWith(HOME.pathname)) throw new TypeError(url.href);
  const began = performance.now();
  const response = await reach(url, {
    method,
    headers: key === null ? headers : { ...headers, Authorization: `Bearer ${key}` },
    body,
    credentials: session ? "same-origin" : "omit",
    cache: "no-store",
    redirect: "error",
  });
  const kind = response.headers.get("Content-Type") ?? "";
  const isFile = kind !== "" && !IS_TEXT.test(kind);
  if (isFile) await response.body?.cancel();
  const { text, isCut } = isFile ? { text: "", isCut: false } : await textOf(response);
  const ms = Math.round(performance.now() - began);
  return { status: response.status, kind, headers: [...response.headers], text, isCut, isFile, ms };
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
 * The text of a response, up to a maximum.
 *
 * @param {Response} response
 */
async function textOf(response) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const part = await reader?.read().catch(() => {
      throw new Problem(0, { code: "unreachable" });
    });
    if (!part || part.done) return { text: text + decoder.decode(), isCut: false };
    text += decoder.decode(part.value, { stream: true });
    if (text.length > CHARACTERS_MAX) {
      await reader?.cancel();
      return { text: text.slice(0, CHARACTERS_MAX), isCut: true };
    }
  }
}
