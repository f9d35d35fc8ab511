// What one sees who must turn a second factor on before anything else: the way to turn it on.

import { get } from "../api.js";
import { h } from "../dom.js";
import { reload } from "../state.js";
import { t } from "../text.js";
import { secondFactor } from "./second-factor.js";

/** The view; `again` goes on to the view that was asked for. */
export async function requiredFactor(again) {
  const me = await get("/v1/me");
  const enrolled = async () => {
    await reload();
    await again();
  };
  const body = h("section.card.stack.narrow", {}, h("p", {}, t("totp.required_body")), secondFactor(me, enrolled));
  return { title: t("totp.required_title"), body };
}
