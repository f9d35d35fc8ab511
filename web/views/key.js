// One key: details, usage, permissions and limits, secrets, teams, history.

import { all, get, patch } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { renameButton } from "../elements/rename.js";
import { timeAgo } from "../elements/time-ago.js";
import { problemText, announce } from "../lib/messages.js";
import { setTitle } from "../shell.js";
import { parts, t } from "../lib/text.js";
import { accessCard } from "../key/access.js";
import { explainCard } from "../key/explain.js";
import { factsCard } from "../key/facts.js";
import { historyCard } from "../key/history.js";
import { action } from "../key/parts.js";
import { revokeKey } from "../key/revoke.js";
import { rightsTo } from "../key/rights.js";
import { rotate, secretsCard } from "../key/secrets.js";
import { disableKey, enableKey } from "../key/switch.js";
import { teamsCard } from "../key/teams.js";
import { usageCard } from "../key/usage.js";

const pathOf = (/** @type {string} */ id) => /** @type {const} */ (`/v1/keys/${encodeURIComponent(id)}`);

/** @param {Page.Address} options */
export async function view({ params: [id] }) {
  try {
    const [key, teams] = await Promise.all([get(pathOf(id)), all("/v1/teams")]);
    return shown(key, teams);
  } catch (problem) {
    if (problem.code !== "permission_required") throw problem;
    // The user may know that the key exists, but not its details.
    return { title: t("key.title"), body: hidden() };
  }
}

function hidden() {
  return h(
    "div.notice",
    {},
    h("p", {}, t("key.hidden")),
    h("p.soft", {}, t("key.hidden_why")),
    h("p", {}, h("a", { href: "#/keys" }, t("key.back"))),
  );
}

/**
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 */
function shown(key, teams) {
  const actions = h("div.row", {});
  const about = h("div.stack", {});
  const access = h("div.columns", {});
  const history = historyCard(key, (id) => teams.find((team) => team.id === id)?.name);
  /** @type {Page.KeyPage} */
  const page = {
    key,
    teams,
    rights: rightsTo(key, teams),
    rename: h("span", {}),
    /**
     * Shows the changed key and restores the focus.
     *
     * @param {Api.Key} changed
     */
    update(changed) {
      page.key = changed;
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.action;
      draw();
      history.reload();
      if (!focused) return;
      const same = document.querySelector(`[data-action="${CSS.escape(focused)}"]`);
      (same ?? document.querySelector("main h1")).focus();
    },
    /** Loads the key again, after a conflict or after a response without the key. */
    async reload() {
      page.update(await get(pathOf(page.key.id)));
    },
  };
  page.rename = renaming(page);
  const draw = () => {
    page.rights = rightsTo(page.key, page.teams);
    replaceChildren(actions, actionsFor(page));
    replaceChildren(about, notices(page), factsCard(page));
    replaceChildren(access, accessCard(page), h("div.stack", {}, secretsCard(page), teamsCard(page)));
  };
  draw();
  const body = h("div.stack.key", {}, about, usageCard(key), access, explainCard(key), history.element);
  return { title: key.name, actions, body };
}

/** @param {Page.KeyPage} page */
function actionsFor(page) {
  const { key, rights } = page;
  if (!rights.label) return [];
  const off = action("switch", t("key.disable"), () => disable(page));
  const on = rights.change ? action("switch", t("key.enable"), () => enable(page)) : null;
  return [
    page.rename,
    rights.rotate ? action("rotate", t("rotate.button"), () => rotate(page)) : null,
    key.status === "disabled" ? on : off,
    action("revoke", t("key.revoke"), () => revoke(page), { class: "danger" }),
  ];
}

/** @param {Page.KeyPage} page */
function renaming(page) {
  return renameButton({
    label: t("key.rename"),
    field: t("key.name"),
    place: () => document.querySelector("main h1"),
    name: () => page.key.name,
    save: async (/** @type {string} */ name) => {
      const renamed = await patch(pathOf(page.key.id), { name }, page.key.version);
      setTitle(renamed.name);
      page.update(renamed);
      announce(t("key.renamed"));
    },
  });
}

/** @param {Page.KeyPage} page */
function notices(page) {
  const { key, rights } = page;
  const found = [];
  if (key.status === "revoked") found.push(revoked(key));
  if (key.status === "disabled") found.push(h("div.notice.warn", {}, h("p", {}, t("key.is_disabled"))));
  if (key.status === "expired") found.push(h("div.notice.warn", {}, h("p", {}, t("key.is_expired"))));
  if (key.rotation_advised && key.status !== "revoked") {
    const now = rights.rotate ? action("rotate-now", t("rotate.now"), () => rotate(page)) : null;
    const who = rights.rotate ? t("rotate.advised_you") : t("rotate.advised_other");
    found.push(h("div.notice.warn", {}, h("p", {}, t("rotate.advised")), h("p.small", {}, who), now));
  }
  return found;
}

/** @param {Api.Key} key */
function revoked(key) {
  return h(
    "div.notice.bad",
    {},
    h("p", {}, parts("key.is_revoked", { when: timeAgo(key.revoked_at) })),
    key.revoked_reason ? h("p", {}, t("key.reason_was", { reason: key.revoked_reason })) : null,
  );
}

/** @param {Page.KeyPage} page */
async function disable(page) {
  const changed = await disableKey(page.key);
  if (changed) page.update(changed);
}

/** @param {Page.KeyPage} page */
async function enable(page) {
  try {
    page.update(await enableKey(page.key));
  } catch (problem) {
    if (!problem.members) throw problem;
    announce(problemText(problem));
  }
}

/** @param {Page.KeyPage} page */
async function revoke(page) {
  const changed = await revokeKey(page.key);
  if (changed) page.update(changed);
}
