// One team: members, shared keys, settings.

import { all, get, patch, put, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { announce } from "../lib/messages.js";
import { setTitle } from "../shell.js";
import { may } from "../lib/state.js";
import { compareNames, t } from "../lib/text.js";
import { editTeam, teamBadges } from "./teams.js";

/** @typedef {Page.ItemOf<`/v1/teams/${string}/members`>} Member */

/** @param {Page.Address} options */
export async function view({ params: [id] }) {
  const manages = may("keyhouse:teams:manage");
  const path = /** @type {const} */ (`/v1/teams/${encodeURIComponent(id)}`);
  /** @type {Api.Team | undefined} */
  let team;
  const body = await live(async (redraw) => {
    const isFirst = team === undefined;
    team = await get(path);
    if (!isFirst) setTitle(team.name);
    const seesMembers = team.is_member || may("keyhouse:teams:read") || manages;
    const [members, people] = await Promise.all([
      seesMembers ? all(`${path}/members`) : null,
      manages && may("keyhouse:users:read") ? all("/v1/users") : [],
    ]);
    return [
      h("div.stack.tight", {}, teamBadges(team), team.description ? h("p", {}, team.description) : null),
      members ? membersOf(team, members, people, redraw) : h("p.soft", {}, t("team.members_hidden")),
      keysOf(team),
      manages ? danger(team) : null,
    ];
  });
  const edit = async () => {
    if (!(await editTeam(team, (change) => patch(path, change, team?.version)))) return;
    announce(t("team.saved"));
    body.redraw();
  };
  const button = h("button", { type: "button", onclick: edit }, t("team.edit"));
  return { title: team?.name ?? "", actions: manages ? [button] : [], body: body.element };
}

/**
 * @param {Api.Team} team
 * @param {Member[]} members
 * @param {Api.User[]} people
 * @param {Page.Redraw} redraw
 */
function membersOf(team, members, people, redraw) {
  const manages = may("keyhouse:teams:manage");
  const sees = may("keyhouse:users:read");
  const item = (/** @type {Member} */ one) =>
    h(
      "li",
      {},
      h(
        "div",
        {},
        sees ? h("a.strong", { href: `#/people/${one.id}` }, one.name) : h("strong", {}, one.name),
        h("span.below.soft.small", {}, one.email),
      ),
      manages ? removeButton(team, one, redraw) : null,
    );
  const inside = new Set(members.map((one) => one.id));
  const outside = people.filter((one) => !inside.has(one.id)).sort((one, other) => compareNames(one.name, other.name));
  members.sort((one, other) => compareNames(one.name, other.name));
  return h(
    "section.card",
    {},
    h("h2", {}, t("team.members")),
    members.length > 0 ? h("ul.lines", {}, members.map(item)) : h("p.soft", {}, t("team.no_members")),
    outside.length > 0 ? adding(team, outside, redraw) : null,
    manages && !may("keyhouse:users:read") ? h("p.soft.small", {}, t("team.add_needs")) : null,
  );
}

/**
 * @param {Api.Team} team
 * @param {Member} one
 * @param {Page.Redraw} redraw
 */
function removeButton(team, one, redraw) {
  const label = t("team.remove_member_name", { name: one.name });
  const act = () => remove(`/v1/teams/${team.id}/members/${one.id}`);
  const confirmRemovalOfMember = async () => {
    const words = {
      title: t("team.remove_member_title", { name: one.name, team: team.name }),
      body: t("team.remove_member_body"),
      button: t("team.remove_member"),
      done: t("team.member_removed", { name: one.name }),
    };
    if (await confirm(words, act)) redraw();
  };
  return h("button", { type: "button", "aria-label": label, onclick: confirmRemovalOfMember }, t("team.remove_member"));
}

/**
 * @param {Api.Team} team
 * @param {Api.User[]} outside
 * @param {Page.Redraw} redraw
 */
function adding(team, outside, redraw) {
  const options = [["", t("team.choose")], ...outside.map((one) => [one.id, `${one.name} (${one.email})`])];
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const id = valueOf(element, "user");
    if (!id) {
      element.elements.namedItem("user").focus();
      return;
    }
    await put(`/v1/teams/${team.id}/members/${id}`);
    announce(t("team.added", { name: outside.find((one) => one.id === id)?.name }));
    // The redraw is not awaited: the button gets its label back first, and `redraw` finds the focused button
    // by its label.
    redraw();
  };
  return h(
    "div.adding",
    {},
    form({ submit, button: t("team.add") }, field(t("team.add_person"), select("user", options, ""))),
  );
}

/** @param {Api.Team} team */
function keysOf(team) {
  const link = h("a", { href: `#/keys?team=${team.id}` }, t("team.keys_link"));
  return h("section.card", {}, h("h2", {}, t("team.keys")), h("p.soft", {}, t("team.keys_hint")), h("p", {}, link));
}

/** @param {Api.Team} team */
function danger(team) {
  const confirmRemoval = async () => {
    const words = {
      title: t("team.remove_title", { name: team.name }),
      body: t("team.remove_body"),
      button: t("team.remove"),
      done: t("team.removed", { name: team.name }),
    };
    if (await confirm(words, () => remove(`/v1/teams/${team.id}`, {}, team.version))) location.hash = "#/teams";
  };
  return h(
    "section.card",
    {},
    h(
      "div.setting",
      {},
      h("div", {}, h("h2", {}, t("team.remove")), h("p.soft.small", {}, t("team.remove_body"))),
      h("button.danger", { type: "button", onclick: confirmRemoval }, t("team.remove")),
    ),
  );
}
