// One key: what it is, what it may do, how it is used, who may use it, and its end.

import { all, get, patch, post } from "../api.js";
import { confirm, loaded, open } from "../dialog.js";
import { fill, h } from "../dom.js";
import { keyStatus } from "../elements/key-status.js";
import { renameButton } from "../elements/rename.js";
import { timeAgo } from "../elements/time-ago.js";
import { checkbox, field } from "../form.js";
import { problemText, say } from "../say.js";
import { retitle } from "../shell.js";
import { parts, t } from "../text.js";
import { accessCard } from "../key/access.js";
import { explainCard } from "../key/explain.js";
import { factsCard } from "../key/facts.js";
import { historyCard } from "../key/history.js";
import { action } from "../key/parts.js";
import { rightsTo } from "../key/rights.js";
import { rotate, secretsCard } from "../key/secrets.js";
import { teamsCard } from "../key/teams.js";
import { usageCard } from "../key/usage.js";

const REASON_CHARACTERS_MAX = 256;

/** The API of one key. */
const pathOf = (id) => `/v1/keys/${encodeURIComponent(id)}`;

export async function view({ params: [id] }) {
  try {
    const [key, teams] = await Promise.all([get(pathOf(id)), all("/v1/teams")]);
    return shown(key, teams);
  } catch (problem) {
    if (problem.code !== "permission_required") throw problem;
    // They may know that it is there, and nothing else of it.
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

function shown(key, teams) {
  const actions = h("div.row", {});
  const about = h("div.stack", {});
  const access = h("div.columns", {});
  const history = historyCard(key, (id) => teams.find((team) => team.id === id)?.name);
  const page = {
    key,
    teams,
    rights: null,
    rename: null,
    /** Shows the key as it now is, and gives the focus back to the button that had it. */
    update(changed) {
      page.key = changed;
      const focused = document.activeElement?.dataset.action;
      draw();
      history.reload();
      if (!focused) return;
      const same = document.querySelector(`[data-action="${CSS.escape(focused)}"]`);
      (same ?? document.querySelector("main h1")).focus();
    },
    /** Asks what the key is now: somebody else changed it, or it was changed without an answer that tells. */
    async reload() {
      page.update(await get(pathOf(page.key.id)));
    },
  };
  page.rename = renaming(page);
  const draw = () => {
    page.rights = rightsTo(page.key, page.teams);
    fill(actions, actionsFor(page));
    fill(about, notices(page), factsCard(page));
    fill(access, accessCard(page), h("div.stack", {}, secretsCard(page), teamsCard(page)));
  };
  draw();
  const body = h("div.stack.key", {}, about, usageCard(key), access, explainCard(key), history.element);
  return { title: key.name, actions, body };
}

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

function renaming(page) {
  return renameButton({
    label: t("key.rename"),
    field: t("key.name"),
    place: () => document.querySelector("main h1"),
    name: () => page.key.name,
    save: async (name) => {
      const renamed = await patch(pathOf(page.key.id), { name }, page.key.version);
      retitle(renamed.name);
      page.update(renamed);
      say(t("key.renamed"));
    },
  });
}

function notices(page) {
  const { key, rights } = page;
  const said = [];
  if (key.status === "revoked") said.push(revoked(key));
  if (key.status === "disabled") said.push(h("div.notice.warn", {}, h("p", {}, t("key.is_disabled"))));
  if (key.status === "expired") said.push(h("div.notice.warn", {}, h("p", {}, t("key.is_expired"))));
  if (key.rotation_advised && key.status !== "revoked") {
    const now = rights.rotate ? action("rotate-now", t("rotate.now"), () => rotate(page)) : null;
    const who = rights.rotate ? t("rotate.advised_you") : t("rotate.advised_other");
    said.push(h("div.notice.warn", {}, h("p", {}, t("rotate.advised")), h("p.small", {}, who), now));
  }
  return said;
}

function revoked(key) {
  return h(
    "div.notice.bad",
    {},
    h("p", {}, parts("key.is_revoked", { when: timeAgo(key.revoked_at) })),
    key.revoked_reason ? h("p", {}, t("key.reason_was", { reason: key.revoked_reason })) : null,
  );
}

async function disable(page) {
  const words = {
    title: t("key.disable_title"),
    body: h("p", {}, parts("key.disable_body", { name: h("strong", {}, page.key.name) })),
    button: t("key.disable_it"),
    done: t("key.disabled"),
  };
  await confirmed(page, words, () => post(`${pathOf(page.key.id)}/disable`));
}

async function enable(page) {
  try {
    page.update(await post(`${pathOf(page.key.id)}/enable`));
    say(t("key.enabled"));
  } catch (problem) {
    if (!problem.members) throw problem;
    say(problemText(problem));
  }
}

async function revoke(page) {
  const told = await loaded(t("key.revoke_title"), () => get(`${pathOf(page.key.id)}/descendants`));
  if (told === undefined) return;
  const { count } = told;
  const created = checkbox("descendants", t("key.revoke_descendants", { count }));
  const reason = h("input", { name: "reason", maxlength: REASON_CHARACTERS_MAX, autocomplete: "off" });
  const words = {
    title: t("key.revoke_title"),
    body: [
      h("p", {}, parts("key.revoke_body", { name: h("strong", {}, page.key.name) })),
      h("p", {}, t("key.revoke_for_ever")),
      count > 0 ? created : null,
      field(t("key.reason"), reason, { optional: true, hint: t("key.reason_hint") }),
    ],
    button: t("key.revoke_it"),
    done: t("key.revoked"),
  };
  const body = () => ({
    ...(reason.value.trim() === "" ? {} : { reason: reason.value.trim() }),
    ...(created.querySelector("input").checked ? { descendants: true } : {}),
  });
  const done = await confirmed(page, words, async () => {
    let revoked;
    do revoked = await post(`${pathOf(page.key.id)}/revoke`, body());
    while (revoked.descendants?.more);
    return revoked;
  });
  const left = done?.descendants?.left ?? 0;
  if (left > 0) await open(t("key.revoked"), () => h("p.notice.warn", {}, t("key.descendants_left", { count: left })));
}

async function confirmed(page, words, act) {
  let changed;
  await confirm(words, async () => (changed = await act()));
  if (changed) page.update(changed);
  return changed;
}
