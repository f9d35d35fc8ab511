// The form that creates the first owner with the setup link.

import { post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { passwordField } from "../elements/password-field.js";
import { field } from "../lib/form.js";
import { t } from "../lib/text.js";
import { enterWith, filledFields, linkForm } from "../lib/link.js";

/** @param {{token: string, done: () => void}} options */
export function view({ token, done }) {
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const shown = filledFields(element, ["name", "email", "password"]);
    enterWith(await post("/v1/setup", { token, ...shown }, { quietly: true }), done);
  };
  const invalid = t("setup.link_invalid");
  const body = linkForm(
    { kind: "setup", token, invalid, lead: t("setup.lead"), submit, button: t("setup.button") },
    () => [
      field(t("setup.name"), h("input", { name: "name", autocomplete: "name", maxlength: 256 }), { optional: true }),
      field(t("setup.email"), h("input", { name: "email", type: "email", autocomplete: "username", required: true })),
      passwordField(t("setup.password"), "password", { fresh: true }),
    ],
  );
  return { title: t("setup.title"), body };
}
