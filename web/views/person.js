// One user: details, keys, sessions and management actions.

import { all, get, patch, post } from "../lib/api.js";
import { confirm, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { oneTimeLink } from "../elements/one-time-link.js";
import { checkbox, field, form, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { allRoles, canAssign, outranks, roleMeaning, roleName } from "../lib/roles.js";
import { announce } from "../lib/messages.js";
import { setTitle } from "../shell.js";
import { isOperator, may, session } from "../lib/state.js";
import { day, optionalText as textFor, LANGUAGES, t } from "../lib/text.js";
import { badges, roleField } from "./people.js";
import { removePerson } from "./removal.js";
import { sessionsOf } from "./sessions.js";

/**
 * @typedef {{
 *   roles: Api.Role[],
 *   keys: Page.ItemOf<`/v1/users/${string}/keys`>[] | null,
 *   redraw: Page.Redraw,
 * }} Context
 */

/** @param {Page.Address} options */
export async function view({ params: [id] }) {
  /** @type {string | undefined} */
  let name;
  const seesKeys = may("keyhouse:keys:read") || may("keyhouse:users:manage");
  const body = await live(async (redraw) => {
    const [user, roles, teams, keys] = await Promise.all([
      get(`/v1/users/${encodeURIComponent(id)}`),
      allRoles(),
      all("/v1/teams"),
      seesKeys ? all(`/v1/users/${encodeURIComponent(id)}/keys`) : null,
    ]);
    // The heading exists only after the first draw.
    if (name !== undefined) setTitle(user.name);
    name = user.name;
    const isManaged = may("keyhouse:users:manage") && user.id !== session.user.id && outranks(user, roles);
    return [
      h("section.card", { "aria-label": t("person.facts") }, facts(user, roles, teams)),
      keys ? keysOf(keys) : null,
      isManaged ? await sessionsOf(user, redraw) : null,
      settings(user, { roles, keys, redraw }),
    ];
  });
  return { title: name ?? "", body: body.element };
}

/**
 * @param {Api.User} user
 * @param {Api.Role[]} roles
 * @param {Api.Team[]} teams
 */
function facts(user, roles, teams) {
  const fact = (/** @type {string} */ label, /** @type {Page.Child} */ value) => [
    h("dt", {}, label),
    h("dd", {}, value),
  ];
  const inTeams = teams.filter((team) => user.teams.includes(team.id));
  const role = roles.find((one) => one.id === user.role);
  const roleShown = may("keyhouse:roles:read")
    ? h("a", { href: `#/roles/${user.role}` }, roleName(user.role, roles))
    : roleName(user.role, roles);
  const teamsShown = h(
    "ul.inline",
    {},
    inTeams.map((team) => h("li", {}, h("a", { href: `#/teams/${team.id}` }, team.name))),
  );
  const flags = badges(user);
  const unverified = user.email_verified ? null : [" ", h("span.badge.warn", {}, t("profile.unverified"))];
  return h(
    "dl.facts",
    {},
    flags ? fact(t("person.status"), flags) : null,
    fact(t("people.email"), [user.email, unverified]),
    fact(t("people.role"), [roleShown, role ? h("span.below.soft.small", {}, roleMeaning(role)) : null]),
    fact(t("people.teams"), inTeams.length > 0 ? teamsShown : h("span.soft", {}, t("people.no_team"))),
    fact(t("people.totp"), user.totp ? t("people.totp_on") : t("people.totp_off")),
    user.locale ? fact(t("person.language"), LANGUAGES[user.locale] ?? user.locale) : null,
    fact(t("people.since"), day(user.created_at)),
  );
}

/** @param {Page.ItemOf<`/v1/users/${string}/keys`>[]} keys */
function keysOf(keys) {
  const item = (/** @type {Page.ItemOf<`/v1/users/${string}/keys`>} */ key) =>
    h(
      "li",
      {},
      h("a", { href: `#/keys/${key.id}` }, ("name" in key ? key.name : null) ?? t("person.key_unnamed")),
      " ",
      // status.active, .disabled, .expired, .not_yet_valid, .revoked
      h("span.badge", {}, textFor(`status.${key.status}`) ?? key.status),
    );
  return h(
    "section.card",
    {},
    h("h2", {}, t("person.keys")),
    keys.length > 0 ? h("ul.plain", {}, keys.map(item)) : h("p.soft", {}, t("person.no_keys")),
  );
}

/**
 * The management actions that the current user can take, each with its effect.
 *
 * @param {Api.User} user
 * @param {Context} context
 */
function settings(user, context) {
  const isSelf = user.id === session.user.id;
  const rows = [];
  const row = (
    /** @type {string} */ title,
    /** @type {string} */ text,
    /** @type {string} */ label,
    /** @type {() => unknown} */ onclick,
    kind = "button",
  ) =>
    rows.push(
      h(
        "div.setting",
        {},
        h("div", {}, h("h3", {}, title), h("p.soft.small", {}, text)),
        h(kind, { type: "button", onclick }, label),
      ),
    );
  if (isSelf) {
    const link = h("a", { href: "#/profile" }, t("profile.title"));
    rows.push(h("p.soft", {}, t("person.self"), " ", link));
  }
  if (may("keyhouse:users:manage")) {
    if (!outranks(user, context.roles)) {
      rows.push(h("p.soft", {}, t(user.operator ? "person.outranked_operator" : "person.outranked")));
    } else {
      row(t("person.name_role"), t("person.name_role_hint"), t("actions.edit"), () => edit(user, context));
      if (!isSelf) {
        row(t("person.email"), t("person.email_hint"), t("person.email_button"), () => changeEmail(user, context));
        row(t("person.reset"), t("person.reset_hint"), t("person.reset_create"), () => reset(user));
      }
      if (isOperator()) operatorRow(user, context, row);
      if (!isSelf && user.disabled) {
        row(t("person.enable"), t("person.enable_hint"), t("person.enable_button"), () => enable(user, context));
      } else if (!isSelf) {
        row(t("person.disable"), t("person.disable_hint"), t("person.disable_button"), () => disable(user, context));
      }
      const remove = () => removePerson(user);
      row(t("person.remove"), t("person.remove_hint"), t("person.remove_button"), remove, "button.danger");
    }
  }
  if (rows.length === 0) return null;
  return h("section.card", {}, h("h2", {}, t("person.manage")), h("div.settings", {}, rows));
}

/**
 * @param {Api.User} user
 * @param {Context} context
 * @param {(title: string, text: string, label: string, onclick: () => unknown, kind?: string) => unknown} row
 */
function operatorRow(user, context, row) {
  const keys = user.operator
    ? ["person.operator_revoke", "person.operator_revoke_hint", "person.operator_revoke_button"]
    : ["person.operator_grant", "person.operator_grant_hint", "person.operator_grant_button"];
  const [title, hint, button] = keys.map((key) => t(key));
  const words = {
    title: t("person.confirm", { action: button, name: user.name }),
    body: hint,
    button,
    done: t("person.saved"),
    safe: !user.operator,
  };
  const change = () => patch(`/v1/users/${user.id}`, { operator: !user.operator }, user.version);
  row(title, hint, button, () => confirmed(words, change, context));
}

/**
 * Runs an action after confirmation and redraws.
 *
 * @param {Page.Confirmation} words
 * @param {() => Promise<unknown>} act
 * @param {{redraw: Page.Redraw}} options
 */
async function confirmed(words, act, { redraw }) {
  if (await confirm(words, act)) redraw();
}

const enable = async (/** @type {Api.User} */ user, /** @type {{redraw: Page.Redraw}} */ { redraw }) => {
  const words = {
    title: t("person.confirm", { action: t("person.enable_button"), name: user.name }),
    body: t("person.enable_hint"),
    button: t("person.enable_button"),
    done: t("person.saved"),
    safe: true,
  };
  await confirmed(words, () => patch(`/v1/users/${user.id}`, { disabled: false }, user.version), { redraw });
};

const disable = async (/** @type {Api.User} */ user, /** @type {{redraw: Page.Redraw}} */ { redraw }) => {
  const words = {
    title: t("person.confirm", { action: t("person.disable_button"), name: user.name }),
    body: t("person.disable_hint"),
    button: t("person.disable_button"),
    done: t("person.saved"),
  };
  await confirmed(words, () => patch(`/v1/users/${user.id}`, { disabled: true }, user.version), { redraw });
};

/**
 * @param {Api.User} user
 * @param {Context} options
 */
async function edit(user, { roles, redraw }) {
  const givable = roles.filter((role) => role.id === user.role || canAssign(role, roles));
  const done = await open(t("person.edit"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const change = { name: valueOf(element, "name"), role: valueOf(element, "role") };
      close(await patch(`/v1/users/${user.id}`, change, user.version));
    };
    return form(
      { submit, button: t("actions.save"), cancel: () => close() },
      field(t("people.name"), h("input", { name: "name", value: user.name, autocomplete: "off" })),
      roleField(givable, roles, user.role),
      h("p.hint", {}, t("person.role_ends_sessions")),
    );
  });
  if (!done) return;
  announce(t("person.saved"));
  redraw();
}

/**
 * Changes the email. Saving the same email confirms one that the user set themselves.
 *
 * @param {Api.User} user
 * @param {Context} options
 */
async function changeEmail(user, { redraw }) {
  const done = await open(t("person.email"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      close(await patch(`/v1/users/${user.id}`, { email: valueOf(element, "email") }, user.version));
    };
    const email = h("input", { name: "email", type: "email", value: user.email, autocomplete: "off", required: true });
    return form(
      { submit, button: t("actions.save"), cancel: () => close() },
      field(t("people.email"), email),
      h("p.hint", {}, t("person.email_confirms")),
    );
  });
  if (!done) return;
  announce(t("person.saved"));
  redraw();
}

/** @param {Api.User} user */
async function reset(user) {
  // Only owners whose session has a second factor can remove another user's second factor.
  const removes = user.totp && session.user.role === "owner";
  const made = await open(t("person.reset"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const totp = element.elements.namedItem("totp")?.checked ?? false;
      close(await post(`/v1/users/${user.id}/reset`, { totp }));
    };
    return form(
      { submit, button: t("person.reset_create"), cancel: () => close() },
      h("p", {}, t("person.reset_body", { email: user.email })),
      removes ? checkbox("totp", t("person.reset_totp")) : null,
      removes ? h("p.hint", {}, t("person.reset_totp_hint")) : null,
    );
  });
  if (!made) return;
  const body = t("person.reset_link", { email: user.email });
  await oneTimeLink({ title: t("person.reset"), body, url: made.url, endsAt: made.expires_at });
}
