// The user's own account: second factor, sessions and password first, then name, email and language.

import { get, patch } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { CHARACTERS_MIN, CHARACTERS_MIN_WITH_CODE, passwordField } from "../elements/password-field.js";
import { showCurrentValues, field, form, select, valueOf } from "../lib/form.js";
import { userName } from "../lib/link.js";
import { allRoles, roleName } from "../lib/roles.js";
import { announce } from "../lib/messages.js";
import { refresh } from "../shell.js";
import { reload, session } from "../lib/state.js";
import { day, LANGUAGES, formatList, preferredLanguage, setLanguage, currentLanguage, t } from "../lib/text.js";
import { secondFactor } from "./second-factor.js";
import { sessions } from "./sessions.js";

/** @param {Page.Address} options */
export async function view({ redraw }) {
  const [me, roles, list] = await Promise.all([get("/v1/me"), allRoles(), sessions()]);
  // All sections of the profile share the newest state of the account.
  const seen = { me };
  const changed = async () => {
    await reload();
    await redraw();
  };
  const body = h(
    "div.stack.account",
    {},
    part(t("totp.title"), secondFactor(me, changed)),
    part(t("sessions.title"), list),
    part(t("profile.password"), password(seen)),
    part(t("profile.about"), about(seen, redraw, changed), facts(me, roles)),
  );
  const actions = [h("a.button", { href: "#/keys" }, t("profile.credentials"))];
  return { title: t("profile.title"), actions, body };
}

const part = (/** @type {string} */ title, /** @type {Page.Child[]} */ ...content) =>
  h("section.card.stack", {}, h("h2", { tabindex: "-1" }, title), ...content);

/**
 * @param {Api.Account} me
 * @param {Api.Role[]} roles
 */
function facts(me, roles) {
  const teams = me.teams.map((team) => team.name);
  return h(
    "dl.facts",
    {},
    h("dt", {}, t("profile.organization")),
    h("dd", {}, session.organization.name),
    h("dt", {}, t("profile.role")),
    h("dd.row", {}, roleName(me.role, roles), me.operator ? h("span.badge.accent", {}, t("profile.operator")) : null),
    h("dt", {}, t("profile.teams")),
    h("dd", {}, teams.length > 0 ? formatList(teams) : t("profile.no_teams")),
    h("dt", {}, t("profile.since")),
    h("dd", {}, day(me.created_at)),
  );
}

/**
 * @param {{me: Api.Account}} seen
 * @param {Page.Redraw} redraw
 * @param {Page.Redraw} moved
 */
function about(seen, redraw, moved) {
  const languages = [["", t("profile.browser_language")], ...Object.entries(LANGUAGES)];
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const changed = { name: valueOf(element, "name"), locale: valueOf(element, "locale") || null };
    try {
      seen.me = await patch("/v1/me", changed, seen.me.version);
    } catch (problem) {
      if (problem.code === "version_conflict") {
        const now = await get("/v1/me");
        showCurrentValues(element, typed(seen.me), typed(now));
        seen.me = now;
      }
      throw problem;
    }
    await reload();
    const wanted = seen.me.locale ?? preferredLanguage();
    if (wanted === currentLanguage()) refresh();
    else {
      await setLanguage(wanted);
      refresh();
      await redraw();
      document.querySelector("main select[name=locale]")?.focus();
    }
    announce(t("profile.saved"));
  };
  const name = h("input", { name: "name", autocomplete: "name", maxlength: 256, value: seen.me.name });
  return form(
    { submit, button: t("actions.save") },
    field(t("profile.name"), name),
    emailRow(seen.me, moved),
    field(t("profile.language"), select("locale", languages, seen.me.locale ?? "")),
  );
}

/**
 * The email with the button that changes it: the change needs the password, so it is not saved with the name.
 *
 * @param {Api.Account} me
 * @param {Page.Redraw} moved
 */
function emailRow(me, moved) {
  const state = me.email_verified ? null : h("span.badge.warn", {}, t("profile.unverified"));
  const move = h("button", { type: "button", onclick: () => changeEmail(me, moved) }, t("profile.change_email"));
  return h("div.field", {}, h("p.label", {}, t("profile.email")), h("div.row", {}, me.email, state, move));
}

/**
 * Changes the email. Requires the password, and a code if a second factor is on.
 *
 * @param {Api.Account} me
 * @param {Page.Redraw} changed
 */
async function changeEmail(me, changed) {
  const done = await open(t("profile.change_email"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      /** @type {Page.BodyOf<"/v1/me", "patch">} */
      const shown = { email: valueOf(element, "email"), current_password: valueOf(element, "current_password") };
      if (me.totp) shown.code = valueOf(element, "code").replaceAll(/\s/g, "");
      close(await patch("/v1/me", shown));
    };
    const email = h("input", { name: "email", type: "email", autocomplete: "off", required: true, autofocus: true });
    const code = h("input", { name: "code", autocomplete: "one-time-code", autocapitalize: "none", required: true });
    return form(
      { submit, button: t("actions.save"), cancel: () => close() },
      field(t("profile.new_email"), email),
      userName(me.email),
      passwordField(t("profile.current_password"), "current_password"),
      me.totp ? field(t("totp.code"), code, { hint: t("totp.code_or_backup") }) : null,
      h("p.hint", {}, t("profile.email_hint")),
    );
  });
  if (!done) return;
  await changed();
  refresh();
  announce(t("profile.email_changed"));
}

/** The values of the account fields. */
const typed = (/** @type {Api.Account} */ { name, locale }) => ({ name, locale: locale ?? "" });

/** @param {{me: Api.Account}} seen */
function password(seen) {
  const place = h("div", {});
  const charactersMin = seen.me.totp ? CHARACTERS_MIN_WITH_CODE : CHARACTERS_MIN;
  const draw = () =>
    replaceChildren(
      place,
      form(
        { submit, button: t("profile.change_password") },
        // Password managers need the user name.
        userName(seen.me.email),
        passwordField(t("profile.current_password"), "current_password"),
        passwordField(t("profile.new_password"), "password", { fresh: true, charactersMin }),
        h("p.hint", {}, t("profile.password_ends")),
      ),
    );
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const shown = { current_password: valueOf(element, "current_password"), password: valueOf(element, "password") };
    seen.me = await patch("/v1/me", shown);
    draw();
    place.querySelector("button[type=submit]").focus();
    document.querySelector(".sessions")?.dispatchEvent(new CustomEvent("changed"));
    announce(t("profile.password_changed"));
  };
  draw();
  return place;
}
