// A badge with the status of a key.

import { h } from "../lib/dom.js";
import { t } from "../lib/text.js";

/** @type {Record<string, string>} */
const TONES = { active: "good", not_yet_valid: "accent", disabled: "warn", expired: "warn", revoked: "bad" };

/** @param {Api.Key} key */
export function keyStatus({ status, secrets }) {
  const end = secrets[1]?.ends_at;
  // The replaced secret still works.
  if (status === "active" && end && new Date(end) > new Date()) return h("span.badge.warn", {}, t("keys.rotating"));
  // status.active, status.disabled, status.expired, status.not_yet_valid, status.revoked
  return h(`span.badge.${TONES[status] ?? "soft"}`, {}, t(`status.${status}`));
}
