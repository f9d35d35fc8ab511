// The notices above the tabs of a key: why calls are refused, and what to do about its secrets.

import { h } from "../lib/dom.js";
import { late } from "../lib/api.js";
import { orAnnounce } from "../lib/messages.js";
import { moment, parts, t } from "../lib/text.js";
import { timeAgo } from "../elements/time-ago.js";
import { action } from "./parts.js";

/** @param {Page.KeyPage} page */
export function notices(page) {
  const { key } = page;
  const warning = (/** @type {string} */ text) => h("div.notice.warn", {}, h("p", {}, text));
  return [
    key.status === "revoked" ? revoked(key) : null,
    key.status === "disabled" ? warning(t("key.is_disabled")) : null,
    key.status === "expired" ? warning(t("key.is_expired")) : null,
    key.rotation_advised && key.status !== "revoked" ? advice(page) : null,
    replaced(key),
  ];
}

/** @param {Page.KeyPage} page */
function advice(page) {
  const { rights } = page;
  const turn = async () => (await late(() => import("./secrets.js"))).rotate(page);
  const now = rights.rotate ? action("rotate-now", t("rotate.now"), () => orAnnounce(turn)) : null;
  const who = rights.rotate ? t("rotate.advised_you") : t("rotate.advised_other");
  return h("div.notice.warn", {}, h("p", {}, t("rotate.advised")), h("p.small", {}, who), now);
}

/** @param {Api.Key} key */
function revoked(key) {
  return h(
    "div.notice.bad",
    {},
    h("p", {}, parts("key.is_revoked", { when: timeAgo(key.revoked_at) })),
    key.revoked_reason ? h("p", {}, t("key.reason_was", { reason: key.revoked_reason })) : null,
  );
}

/** Whether a secret no longer works. */
export const hasEnded = (/** @type {Page.KeySecret} */ secret) =>
  secret.ends_at !== null && new Date(secret.ends_at) <= new Date();

/**
 * The last use of the replaced secret, while it still works.
 *
 * @param {Api.Key} key
 */
function replaced(key) {
  const old = key.secrets[1];
  if (!old?.ends_at || hasEnded(old) || key.status === "revoked") return null;
  const hint = h("code", {}, t("key.hint", { hint: old.hint }));
  const last = old.last_used;
  const isUsed = last && last.at > key.secrets[0].created_at;
  return h(
    isUsed ? "div.notice.warn" : "div.notice",
    {},
    h("p", {}, parts("rotate.old_works", { hint, when: h("time", { datetime: old.ends_at }, moment(old.ends_at)) })),
    h(
      "p",
      {},
      isUsed
        ? parts("rotate.old_used", { when: timeAgo(last.at), ip: h("code", {}, last.ip ?? t("rotate.no_address")) })
        : t("rotate.old_unused"),
    ),
  );
}
