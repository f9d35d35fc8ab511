// A badge with the status of a key.

import { h } from "../lib/dom.js";
import { t } from "../lib/text.js";

/** @type {Record<string, string>} */
const TONES = { active: "good", not_yet_valid: "accent", disabled: "soft", expired: "bad", revoked: "soft" };

/** @param {{status: string}} key */
export const toneOf = (key) => TONES[key.status] ?? "soft";

/** @param {Api.Key} key */
export function keyStatus({ status, secrets }) {
  const end = secrets[1]?.ends_at;
  // The replaced secret still works.
  if (status === "active" && end && new Date(end) > new Date()) return h("span.badge.warn", {}, t("keys.rotating"));
  // status.active, status.disabled, status.expired, status.not_yet_valid, status.revoked
  return h(`span.badge.${toneOf({ status })}`, {}, t(`status.${status}`));
}
