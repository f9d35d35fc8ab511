// People: who is in the organization, who is invited, and inviting somebody.

import { all, get, post, remove } from "../api.js";
import { confirm, open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { oneTimeLink } from "../elements/one-time-link.js";
import { timeAgo } from "../elements/time-ago.js";
import { checkbox, field, form, group, select, valueOf } from "../form.js";
import { live } from "../live.js";
import { allRoles, mayGive, outranks, roleMeaning, roleName } from "../roles.js";
import { may, session } from "../state.js";
import { table } from "../table.js";
import { day, inOrder, listed, searched, t } from "../text.js";
import { allLockouts, lockouts, seesLockouts } from "./lockouts.js";

/** As many as are read at once; beyond, people are found by their whole address. */
const PEOPLE_MAX = 1000;

export async function view({ query }) {
  const manages = may("keyhouse:users:manage");
  let known = {};
  const list = await live(async (again) => {
    const [people, invitations, roles, teams, waiting] = await Promise.all([
      all("/v1/users", {}, PEOPLE_MAX),
      all("/v1/invitations"),
      allRoles(),
      all("/v1/teams"),
      seesLockouts() ? allLockouts() : [],
    ]);
    known = { roles, teams };
    people.sort((one, other) => inOrder(one.name, other.name));
    return [
      lockouts(waiting, again),
      found(people, known, query),
      invited(invitations, known, manages, again),
    ];
  });
  const start = () => invite(known, list.again);
  const button = h("button.primary", { type: "button", onclick: start }, t("people.invite"));
  return { title: t("people.title"), actions: manages ? [button] : [], body: list.element };
}

/** The people, and a field that finds some of them as one types. */
function found(people, known, query) {
  const isWhole = people.length < PEOPLE_MAX;
  const place = h("div", {});
  const count = h("p.small.soft", { role: "status" });
  const search = h("input", { type: "search", name: "search", value: query.get("search"), autocomplete: "off" });
  let turn = 0;
  const show = async () => {
    const wanted = searched(search.value.trim());
    const asked = ++turn;
    let some = people.filter((one) => searched(`${one.name} ${one.email}`).includes(wanted));
    if (!isWhole && some.length === 0 && /.@./.test(wanted)) {
      some = (await get("/v1/users", { email: wanted }).catch(() => ({ items: [] }))).items;
      if (asked !== turn) return;
    }
    fill(count, t("people.count", { count: some.length }));
    fill(place, some.length > 0 ? peopleTable(some, known) : h("p.empty.soft", {}, t("people.nobody")));
    if (wanted) query.set("search", search.value);
    else query.delete("search");
    const at = query.toString();
    history.replaceState(null, "", at ? `#/people?${at}` : "#/people");
  };
  search.addEventListener("input", show);
  show();
  const hint = isWhole ? null : t("people.search_hint", { count: PEOPLE_MAX });
  const finding = h("div.found", {}, field(t("people.search"), search, { hint }), count);
  return h("div.stack", {}, finding, h("div.card.flush", {}, place));
}

function peopleTable(people, { roles, teams }) {
  const columns = [t("people.person"), t("people.role"), t("people.teams"), t("people.totp"), t("people.since")];
  const inTeams = (user) => teams.filter((team) => user.teams.includes(team.id)).map((team) => team.name);
  const cells = (user) => [
    [
      h("a.strong", { href: `#/people/${user.id}` }, user.name),
      badges(user),
      h("span.below.soft.small", {}, user.email),
    ],
    roleName(user.role, roles),
    listed(inTeams(user)) || h("span.soft", {}, t("people.no_team")),
    user.totp ? t("people.totp_on") : h("span.soft", {}, t("people.totp_off")),
    day(user.created_at),
  ];
  return table(t("people.title"), columns, people.map(cells));
}

/** What sets a person apart, beside their name. */
export function badges(user) {
  const is = [];
  if (user.id === session.user.id) is.push(h("span.badge.accent", {}, t("people.you")));
  if (user.operator) is.push(h("span.badge", {}, t("people.operator")));
  if (user.disabled) is.push(h("span.badge.bad", {}, t("people.disabled")));
  return is.length > 0 ? h("span.badges", {}, is) : null;
}

function invited(invitations, { roles, teams }, manages, again) {
  if (invitations.length === 0) return null;
  const columns = [t("people.invitation"), t("people.role"), t("people.state"), { said: t("people.actions") }];
  const states = {
    pending: (one) => [h("span.badge.good", {}, t("people.pending")), " ", ends(one)],
    expired: () => h("span.badge", {}, t("people.expired")),
    void: () => [h("span.badge.warn", {}, t("people.void")), h("span.below.soft.small", {}, t("people.void_hint"))],
  };
  const cells = (one) => [
    [h("span.strong", {}, one.name ?? one.email), one.name ? h("span.below.soft.small", {}, one.email) : null],
    roleName(one.role, roles),
    states[one.status](one),
    manages && outranks(one, roles) ? actionsOf(one, roles, teams, again) : null,
  ];
  return h(
    "section.stack",
    {},
    h("h2", {}, t("people.invitations")),
    h("div.card.flush", {}, table(t("people.invitations"), columns, invitations.map(cells))),
  );
}

const ends = (one) => h("span.soft.small", {}, t("people.ends"), " ", timeAgo(one.expires_at));

function actionsOf(one, roles, teams, again) {
  const renew = async () => {
    const words = { title: t("people.renew_title", { email: one.email }), body: t("people.renew_body") };
    let made;
    const ask = { ...words, button: t("people.renew"), safe: true };
    if (await confirm(ask, async () => (made = await send(one)))) {
      await showLink(made);
      again();
    }
  };
  const withdraw = async () => {
    const words = {
      title: t("people.withdraw_title", { email: one.email }),
      body: t("people.withdraw_body"),
      button: t("people.withdraw"),
      done: t("people.withdrawn"),
    };
    if (await confirm(words, () => remove(`/v1/invitations/${one.id}`))) again();
  };
  const named = (text) => ({ type: "button", "aria-label": t("people.for", { action: text, email: one.email }) });
  return h(
    "div.row.end",
    {},
    h("button", { ...named(t("people.renew")), onclick: renew }, t("people.renew")),
    h("button", { ...named(t("people.withdraw")), onclick: withdraw }, t("people.withdraw")),
  );
}

async function invite({ roles, teams }, again) {
  const mine = teams.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  const givable = roles.filter((role) => mayGive(role, roles));
  const made = await open(t("people.invite"), (close) => {
    const role = roleField(givable, roles, "user");
    const email = h("input", { name: "email", type: "email", autocomplete: "off", required: true });
    const submit = async (element) => {
      const name = valueOf(element, "name").trim();
      const chosen = mine.filter((team) => element.elements.namedItem(team.id).checked).map((team) => team.id);
      const asked = { email: email.value, role: valueOf(element, "role"), teams: chosen };
      close(await send(name ? { ...asked, name } : asked));
    };
    return form(
      { submit, button: t("people.invite_make"), cancel: () => close() },
      h("p", {}, t("people.invite_how")),
      field(t("people.email"), email),
      field(t("people.name"), h("input", { name: "name", autocomplete: "off" }), { optional: true }),
      role,
      mine.length > 0
        ? group("teams", t("people.teams"), h("div.choices", {}, mine.map((team) => checkbox(team.id, team.name))))
        : null,
    );
  });
  if (!made) return;
  await showLink(made);
  again();
}

const send = ({ email, role, name, teams }) =>
  post("/v1/invitations", { email, role, teams, ...(name ? { name } : {}) });

const showLink = ({ invitation, url }) =>
  oneTimeLink({
    title: t("people.link_title"),
    body: t("people.link_body", { email: invitation.email }),
    url,
    endsAt: invitation.expires_at,
  });

/** The choice of a role, with what the chosen one is for. */
export function roleField(givable, roles, chosen) {
  const meaning = h("p.hint", { role: "status" });
  const tell = () => fill(meaning, roleMeaning(givable.find((role) => role.id === choice.value) ?? givable[0]));
  const options = givable.map((role) => [role.id, roleName(role.id, roles)]);
  const choice = select("role", options, chosen, { onchange: tell });
  tell();
  return h("div.stack.tight", {}, field(t("people.role"), choice), meaning);
}
