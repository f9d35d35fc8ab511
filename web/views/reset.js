// The form that sets a new password with a reset link.

import { post } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { passwordField } from "../elements/password-field.js";
import { t } from "../lib/text.js";
import { accountField, filledFields, linkForm } from "../lib/link.js";

/** @param {{token: string, done: () => void}} options */
export function view({ token, done }) {
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    await post("/v1/reset", { token, ...filledFields(element, ["password"]) }, { quietly: true });
    const title = h("h2", { tabindex: "-1" }, t("reset.done"));
    const go = h("button.primary", { type: "button", onclick: done }, t("reset.sign_in"));
    replaceChildren(body, title, h("p", {}, t("reset.done_body")), h("div", {}, go));
    title.focus();
  };
  const body = linkForm(
    {
      kind: "reset",
      token,
      invalid: t("reset.link_invalid"),
      lead: t("reset.lead"),
      submit,
      button: t("reset.button"),
    },
    (link) => [
      accountField(link),
      passwordField(t("reset.password"), "password", { fresh: true, hint: t("reset.password_hint") }),
    ],
  );
  return { title: t("reset.title"), body };
}
