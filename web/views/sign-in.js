// The sign-in form: a view without a session, a dialog when the session has ended.

import { post, Problem } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { passwordField } from "../elements/password-field.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { setSession, instance } from "../lib/state.js";
import { t } from "../lib/text.js";

/**
 * The view. `enter` runs after the sign-in. `organization` is the organization to sign in to.
 *
 * @param {() => unknown} enter
 * @param {string | null} organization
 */
export function signInView(enter, organization) {
  if (!instance.set_up) return notSetUp();
  return { title: t("sign_in.title"), body: h("div.card.narrow", {}, signInForm({ email: "", organization }, enter)) };
}

function notSetUp() {
  const retry = h("button", { type: "button", onclick: () => location.reload() }, t("actions.retry"));
  const body = h("div.card.narrow.stack", {}, h("p", {}, t("sign_in.not_set_up")), h("div", {}, retry));
  return { title: t("setup.title"), body };
}

/**
 * The dialog: `{closed, close}`. `closed` resolves to whether the user signed in.
 *
 * @param {string} email
 * @param {string} organization
 */
export function signInDialog(email, organization) {
  /** @type {{closed: Promise<boolean | undefined>, close: (done: boolean) => void}} */
  const prompt = { closed: Promise.resolve(undefined), close: () => {} };
  prompt.closed = open(t("sign_in.again"), (close) => {
    prompt.close = close;
    const entry = signInForm({ email, organization }, () => close(true));
    return h("div.stack", {}, h("p", {}, t("sign_in.session_ended")), entry);
  });
  return prompt;
}

/**
 * @param {{email: string, organization: string | null}} options
 * @param {() => unknown} enter
 */
function signInForm({ email, organization }, enter) {
  const [code, chooser] = [h("div", {}), h("div", {})];
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    /** @type {Page.BodyOf<"/v1/session", "post">} */
    const shown = { email: valueOf(element, "email"), password: valueOf(element, "password") };
    const digits = element.elements.namedItem("code")?.value.replaceAll(/\s/g, "");
    if (digits) shown.code = digits;
    const chosen = element.elements.namedItem("organization")?.value ?? organization;
    if (chosen) shown.organization = chosen;
    try {
      setSession(await post("/v1/session", shown, { quietly: true }));
    } catch (problem) {
      if (problem.code === "code_required" && !digits) return askForCode(code);
      if (problem.code === "organization_required") return askForOrganization(chooser, problem.members.organizations);
      // Focus the field that is most likely wrong.
      if (problem.code === "sign_in_failed") element.elements.namedItem(digits ? "code" : "password").select();
      // The server does not reveal which of the three is wrong.
      const isAny = problem.code === "sign_in_failed" && digits;
      throw isAny ? new Problem(problem.status, { ...problem.members, code: "sign_in_failed_with_code" }) : problem;
    }
    enter();
  };
  const address = h("input", {
    name: "email",
    type: "email",
    autocomplete: "username",
    value: email,
    required: true,
    autofocus: email === "",
  });
  // The offered organizations depend on the entered email and password.
  const offerAnew = (/** @type {Event} */ { target }) => {
    const { name } = /** @type {Page.Control} */ (target);
    if (["email", "password"].includes(name)) replaceChildren(chooser);
  };
  const element = form(
    { submit, button: t("sign_in.button") },
    field(t("sign_in.email"), address),
    passwordField(t("sign_in.password"), "password", { autofocus: email !== "" }),
    chooser,
    code,
    h("p.hint", {}, t("sign_in.forgotten")),
  );
  element.addEventListener("input", offerAnew);
  return element;
}

/**
 * @param {Element} place
 * @param {{id: string, name: string}[]} organizations
 */
function askForOrganization(place, organizations) {
  const choice = select(
    "organization",
    organizations.map(({ id, name }) => [id, name]),
    organizations[0].id,
  );
  replaceChildren(place, field(t("sign_in.organization"), choice, { hint: t("sign_in.organization_hint") }));
  choice.focus();
}

/** @param {Element} place */
function askForCode(place) {
  const input = h("input", { name: "code", autocomplete: "one-time-code", autocapitalize: "none", required: true });
  replaceChildren(place, field(t("sign_in.code"), input, { hint: t("sign_in.code_hint") }));
  input.focus();
}
