// A badge with the status of a key.

import { h } from "../lib/dom.js";
import { t } from "../lib/text.js";

/** @type {Record<string, string>} */
const TONES = { active: "good", not_yet_valid: "accent", disabled: "warn", expired: "warn", revoked: "bad" };

/** @param {{status: string}} key */
export function keyStatus(key) {
  // status.active, status.disabled, status.expired, status.not_yet_valid, status.revoked
  return h(`span.badge.${TONES[key.status] ?? "soft"}`, {}, t(`status.${key.status}`));
}
