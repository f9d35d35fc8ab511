// A badge with the status of a key.

import { h } from "../lib/dom.js";
import { toneOf } from "../keys/row.js";
import { t } from "../lib/text.js";

/** @param {Api.Key} key */
export function keyStatus({ status, secrets }) {
  const end = secrets[1]?.ends_at;
  // The replaced secret still works.
  if (status === "active" && end && new Date(end) > new Date()) return h("span.badge.warn", {}, t("keys.rotating"));
  // status.active, status.disabled, status.expired, status.not_yet_valid, status.revoked
  return h(`span.badge.${toneOf({ status })}`, {}, t(`status.${status}`));
}
