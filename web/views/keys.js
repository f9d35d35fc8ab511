// The list of API keys, with filters.

import { all, get, patch, Problem } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { copyButton } from "../elements/copy-button.js";
import { keyStatus } from "../elements/key-status.js";
import { renameButton } from "../elements/rename.js";
import { timeAgo } from "../elements/time-ago.js";
import { field, select } from "../lib/form.js";
import { revokeKey } from "../key/revoke.js";
import { rightsTo } from "../key/rights.js";
import { list } from "../lib/list.js";
import { shortPermissions } from "../lib/permission-words.js";
import { planName } from "../lib/plans.js";
import { instance, isOperator, may, session } from "../lib/state.js";
import { addRows, table } from "../lib/table.js";
import { day, formatList, t } from "../lib/text.js";

/** A key is more than 1 kB of JSON. A small first page keeps the first load light. */
const PAGE_KEYS = 30;
const SOON = "7d";
const SOON_MS = 7 * 86_400_000;
/** The pause in typing after which a search is sent. */
const TYPING_MS = 250;
const SORTS = ["-created_at", "name", "-last_used", "expires_at"];
const STATUSES = ["", "active", "disabled", "not_yet_valid", "expired", "revoked", "all"];

/** @typedef {Record<"search" | "whose" | "status" | "only" | "sort", string>} Chosen */
/** @typedef {[keyof Chosen, string, string[][]][]} Choices */

/** Whether the user may create a personal or a service key. */
export const canCreate = () => may("keyhouse:keys:create") || may("keyhouse:keys:manage");

/** @param {Page.Address} options */
export async function view({ query }) {
  const loadingTeams = all("/v1/teams");
  /** @type {Api.Team[]} */
  let teams = [];
  const chosen = chosenBy(query);
  const columns = [
    t("keys.name"),
    t("keys.owner"),
    t("keys.permissions"),
    t("keys.status"),
    t("keys.last_used"),
    t("keys.created"),
    { hidden: t("keys.actions") },
  ];
  const rowsOf = (/** @type {Page.ItemOf<"/v1/keys">[]} */ items) => items.map((key) => row(key, teams));
  const found = h("p.visually-hidden", { role: "status" });
  const keys = list("/v1/keys", {
    query: apiQuery(chosen),
    pageItems: PAGE_KEYS,
    beside: loadingTeams.then((loaded) => (teams = loaded)),
    show: (items, isMore) => {
      replaceChildren(found, t(isMore ? "keys.found_more" : "keys.found", { count: items.length }));
      return h("div.card.flush.keys", {}, table(t("keys.title"), columns, rowsOf(items)));
    },
    more: (card, items) => addRows(card.querySelector("table"), columns, rowsOf(items))?.querySelector("a"),
    empty: () => {
      replaceChildren(found, t(isFiltered(chosen) ? "keys.nothing_found" : "keys.none"));
      return isFiltered(chosen) ? nothingFound(clear) : noneYet();
    },
  });
  // The request for the keys is already running.
  const choices = choicesOf(await loadingTeams);
  if (chosen.whose.startsWith("team_") && !teams.some((team) => team.id === chosen.whose)) {
    // The owner in the address does not exist, for example because the team was removed: the filter
    // shows "All", so the list must show all keys.
    chosen.whose = "";
    keys.reload(apiQuery(chosen));
  }
  /** Reloads the list. A chosen filter is a step of the browser history, a typed letter is not. */
  const change = (/** @type {boolean} */ isStep) => {
    const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== ""));
    const address = query.size > 0 ? `#/keys?${query}` : "#/keys";
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    keys.reload(apiQuery(chosen));
  };
  const clear = () => {
    location.hash = "#/keys";
  };
  const actions =
    usable() && canCreate() ? [h("a.button.primary", { href: "#/keys/new" }, icon("plus"), t("keys.new"))] : [];
  const body = h("div.stack", {}, endpoint(), creationNotice(), filters(chosen, choices, change), found, keys.element);
  return { title: t("keys.title"), actions, body };
}

/**
 * The filters of the address. Unknown values are ignored.
 *
 * @param {URLSearchParams} query
 */
function chosenBy(query) {
  const chosen = { search: query.get("search") ?? "", whose: "", status: "", only: "", sort: "" };
  for (const [name, , options] of choicesOf([])) {
    const wanted = query.get(name) ?? "";
    const isTeam = name === "whose" && wanted.startsWith("team_");
    chosen[name] = isTeam || options.some(([value]) => value === wanted) ? wanted : "";
  }
  return chosen;
}

const usable = () => session.organization.api_access;

/** The URL of the API, and a link to its reference. */
function endpoint() {
  const url = h("code", { tabindex: "0" }, instance.endpoint_url);
  return h(
    "div.endpoint",
    {},
    h("span.soft", {}, t("keys.endpoint")),
    url,
    copyButton(
      () => instance.endpoint_url,
      () => url,
      t("keys.copy_endpoint"),
      true,
    ),
    h("a", { href: "openapi.json", target: "_blank", rel: "noreferrer" }, t("about.api")),
  );
}

/** A notice with the reason why the user can't create keys; `null` if they can. */
export function creationNotice() {
  if (!usable()) {
    const plan = planName(session.organization.plan);
    return h(
      "div.notice.warn",
      {},
      h("h2", {}, t("keys.no_access")),
      h(
        "p",
        {},
        session.organization.features.api_access ? t("keys.not_paid", { plan }) : t("keys.not_in_plan", { plan }),
      ),
      h("p", {}, isOperator() ? t("keys.change_plan_yourself") : t("keys.change_plan")),
      links(),
    );
  }
  if (canCreate()) return null;
  // Guests and users with a custom role can't create keys even if members can.
  const why = session.user.role === "user" ? t("keys.members_cannot_create") : t("keys.role_cannot_create");
  return h("div.notice", {}, h("p", {}, why), h("p.soft", {}, t("keys.ask_administrator")));
}

function links() {
  const link = (/** @type {string | null} */ url, /** @type {string} */ text) =>
    url ? h("a", { href: url, target: "_blank", rel: "noreferrer" }, text) : null;
  const shown = [
    isOperator() ? h("a", { href: `#/organizations/${session.organization.id}` }, t("keys.to_subscription")) : null,
    link(instance.pricing_url, t("keys.pricing")),
    link(instance.support_url, t("shell.support")),
  ].filter(Boolean);
  return shown.length > 0 ? h("p.row", {}, shown) : null;
}

/**
 * The filters of the list: name, label, options.
 *
 * @param {Api.Team[]} teams
 */
function choicesOf(teams) {
  const whose = [
    ["", t("keys.all")],
    ["me", t("keys.mine")],
    ["organization", t("keys.of_organization")],
    ...teams.map((team) => [team.id, t("keys.of_team", { team: team.name })]),
  ];
  // keys.status_active, .status_disabled, .status_not_yet_valid, .status_expired, .status_revoked, .status_all
  const statuses = STATUSES.map((status) => [status, status ? t(`keys.status_${status}`) : t("keys.not_revoked")]);
  const only = [
    ["", t("keys.any_activity")],
    ["unused", t("keys.unused")],
    ["ending", t("keys.expiring")],
  ];
  const sorts = SORTS.map((sort) => [sort === SORTS[0] ? "" : sort, t(`keys.sort_${sort.replace("-", "")}`)]);
  /** @type {Choices} */
  const choices = [
    ["whose", t("keys.owner"), whose],
    ["status", t("keys.status"), statuses],
    ["only", t("keys.activity"), only],
    ["sort", t("keys.sort"), sorts],
  ];
  return choices;
}

/**
 * @param {Chosen} chosen
 * @param {Choices} choices
 * @param {(isStep: boolean) => void} change
 */
function filters(chosen, choices, change) {
  const choice = (/** @type {Choices[number]} */ [name, label, options]) => {
    const onchange = (/** @type {Page.ControlEvent} */ event) => {
      chosen[name] = event.target.value;
      change(true);
    };
    return field(label, select(name, options, chosen[name], { onchange }));
  };
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const search = h("input", {
    type: "search",
    name: "search",
    maxlength: 100,
    autocomplete: "off",
    value: chosen.search,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        // The user may have navigated to another view, which may still be loading.
        if (!search.isConnected || !isListAddress(location.hash)) return;
        chosen.search = search.value.trim();
        change(false);
      }, TYPING_MS);
    },
  });
  return h(
    "div.key-filters",
    { role: "search", "aria-label": t("keys.filters") },
    field(t("keys.search"), search),
    choices.map(choice),
  );
}

const isListAddress = (/** @type {string} */ hash) => /^(#\/?|#\/keys)?(\?|$)/.test(hash);

/**
 * The API query of the chosen filters.
 *
 * @param {Chosen} options
 */
function apiQuery({ whose, status, only, sort, search }) {
  const isTeam = whose.startsWith("team_");
  return {
    search,
    status,
    sort,
    owner: whose === "me" ? "me" : null,
    kind: whose === "organization" ? "service" : null,
    team: isTeam ? whose : null,
    used: only === "unused" ? "never" : null,
    expires_within: only === "ending" ? SOON : null,
  };
}

const isFiltered = (/** @type {Chosen} */ { whose, status, only, search }) =>
  [whose, status, only, search].some((value) => value !== "");

/** @param {() => void} clear */
function nothingFound(clear) {
  return h(
    "div.card.empty",
    {},
    icon("search"),
    h("p", {}, t("keys.nothing_found")),
    h("button", { type: "button", onclick: clear }, t("keys.show_all")),
  );
}

function noneYet() {
  const first = usable() && canCreate() ? h("a.button.primary", { href: "#/keys/new" }, t("keys.create_first")) : null;
  return h("div.card.empty", {}, icon("key"), h("h2", {}, t("keys.none")), h("p.soft", {}, t("keys.what")), first);
}

/**
 * @param {Page.ItemOf<"/v1/keys">} key
 * @param {Api.Team[]} teams
 */
function row(key, teams) {
  // A key that the user may not open: the API returns no details.
  if (!("name" in key)) {
    const kind = key.kind === "service" ? t("keys.hidden_service") : t("keys.hidden_personal");
    const nothing = () => h("span.soft.none", {}, "–");
    return [h("span.soft", {}, kind), nothing(), nothing(), keyStatus(key), nothing(), nothing(), nothing()];
  }
  const name = h("a.strong", { href: `#/keys/${key.id}`, dir: "auto" });
  const status = h("div", {}, statusOf(key));
  /** @type {Page.Child[]} */
  const cells = [
    h("div.named", {}, name, h("code.below.small.soft", {}, key.hint ?? "")),
    ownerOf(key),
    permissionsOf(key),
    status,
    lastUseOf(key),
    day(key.created_at),
    null,
  ];
  if (rightsTo(key, teams).label) cells[6] = actionsOf(key, name, status);
  showName(key, name);
  return cells;
}

/**
 * @param {Api.Key} key
 * @param {HTMLElement} name
 */
function showName(key, name) {
  replaceChildren(name, key.name);
  name.title = key.name;
}

/**
 * The buttons that rename and revoke a key. `name` and `status` are the elements that show the result.
 *
 * @param {Api.Key} key
 * @param {HTMLElement} name
 * @param {HTMLElement} status
 */
function actionsOf(key, name, status) {
  const path = /** @type {const} */ (`/v1/keys/${key.id}`);
  /** @type {Record<string, HTMLElement>} */
  const label = {};
  const show = (/** @type {Api.Key} */ changed) => {
    Object.assign(key, changed);
    showName(key, name);
    for (const [text, element] of Object.entries(label)) replaceChildren(element, t(text, { name: key.name }));
    if (key.status !== "revoked") return;
    replaceChildren(status, statusOf(key));
    buttons.remove();
  };
  const named = (/** @type {string} */ symbol, /** @type {string} */ text) => {
    label[text] = h("span.visually-hidden", {});
    return [icon(symbol), label[text]];
  };
  const save = async (/** @type {string} */ wanted) => {
    try {
      show(await patch(path, { name: wanted }, key.version));
    } catch (problem) {
      if (problem.code !== "version_conflict") throw problem;
      const before = key.name;
      show(await get(path));
      // If the name on the server did not change, save again: no other name is overwritten.
      if (key.name === before) return show(await patch(path, { name: wanted }, key.version));
      const fault = { pointer: "/name", code: "renamed_meanwhile", detail: "", name: key.name };
      throw new Problem(412, { code: problem.code, errors: [fault] });
    }
  };
  const rename = renameButton({
    label: named("pencil", "keys.rename"),
    field: t("keys.name"),
    place: () => name,
    name: () => key.name,
    save,
  });
  rename.title = t("keys.rename_title");
  const revoke = async () => {
    const revoked = await revokeKey(key);
    if (!revoked) return;
    show(revoked);
    name.focus();
  };
  const end = h(
    "button",
    { type: "button", title: t("key.revoke_title"), onclick: revoke },
    named("revoke", "keys.revoke"),
  );
  for (const button of [rename, end]) button.classList.add("quiet", "icon-only");
  const buttons = h("div.row.end", {}, rename, end);
  show(key);
  return buttons;
}

/** @param {Api.Key} key */
function ownerOf(key) {
  if (key.kind === "service") return t("keys.organization");
  if (key.owner === session.user.id) return t("keys.you");
  return key.owner_name ?? h("span.soft", {}, t("keys.former_member"));
}

/** @param {Api.Key} key */
function permissionsOf(key) {
  const teams = key.teams.map((team) => team.name);
  return [
    h("span.words", {}, shortPermissions(key.permissions)),
    teams.length > 0 ? h("span.below.small.soft", {}, t("keys.shared_with", { teams: formatList(teams) })) : null,
  ];
}

/** @param {Api.Key} key */
function statusOf(key) {
  const ends = key.expires_at;
  const soon = key.status === "active" && ends && new Date(ends).getTime() - Date.now() < SOON_MS;
  const line = ends
    ? t(key.status === "expired" ? "keys.expired_on" : "keys.expires_on", { day: day(ends) })
    : t("keys.no_expiry");
  const expiry = h(`span.below.small${soon ? ".warned" : ".soft"}`, {}, line);
  return [keyStatus(key), key.status === "revoked" ? null : expiry];
}

/** @param {Api.Key} key */
function lastUseOf(key) {
  if (!key.last_used) return h("span.soft", {}, t("keys.never_used"));
  return [timeAgo(key.last_used.at), h("code.below.small.soft", {}, key.last_used.ip ?? t("keys.no_address"))];
}
