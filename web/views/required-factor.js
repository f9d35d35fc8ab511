// The view for users who must turn on a second factor before they can continue.

import { get } from "../api.js";
import { h } from "../dom.js";
import { reload } from "../state.js";
import { t } from "../text.js";
import { secondFactor } from "./second-factor.js";

/** `onDone` continues to the requested view. */
export async function requiredFactor(onDone) {
  const me = await get("/v1/me");
  const enrolled = async () => {
    await reload();
    await onDone();
  };
  const body = h("section.card.stack.narrow", {}, h("p", {}, t("totp.required_body")), secondFactor(me, enrolled));
  return { title: t("totp.required_title"), body };
}
