// The form that accepts an invitation.

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { passwordField } from "../elements/password-field.js";
import { field } from "../lib/form.js";
import { t } from "../lib/text.js";
import { session } from "../lib/state.js";
import { accountField, enterWith, filledFields, linkForm } from "../lib/link.js";

/** @param {{token: string, done: () => void}} options */
export function view({ token, done }) {
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const shown = filledFields(element, ["name", "password"]);
    enterWith(await post("/v1/invitations/accept", { token, ...shown }, { quietly: true }), done);
  };
  const body = linkForm(
    {
      kind: "invitation",
      token,
      invalid: t("invitation.link_invalid"),
      lead: t("invitation.lead"),
      submit,
      button: t("invitation.button"),
    },
    (link) => [
      session ? h("p.notice", {}, t("invitation.signed_in", { name: session.user.name })) : null,
      accountField(link),
      field(
        t("invitation.name"),
        h("input", { name: "name", autocomplete: "name", maxlength: 256, value: link.name ?? "" }),
      ),
      passwordField(t("invitation.password"), "password", { fresh: true }),
    ],
  );
  return { title: t("invitation.title"), body };
}
