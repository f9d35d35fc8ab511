// Disables and enables a key.

import { post } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { announce } from "../lib/messages.js";
import { parts, t } from "../lib/text.js";

/** @typedef {{id: string, name: string}} Named */

/**
 * Disables a key after confirmation. Resolves to the changed key, or to `undefined` after cancel.
 *
 * @param {Named} key
 */
export async function disableKey({ id, name }) {
  const words = {
    title: t("key.disable_title"),
    body: h("p", {}, parts("key.disable_body", { name: h("strong", {}, name) })),
    button: t("key.disable_confirm"),
    done: t("key.disabled"),
  };
  /** @type {Api.Key | undefined} */
  let changed;
  await confirm(words, async () => (changed = await post(`/v1/keys/${encodeURIComponent(id)}/disable`)));
  return changed;
}

/**
 * Enables a key. Throws a `Problem`.
 *
 * @param {Named} key
 */
export async function enableKey({ id }) {
  const changed = await post(`/v1/keys/${encodeURIComponent(id)}/enable`);
  announce(t("key.enabled"));
  return changed;
}
