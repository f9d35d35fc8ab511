// The dialog that revokes a key.

import { get, post } from "../lib/api.js";
import { confirm, loadForDialog, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { checkbox, field } from "../lib/form.js";
import { parts, t } from "../lib/text.js";

const REASON_CHARACTERS_MAX = 256;

/**
 * Revokes a key after confirmation. Resolves to the revoked key, or to `undefined` after cancel.
 *
 * @param {Api.Key} key
 */
export async function revokeKey(key) {
  const path = /** @type {const} */ (`/v1/keys/${encodeURIComponent(key.id)}`);
  const descendants = await loadForDialog(t("key.revoke_title"), () => get(`${path}/descendants`));
  if (descendants === undefined) return undefined;
  const { count } = descendants;
  const created = checkbox("descendants", t("key.revoke_descendants", { count }));
  const reason = h("input", { name: "reason", maxlength: REASON_CHARACTERS_MAX, autocomplete: "off" });
  const words = {
    title: t("key.revoke_title"),
    body: [
      h("p", {}, parts("key.revoke_body", { name: h("strong", {}, key.name) })),
      h("p", {}, t("key.revoke_permanent")),
      count > 0 ? created : null,
      field(t("key.reason"), reason, { optional: true, hint: t("key.reason_hint") }),
    ],
    button: t("key.revoke_confirm"),
    done: t("key.revoked"),
  };
  const body = () => ({
    ...(reason.value.trim() === "" ? {} : { reason: reason.value.trim() }),
    ...(created.querySelector("input").checked ? { descendants: true } : {}),
  });
  /** @type {Page.ResponseOf<`/v1/keys/${string}/revoke`, "post"> | undefined} */
  let revoked;
  await confirm(words, async (isOpen) => {
    do revoked = await post(`${path}/revoke`, body());
    while (revoked.descendants?.more && isOpen());
  });
  const left = revoked?.descendants?.left ?? 0;
  if (left > 0) await open(t("key.revoked"), () => h("p.notice.warn", {}, t("key.descendants_left", { count: left })));
  return revoked;
}
