// The dialog that asks for the password or a code again, before the server shows a new secret.

import { post } from "./lib/api.js";
import { open } from "./lib/dialog.js";
import { h, replaceChildren } from "./lib/dom.js";
import { field, form, valueOf } from "./lib/form.js";
import { userName } from "./lib/link.js";
import { session } from "./lib/state.js";
import { t } from "./lib/text.js";
import { passwordField } from "./elements/password-field.js";

/**
 * The open dialog, which all waiting requests share.
 *
 * @type {Promise<boolean> | null}
 */
let prompt = null;

/** Asks for the password or a code. Resolves to whether to send the waiting requests again. */
export async function prove() {
  prompt ??= ask();
  try {
    return await prompt;
  } finally {
    prompt = null;
  }
}

async function ask() {
  const done = await open(t("proof.title"), (close) => {
    const place = h("div", {});
    const show = (/** @type {"password" | "code"} */ name) => {
      replaceChildren(
        place,
        proofForm(name, () => close(true), show),
      );
      place.querySelector("input:not([hidden])")?.focus();
    };
    show("password");
    return h("div.stack", {}, h("p", {}, t("proof.lead")), place);
  });
  return done === true;
}

/**
 * The form for one kind of proof. A code is offered to users with a second factor.
 *
 * @param {"password" | "code"} name
 * @param {() => void} done
 * @param {(name: "password" | "code") => void} show
 */
function proofForm(name, done, show) {
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const value = valueOf(element, name);
    const proof = name === "code" ? { code: value.replaceAll(/\s/g, "") } : { password: value };
    try {
      await post("/v1/session/proof", proof, { quietly: true });
    } catch (problem) {
      // The session has ended: the request that waits for the proof asks the user to sign in.
      if (problem.status !== 401) throw problem;
    }
    done();
  };
  const other = name === "code" ? "password" : "code";
  const words = other === "code" ? t("proof.use_code") : t("proof.use_password");
  const change = h("button.quiet", { type: "button", onclick: () => show(other) }, words);
  return form(
    { submit, button: t("proof.button") },
    name === "code"
      ? codeField()
      : [userName(session.user.email), passwordField(t("proof.password"), "password", { autofocus: true })],
    session.user.totp ? h("div", {}, change) : null,
  );
}

function codeField() {
  const typed = { autocomplete: "one-time-code", spellcheck: "false", autocapitalize: "none", required: true };
  return field(t("proof.code"), h("input", { name: "code", ...typed }), { hint: t("proof.code_hint") });
}
