// One team: who is in it, the keys shared with it, and changing it.

import { all, get, patch, put, remove } from "../api.js";
import { confirm } from "../dialog.js";
import { h } from "../dom.js";
import { field, form, select, valueOf } from "../form.js";
import { live } from "../live.js";
import { say } from "../say.js";
import { retitle } from "../shell.js";
import { may } from "../state.js";
import { inOrder, t } from "../text.js";
import { editTeam, teamBadges } from "./teams.js";

export async function view({ params: [id] }) {
  const manages = may("keyhouse:teams:manage");
  const path = `/v1/teams/${encodeURIComponent(id)}`;
  let team;
  const body = await live(async (again) => {
    const isFirst = team === undefined;
    team = await get(path);
    if (!isFirst) retitle(team.name);
    const seesMembers = team.is_member || may("keyhouse:teams:read") || manages;
    const [members, people] = await Promise.all([
      seesMembers ? all(`${path}/members`) : null,
      manages && may("keyhouse:users:read") ? all("/v1/users") : [],
    ]);
    return [
      h("div.stack.tight", {}, teamBadges(team), team.description ? h("p", {}, team.description) : null),
      members ? membersOf(team, members, people, again) : h("p.soft", {}, t("team.members_hidden")),
      keysOf(team),
      manages ? danger(team) : null,
    ];
  });
  const edit = async () => {
    if (!(await editTeam(team, (change) => patch(path, change, team.version)))) return;
    say(t("team.saved"));
    body.again();
  };
  const button = h("button", { type: "button", onclick: edit }, t("team.edit"));
  return { title: team.name, actions: manages ? [button] : [], body: body.element };
}

function membersOf(team, members, people, again) {
  const manages = may("keyhouse:teams:manage");
  const sees = may("keyhouse:users:read");
  const item = (one) =>
    h(
      "li",
      {},
      h(
        "div",
        {},
        sees ? h("a.strong", { href: `#/people/${one.id}` }, one.name) : h("strong", {}, one.name),
        h("span.below.soft.small", {}, one.email),
      ),
      manages ? takeOut(team, one, again) : null,
    );
  const inside = new Set(members.map((one) => one.id));
  const outside = people.filter((one) => !inside.has(one.id)).sort((one, other) => inOrder(one.name, other.name));
  members.sort((one, other) => inOrder(one.name, other.name));
  return h(
    "section.card",
    {},
    h("h2", {}, t("team.members")),
    members.length > 0 ? h("ul.lines", {}, members.map(item)) : h("p.soft", {}, t("team.no_members")),
    outside.length > 0 ? adding(team, outside, again) : null,
    manages && !may("keyhouse:users:read") ? h("p.soft.small", {}, t("team.add_needs")) : null,
  );
}

function takeOut(team, one, again) {
  const label = t("team.take_out_name", { name: one.name });
  const act = () => remove(`/v1/teams/${team.id}/members/${one.id}`);
  const ask = async () => {
    const words = {
      title: t("team.take_out_title", { name: one.name, team: team.name }),
      body: t("team.take_out_body"),
      button: t("team.take_out"),
      done: t("team.taken_out", { name: one.name }),
    };
    if (await confirm(words, act)) again();
  };
  return h("button", { type: "button", "aria-label": label, onclick: ask }, t("team.take_out"));
}

function adding(team, outside, again) {
  const options = [["", t("team.choose")], ...outside.map((one) => [one.id, `${one.name} (${one.email})`])];
  const submit = async (element) => {
    const id = valueOf(element, "user");
    if (!id) {
      element.elements.namedItem("user").focus();
      return;
    }
    await put(`/v1/teams/${team.id}/members/${id}`);
    say(t("team.added", { name: outside.find((one) => one.id === id).name }));
    // Not waited for: the button says its own name again by then, by which it keeps the focus.
    again();
  };
  return h(
    "div.adding",
    {},
    form({ submit, button: t("team.add") }, field(t("team.add_person"), select("user", options, ""))),
  );
}

function keysOf(team) {
  const link = h("a", { href: `#/keys?team=${team.id}` }, t("team.keys_link"));
  return h("section.card", {}, h("h2", {}, t("team.keys")), h("p.soft", {}, t("team.keys_hint")), h("p", {}, link));
}

function danger(team) {
  const ask = async () => {
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
      h("button.danger", { type: "button", onclick: ask }, t("team.remove")),
    ),
  );
}
