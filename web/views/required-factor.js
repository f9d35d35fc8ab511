// The view for users who must turn on a second factor before they can continue.

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { reload } from "../lib/state.js";
import { t } from "../lib/text.js";
import { secondFactor } from "./second-factor.js";

/**
 * `onDone` continues to the requested view.
 *
 * @param {Page.Redraw} onDone
 */
export async function requiredFactor(onDone) {
  const me = await get("/v1/me");
  const enrolled = async () => {
    await reload();
    await onDone();
  };
  const body = h("section.card.stack.narrow", {}, h("p", {}, t("totp.required_body")), secondFactor(me, enrolled));
  return { title: t("totp.required_title"), body };
}
