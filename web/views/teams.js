// The teams of the organization.

import { all, get, post } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, group, radios, valueOf } from "../lib/form.js";
import { isOperator, may } from "../lib/state.js";
import { t } from "../lib/text.js";
import { planName } from "../lib/plans.js";

export async function view() {
  const manages = may("keyhouse:teams:manage");
  // Load the session again: the plan may have changed since the sign-in.
  const [teams, { organization }] = await Promise.all([all("/v1/teams"), get("/v1/session")]);
  const lack = lacking(organization, teams);
  const make = async () => {
    const made = await editTeam();
    if (made) location.hash = `#/teams/${made.id}`;
  };
  const button = h("button.primary", { type: "button", onclick: make }, t("teams.new"));
  const list =
    teams.length > 0
      ? h("ul.tiles", {}, teams.map(tile))
      : h("div.card.empty", {}, h("h2", {}, t("teams.none")), h("p.soft", {}, t("teams.what")));
  const intro = teams.length > 0 ? h("p.soft", {}, t("teams.what")) : null;
  return {
    title: t("teams.title"),
    actions: manages && !lack ? [button] : [],
    body: h("div.stack", {}, lack, intro, list),
  };
}

/** @param {Api.Team} team */
function tile(team) {
  return h(
    "li.card.tile",
    {},
    h("h2", {}, h("a", { href: `#/teams/${team.id}` }, team.name)),
    teamBadges(team),
    team.description ? h("p.soft", {}, team.description) : null,
  );
}

/**
 * Badges of a team.
 *
 * @param {Api.Team} team
 */
export function teamBadges(team) {
  const is = [];
  if (team.visibility === "secret") is.push(h("span.badge.warn", {}, t("teams.secret")));
  else is.push(h("span.badge", {}, t("teams.visible")));
  if (team.is_member) is.push(h("span.badge.accent", {}, t("teams.member")));
  return h("span.badges", {}, is);
}

/**
 * A notice if the plan allows no team, or no further team.
 *
 * @param {Api.Session["organization"]} options
 * @param {Api.Team[]} teams
 */
function lacking({ plan, features }, teams) {
  if (features.teams && (features.multiple_teams || teams.length === 0)) return null;
  const words = { plan: planName(plan) };
  const text = features.teams ? t("teams.one_only", words) : t("teams.not_in_plan", words);
  const who = isOperator() ? t("teams.change_plan_yourself") : t("teams.change_plan");
  return h("div.notice", {}, h("p", {}, text), h("p.small", {}, who));
}

/**
 * Creates or changes a team. Resolves to the team, or to `undefined` after cancel.
 *
 * @param {Api.Team} [team]
 * @param {(body: Page.BodyOf<"/v1/teams", "post">) => Promise<Api.Team>} [save]
 */
export function editTeam(team, save = (body) => post("/v1/teams", body)) {
  return open(team ? t("team.edit") : t("teams.new"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const [name, description] = ["name", "description"].map((field) => valueOf(element, field));
      close(await save({ name, description, visibility: valueOf(element, "visibility") }));
    };
    const choices = [
      ["visible", t("teams.visible"), t("teams.visible_hint")],
      ["secret", t("teams.secret"), t("teams.secret_hint")],
    ];
    return form(
      { submit, button: team ? t("actions.save") : t("teams.create"), cancel: () => close() },
      field(t("teams.name"), h("input", { name: "name", value: team?.name, autocomplete: "off", required: true })),
      field(t("teams.description"), h("input", { name: "description", value: team?.description }), { optional: true }),
      group("visibility", t("teams.visibility"), radios("visibility", choices, team?.visibility ?? "visible")),
    );
  });
}
