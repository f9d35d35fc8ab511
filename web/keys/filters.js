// The filters of the list of keys: a search field, and one chip for each filter. The address holds them.

import { h } from "../lib/dom.js";
import { searchField, select } from "../lib/form.js";
import { t } from "../lib/text.js";
import { home } from "../frame/places.js";
import { TABS, firstTab } from "./tabs.js";

/** `old_secret` is no status of the API: an active key whose replaced secret is in use. */
const STATUSES = ["", "active", "old_secret", "disabled", "not_yet_valid", "expired", "revoked", "all"];
/** Value in the address and the API's duration. */
const WITHIN = ["7d", "30d", "90d"];
const UNUSED = "90d";
/** The environments that most keys have. */
const ENVIRONMENTS = ["live", "test"];
const ENVIRONMENT = /^[a-z][a-z0-9]{0,15}$/;
const SORTS = ["", "name", "-name", "-last_used", "last_used", "expires_at", "-expires_at", "created_at"];

/**
 * What the address names. `kind` is a filter of all keys, `team` of all keys and of shared keys.
 *
 * @typedef {"tab" | "search" | "kind" | "status" | "expires" | "used" | "team" | "environment" | "sort"} Name
 * @typedef {Record<Name, string>} Chosen
 * @typedef {[keyof Chosen, string, string[][]]} Choice
 */

/**
 * The filters of an address. Unknown values are ignored.
 *
 * @param {URLSearchParams} query
 * @param {Api.Team[]} teams
 * @returns {Chosen}
 */
export function chosenBy(query, teams) {
  const given = (/** @type {string} */ name, /** @type {string[]} */ known) => {
    const value = query.get(name) ?? "";
    return known.includes(value) ? value : "";
  };
  // The link of a team names no tab.
  const tab = given("tab", TABS) || (query.has("team") ? "all" : firstTab());
  const own = teams.filter((team) => tab === "all" || team.is_member).map((team) => team.id);
  return {
    tab,
    search: query.get("search") ?? "",
    kind: tab === "all" ? given("kind", ["personal", "service"]) : "",
    status: given("status", STATUSES),
    expires: given("expires", [...WITHIN, "never"]),
    used: given("used", ["never", UNUSED]),
    team: tab === "mine" ? "" : given("team", own),
    environment: ENVIRONMENT.exec(query.get("environment") ?? "")?.[0] ?? "",
    sort: given("sort", SORTS),
  };
}

/**
 * The address of filters.
 *
 * @param {Chosen} chosen
 */
export function addressOf(chosen) {
  const named = Object.entries(chosen).filter(
    ([name, value]) => value !== "" && !(name === "tab" && value === firstTab()),
  );
  const query = new URLSearchParams(named);
  return query.size > 0 ? `#/keys?${query}` : "#/keys";
}

/**
 * The API query of filters. Without the permission to read all keys, the keys of others have no name: sorted by name,
 * they come last.
 *
 * @param {Chosen} chosen
 * @param {boolean} readsAll
 */
export function apiQuery({ tab, search, kind, status, expires, used, team, environment, sort }, readsAll) {
  const isOld = status === "old_secret";
  return {
    search,
    status: isOld ? "active" : status,
    old_secret: isOld ? "used" : null,
    kind,
    environment,
    team: team || (tab === "shared" ? "mine" : ""),
    used: used === UNUSED ? null : used,
    unused_for: used === UNUSED ? used : null,
    sort: sort || (tab === "all" && !readsAll ? "name" : ""),
    owner: tab === "mine" ? "me" : null,
    expires: expires === "never" ? expires : null,
    expires_within: expires === "never" ? null : expires,
  };
}

export const isFiltered = (/** @type {Chosen} */ { search, kind, status, expires, used, team, environment }) =>
  [search, kind, status, expires, used, team, environment].some((value) => value !== "");

/**
 * @param {Chosen} chosen
 * @param {Api.Team[]} teams
 * @returns {Choice[]}
 */
function choicesOf(chosen, teams) {
  // keys.status_active, .status_old_secret, .status_disabled, .status_not_yet_valid
  // keys.status_expired, .status_revoked, .status_all
  const statuses = STATUSES.map((status) => [status, status ? t(`keys.status_${status}`) : t("keys.not_revoked")]);
  // keys.within_7d, .within_30d, .within_90d
  const spans = WITHIN.map((span) => [span, t(`keys.within_${span}`)]);
  const expiries = [["", t("keys.any")], ...spans, ["never", t("keys.no_expiry")]];
  const uses = [
    ["", t("keys.any")],
    ["never", t("keys.never_used")],
    [UNUSED, t("keys.unused_90d")],
  ];
  const offered = [...new Set([...ENVIRONMENTS, chosen.environment])].filter(Boolean);
  const environments = [["", t("keys.any")], ...offered.map((name) => [name, name])];
  const kinds = [
    ["", t("keys.any")],
    ["service", t("keys.of_organization")],
    ["personal", t("keys.of_people")],
  ];
  const own = teams.filter((team) => chosen.tab === "all" || team.is_member).map((team) => [team.id, team.name]);
  const named = [["", t("keys.any")], ...own];
  // The tab of shared keys has all teams of the user.
  const hasTeams = chosen.tab === "all" ? own.length > 0 : chosen.tab === "shared" && own.length > 1;
  // keys.sort_name, .sort_name_down and so on
  const sorts = SORTS.map((sort) => [sort, t(`keys.sort_${sortName(sort)}`)]);
  /** @type {[boolean, Choice][]} */
  const all = [
    [true, ["status", t("keys.status"), statuses]],
    [chosen.tab === "all", ["kind", t("keys.owner"), kinds]],
    [true, ["expires", t("keys.expires"), expiries]],
    [true, ["used", t("keys.last_used"), uses]],
    [true, ["environment", t("keys.environment"), environments]],
    [hasTeams, ["team", t("keys.team"), named]],
    [true, ["sort", t("keys.sort"), sorts]],
  ];
  return all.filter(([is]) => is).map(([, choice]) => choice);
}

const sortName = (/** @type {string} */ sort) =>
  sort === "" ? "newest" : sort.startsWith("-") ? `${sort.slice(1)}_down` : sort;

/**
 * The row of filters. `change(isStep)` shows the list of changed filters. A chosen filter is a step of the browser
 * history, a typed letter is not.
 *
 * @param {Chosen} chosen
 * @param {Api.Team[]} teams
 * @param {(isStep: boolean) => void} change
 */
export function filters(chosen, teams, change) {
  const chip = (/** @type {Choice} */ [name, label, options]) => {
    const onchange = (/** @type {Page.ControlEvent} */ event) => {
      chosen[name] = event.target.value;
      mark();
      change(true);
    };
    const control = select(name, options, chosen[name], { onchange });
    const element = h(`label.chip.${name}-chip`, {}, h("span", {}, label), control);
    const mark = () => element.classList.toggle("chosen", chosen[name] !== "" && name !== "sort");
    mark();
    return element;
  };
  const search = (/** @type {string} */ text) => {
    chosen.search = text;
    change(false);
  };
  const words = { label: t("keys.search"), hint: t("keys.search_hint"), value: chosen.search };
  return h(
    "div.key-filters",
    { role: "search", "aria-label": t("keys.filters") },
    searchField(words, isListAddress, search).element,
    h("div.chips", {}, choicesOf(chosen, teams).map(chip)),
  );
}

const isListAddress = () => (location.hash.replace(/^#?\/?/, "").split("?")[0] || home()) === "keys";
