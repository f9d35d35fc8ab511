// The teams that a key is shared with.

import { put, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { field, form, select, valueOf } from "../lib/form.js";
import { problemNotice, announce } from "../lib/messages.js";
import { compareNames, parts, t } from "../lib/text.js";
import { action, card } from "./parts.js";
import { shareable } from "./rights.js";

const accesses = () => [
  ["read", t("key.team_read")],
  ["write", t("key.team_write")],
];

/** @param {Page.KeyPage} page */
export function teamsCard(page) {
  const { key, rights } = page;
  const teams = key.teams.toSorted((one, other) => compareNames(one.name, other.name));
  return card(
    t("key.teams"),
    null,
    teams.length === 0
      ? h("p", {}, t("key.no_teams"))
      : h(
          "ul.shared",
          {},
          teams.map((team) => share(page, team)),
        ),
    rights.change ? adding(page) : null,
  );
}

/**
 * @param {Page.KeyPage} page
 * @param {Page.KeyTeam} team
 */
function share(page, team) {
  const name = h("a", { href: `#/teams/${team.id}` }, team.name);
  const secret = team.visibility === "secret" ? h("span.badge", {}, t("key.team_secret")) : null;
  if (!page.rights.change) {
    const words = team.access === "write" ? t("key.team_write") : t("key.team_read");
    return h("li", {}, h("span", {}, name, " ", secret), h("span.soft", {}, words));
  }
  const trouble = h("div.trouble", {});
  const onchange = async () => {
    replaceChildren(trouble);
    try {
      page.update(await put(sharePath(page, team), { access: control.value }));
      announce(t("key.team_changed", { name: team.name }));
    } catch (problem) {
      if (!problem.members) throw problem;
      control.value = team.access;
      replaceChildren(trouble, problemNotice(problem));
    }
  };
  const control = select("access", accesses(), team.access, {
    "aria-label": t("key.team_access_of", { name: team.name }),
    "data-action": `access-${team.id}`,
    onchange,
  });
  const leave = action(`unshare-${team.id}`, t("key.unshare_it"), () => unshare(page, team), {
    "aria-label": t("key.team_remove", { name: team.name }),
  });
  return h("li", {}, h("span.grow", {}, name, " ", secret), h("span.row", {}, control, leave), trouble);
}

const sharePath = (/** @type {Page.KeyPage} */ page, /** @type {{id: string}} */ team) =>
  /** @type {const} */ (`/v1/keys/${page.key.id}/teams/${team.id}`);

/**
 * @param {Page.KeyPage} page
 * @param {Page.KeyTeam} team
 */
async function unshare(page, team) {
  const names = { name: h("strong", {}, page.key.name), team: h("strong", {}, team.name) };
  const words = {
    title: t("key.unshare_title"),
    body: h("p", {}, parts("key.unshare_body", names)),
    button: t("key.unshare_it"),
    done: t("key.team_removed", { name: team.name }),
  };
  if (await confirm(words, () => remove(sharePath(page, team)))) await page.reload();
}

/** @param {Page.KeyPage} page */
function adding(page) {
  const teams = shareable(page.key, page.teams);
  if (teams.length === 0) return null;
  const choices = teams.map((team) => [team.id, team.name]).toSorted(([, one], [, other]) => compareNames(one, other));
  const submit = async (/** @type {HTMLFormElement} */ element) => {
    const team = teams.find(({ id }) => id === valueOf(element, "team")) ?? teams[0];
    const path = sharePath(page, team);
    page.update(await put(path, { access: valueOf(element, "new_access") }));
    announce(t("key.team_added", { name: team.name }));
    document.querySelector(`[data-action="access-${team.id}"]`)?.focus();
  };
  const element = form(
    { submit, button: t("key.share") },
    field(t("key.team"), select("team", choices, choices[0][0])),
    field(t("key.team_access"), select("new_access", accesses(), "read")),
  );
  element.classList.add("sharing");
  return h("details", {}, h("summary", {}, t("key.share_more")), element);
}
