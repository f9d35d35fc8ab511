// The users of the organization, invitations and sign-in lockouts.

import { all, get, post, remove } from "../lib/api.js";
import { confirm, open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { oneTimeLink } from "../elements/one-time-link.js";
import { timeAgo } from "../elements/time-ago.js";
import { checkbox, field, form, group, select, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { allRoles, canAssign, outranks, roleMeaning, roleName } from "../lib/roles.js";
import { may, session } from "../lib/state.js";
import { table } from "../lib/table.js";
import { day, compareNames, formatList, normalizedForSearch, t } from "../lib/text.js";
import { allLockouts, lockouts, seesLockouts } from "./lockouts.js";

/** The number of people that are listed. Others are found by their full email. */
const PEOPLE_MAX = 1000;

/** @param {Page.Address} options */
export async function view({ query }) {
  const manages = may("keyhouse:users:manage");
  /** @type {Page.PeopleContext} */
  let context = { roles: [], teams: [] };
  const list = await live(async (redraw) => {
    const [people, invitations, roles, teams, waiting] = await Promise.all([
      all("/v1/users", {}, PEOPLE_MAX),
      all("/v1/invitations"),
      allRoles(),
      all("/v1/teams"),
      seesLockouts() ? allLockouts() : [],
    ]);
    context = { roles, teams };
    people.sort((one, other) => compareNames(one.name, other.name));
    return [lockouts(waiting, redraw), found(people, context, query), invited(invitations, context, manages, redraw)];
  });
  const start = () => invite(context, list.redraw);
  const button = h("button.primary", { type: "button", onclick: start }, t("people.invite"));
  return { title: t("people.title"), actions: manages ? [button] : [], body: list.element };
}

/**
 * The people, with a search field.
 *
 * @param {Api.User[]} people
 * @param {Page.PeopleContext} context
 * @param {URLSearchParams} query
 */
function found(people, context, query) {
  const isWhole = people.length < PEOPLE_MAX;
  const place = h("div", {});
  const count = h("p.small.soft", { role: "status" });
  const search = h("input", { type: "search", name: "search", value: query.get("search"), autocomplete: "off" });
  const lacking = h("input", { type: "checkbox", name: "totp", checked: query.get("totp") === "off" });
  let turn = 0;
  const show = async () => {
    const wanted = normalizedForSearch(search.value.trim());
    const thisTurn = ++turn;
    const isLacking = (/** @type {Api.User} */ one) => !one.totp && !one.disabled;
    const listed = lacking.checked ? people.filter(isLacking) : people;
    let some = listed.filter((one) => normalizedForSearch(`${one.name} ${one.email}`).includes(wanted));
    if (!isWhole && !lacking.checked && some.length === 0 && /.@./.test(wanted)) {
      some = (await get("/v1/users", { email: wanted }).catch(() => ({ items: [] }))).items;
      if (thisTurn !== turn) return;
    }
    replaceChildren(count, t("people.count", { count: some.length }));
    const shown = some.length > 0 ? peopleTable(some, context) : h("p.empty.soft", {}, t("people.none_found"));
    replaceChildren(place, shown);
    if (wanted) query.set("search", search.value);
    else query.delete("search");
    if (lacking.checked) query.set("totp", "off");
    else query.delete("totp");
    const at = query.toString();
    history.replaceState(null, "", at ? `#/people?${at}` : "#/people");
  };
  search.addEventListener("input", show);
  lacking.addEventListener("change", show);
  show();
  const hint = isWhole ? null : t("people.search_hint", { count: PEOPLE_MAX });
  const finding = h(
    "div.found",
    {},
    field(t("people.search"), search, { hint }),
    h("label.row", {}, lacking, t("people.without_totp")),
    count,
  );
  return h("div.stack", {}, finding, h("div.card.flush", {}, place));
}

/**
 * @param {Api.User[]} people
 * @param {Page.PeopleContext} options
 */
function peopleTable(people, { roles, teams }) {
  const columns = [t("people.person"), t("people.role"), t("people.teams"), t("people.totp"), t("people.since")];
  const inTeams = (/** @type {Api.User} */ user) =>
    teams.filter((team) => user.teams.includes(team.id)).map((team) => team.name);
  const cells = (/** @type {Api.User} */ user) => [
    [
      h("a.strong", { href: `#/people/${user.id}` }, user.name),
      badges(user),
      h("span.below.soft.small", {}, user.email),
    ],
    roleName(user.role, roles),
    formatList(inTeams(user)) || h("span.soft", {}, t("people.no_team")),
    user.totp ? t("people.totp_on") : h("span.soft", {}, t("people.totp_off")),
    day(user.created_at),
  ];
  return table(t("people.title"), columns, people.map(cells));
}

/**
 * Badges of a user.
 *
 * @param {Api.User} user
 */
export function badges(user) {
  const is = [];
  if (user.id === session.user.id) is.push(h("span.badge.accent", {}, t("people.you")));
  if (user.operator) is.push(h("span.badge", {}, t("people.operator")));
  if (user.disabled) is.push(h("span.badge.bad", {}, t("people.disabled")));
  return is.length > 0 ? h("span.badges", {}, is) : null;
}

/**
 * @param {Api.Invitation[]} invitations
 * @param {Page.PeopleContext} options
 * @param {boolean} manages
 * @param {Page.Redraw} redraw
 */
function invited(invitations, { roles, teams }, manages, redraw) {
  if (invitations.length === 0) return null;
  const columns = [t("people.invitation"), t("people.role"), t("people.state"), { hidden: t("people.actions") }];
  const states = {
    pending: (/** @type {Api.Invitation} */ one) => [h("span.badge.good", {}, t("people.pending")), " ", ends(one)],
    expired: () => h("span.badge", {}, t("people.expired")),
    void: () => [h("span.badge.warn", {}, t("people.void")), h("span.below.soft.small", {}, t("people.void_hint"))],
  };
  const cells = (/** @type {Api.Invitation} */ one) => [
    [h("span.strong", {}, one.name ?? one.email), one.name ? h("span.below.soft.small", {}, one.email) : null],
    roleName(one.role, roles),
    states[one.status](one),
    manages && outranks(one, roles) ? actionsOf(one, roles, teams, redraw) : null,
  ];
  return h(
    "section.stack",
    {},
    h("h2", {}, t("people.invitations")),
    h("div.card.flush", {}, table(t("people.invitations"), columns, invitations.map(cells))),
  );
}

const ends = (/** @type {Api.Invitation} */ one) =>
  h("span.soft.small", {}, t("people.expires"), " ", timeAgo(one.expires_at));

/**
 * @param {Api.Invitation} one
 * @param {Api.Role[]} roles
 * @param {Api.Team[]} teams
 * @param {Page.Redraw} redraw
 */
function actionsOf(one, roles, teams, redraw) {
  const renew = async () => {
    const words = {
      title: t("people.renew_title", { email: one.email }),
      body: t("people.renew_body"),
      button: t("people.renew"),
      safe: true,
    };
    /** @type {Awaited<ReturnType<typeof send>> | undefined} */
    let made;
    if (await confirm(words, async () => (made = await send(one)))) {
      if (made) await showLink(made);
      redraw();
    }
  };
  const withdraw = async () => {
    const words = {
      title: t("people.withdraw_title", { email: one.email }),
      body: t("people.withdraw_body"),
      button: t("people.withdraw"),
      done: t("people.withdrawn"),
    };
    if (await confirm(words, () => remove(`/v1/invitations/${one.id}`))) redraw();
  };
  const named = (/** @type {string} */ text) => ({
    type: "button",
    "aria-label": t("people.for", { action: text, email: one.email }),
  });
  return h(
    "div.row.end",
    {},
    h("button", { ...named(t("people.renew")), onclick: renew }, t("people.renew")),
    h("button", { ...named(t("people.withdraw")), onclick: withdraw }, t("people.withdraw")),
  );
}

/**
 * @param {Page.PeopleContext} options
 * @param {Page.Redraw} redraw
 */
async function invite({ roles, teams }, redraw) {
  const mine = teams.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  const assignable = roles.filter((role) => canAssign(role, roles));
  const made = await open(t("people.invite"), (close) => {
    const role = roleField(assignable, roles, "user");
    const email = h("input", { name: "email", type: "email", autocomplete: "off", required: true });
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const name = valueOf(element, "name").trim();
      const chosen = mine.filter((team) => element.elements.namedItem(team.id).checked).map((team) => team.id);
      const fields = { email: email.value, role: valueOf(element, "role"), teams: chosen };
      close(await send(name ? { ...fields, name } : fields));
    };
    return form(
      { submit, button: t("people.invite_create"), cancel: () => close() },
      h("p", {}, t("people.invite_how")),
      field(t("people.email"), email),
      field(t("people.name"), h("input", { name: "name", autocomplete: "off" }), { optional: true }),
      role,
      mine.length > 0
        ? group(
            "teams",
            t("people.teams"),
            h(
              "div.choices",
              {},
              mine.map((team) => checkbox(team.id, team.name)),
            ),
          )
        : null,
    );
  });
  if (!made) return;
  await showLink(made);
  redraw();
}

const send = (
  /** @type {{email: string, role: string, name?: string | null, teams: string[]}} */ { email, role, name, teams },
) => post("/v1/invitations", { email, role, teams, ...(name ? { name } : {}) });

const showLink = (/** @type {{invitation: Api.Invitation, url: string}} */ { invitation, url }) =>
  oneTimeLink({
    title: t("people.link_title"),
    body: t("people.link_body", { email: invitation.email }),
    url,
    endsAt: invitation.expires_at,
  });

/**
 * The choice of a role, with the description of the chosen role.
 *
 * @param {Api.Role[]} assignable
 * @param {Api.Role[]} roles
 * @param {string} chosen
 */
export function roleField(assignable, roles, chosen) {
  const meaning = h("p.hint", { role: "status" });
  const current = () => assignable.find((role) => role.id === choice.value) ?? assignable[0];
  const describe = () => replaceChildren(meaning, roleMeaning(current()));
  const options = assignable.map((role) => [role.id, roleName(role.id, roles)]);
  const choice = select("role", options, chosen, { onchange: describe });
  describe();
  return h("div.stack.tight", {}, field(t("people.role"), choice), meaning);
}
