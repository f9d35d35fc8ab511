// The form that accepts an invitation.

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { passwordField } from "../elements/password-field.js";
import { field } from "../lib/form.js";
import { t } from "../lib/text.js";
import { session } from "../lib/state.js";
import { accountOfLink, enterWith, filledFields, linkForm } from "../lib/link.js";

/** @param {{token: string, done: () => void}} options */
export function view({ token, done }) {
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const shown = filledFields(element, ["name", "password"]);
    enterWith(await post("/v1/invitations/accept", { token, ...shown }, { quietly: true }), done);
  };
  const name = h("input", { name: "name", autocomplete: "name", maxlength: 256 });
  const body = linkForm(
    {
      token,
      invalid: t("invitation.link_invalid"),
      lead: t("invitation.lead"),
      submit,
      button: t("invitation.button"),
    },
    session ? h("p.notice", {}, t("invitation.signed_in", { name: session.user.name })) : null,
    accountOfLink(token),
    field(t("invitation.name"), name, { hint: t("invitation.name_hint") }),
    passwordField(t("invitation.password"), "password", { fresh: true }),
  );
  return { title: t("invitation.title"), body };
}
