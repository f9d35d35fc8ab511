// The list of API keys: tabs, filters, rows.

import { all, late } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { list } from "../lib/list.js";
import { orAnnounce } from "../lib/messages.js";
import { planName } from "../lib/plans.js";
import { createsKeys, instance, isOperator, may, session } from "../lib/state.js";
import { addRows, table } from "../lib/table.js";
import { t } from "../lib/text.js";
import { copyButton } from "../elements/copy-button.js";
import { home } from "../frame/places.js";
import { rowActions } from "../keys/actions.js";
import { addressOf, apiQuery, chosenBy, filters, isFiltered } from "../keys/filters.js";
import { hiddenLine, rowOf } from "../keys/row.js";
import { selection } from "../keys/selection.js";
import { tabLinks, tabsOf } from "../keys/tabs.js";

const PAGE_KEYS = 50;
/** The numbers of the other tabs are loaded when the list is there. */
const COUNT_AFTER_MS = 1000;
/** The calls are drawn when the list is there. */
const CALLS_AFTER_MS = 600;
/** A list that was out of sight for longer is loaded again. */
const FRESH_MS = 30_000;

/**
 * @typedef {Page.ItemOf<"/v1/keys">} Item
 * @typedef {import("../keys/tabs.js").Tab} Tab
 */

/** @param {Page.Address} options */
export async function view({ query }) {
  const loadingTeams = all("/v1/teams");
  // Only a chosen team must be known before the request for the keys.
  let teams = query.has("team") ? await loadingTeams : [];
  const chosen = chosenBy(query, teams);
  const readsAll = may("keyhouse:keys:read");
  const picked = selection();
  const sorting = () => sortedColumns(chosen, picked.all, change);
  const ready = Promise.withResolvers();
  let tabBar = /** @type {ReturnType<typeof tabLinks>} */ (/** @type {unknown} */ (null));
  const found = h("p.visually-hidden", { role: "status" });
  const foot = h("div", {});
  let hidden = 0;
  let seenCount = 0;
  /** The rows whose calls of the last 24 hours are not drawn yet. */
  let undrawn = /** @type {import("../keys/recent.js").Row[]} */ ([]);
  const drawCalls = async () => {
    const rows = undrawn.splice(0);
    if (rows.length > 0 && keys.element.isConnected) (await import("../keys/recent.js")).drawRecent(rows);
  };
  /** The rows of the keys that the user sees. The others are one line. */
  const rowsOf = (/** @type {Item[]} */ items, /** @type {Page.ListPage<"/v1/keys">} */ page) => {
    const seen = items.filter((item) => "name" in item);
    hidden += items.length - seen.length;
    seenCount += seen.length;
    // Keys without a name come last, so all that follow are hidden.
    const isEnd = apiQuery(chosen, readsAll).sort !== "" && items.some((item) => !("name" in item));
    const isMore = isEnd && page.next_cursor !== null;
    if (isEnd) page.next_cursor = null;
    const count = isMore ? page.total - seenCount : hidden;
    replaceChildren(foot, hidden > 0 ? hiddenLine(count > 0 ? count : null) : null);
    const rows = seen.map((key) => keyRow(key, teams, picked));
    undrawn.push(...rows.map(({ calls }, at) => ({ id: seen[at].id, place: calls })));
    // The list is complete without its small charts.
    setTimeout(() => drawCalls().catch(() => {}), CALLS_AFTER_MS);
    return rows.map(({ cells }) => cells);
  };
  const keys = list("/v1/keys", {
    query: apiQuery(chosen, readsAll),
    pageItems: PAGE_KEYS,
    // After Back, the list is as long as it was.
    firstItems: history.state?.keys,
    beside: ready.promise,
    show: (items, page) => {
      [hidden, seenCount, undrawn] = [0, 0, []];
      picked.reset();
      const isMore = page.next_cursor !== null;
      replaceChildren(found, t(isMore ? "keys.found_more" : "keys.found", { count: items.length }));
      if (!isFiltered(chosen)) tabBar.show(/** @type {Tab} */ (chosen.tab), page.total);
      const rows = rowsOf(items, page);
      const shown =
        rows.length > 0 ? table(t("keys.title"), sorting(), rows) : h("p.empty.soft", {}, t("keys.none_open"));
      return h("div.card.flush.keys", {}, shown, foot);
    },
    more: (card, items, page) =>
      addRows(card.querySelector("table"), sorting(), rowsOf(items, page))?.querySelector("a"),
    empty: () => {
      replaceChildren(found, t(isFiltered(chosen) ? "keys.nothing_found" : "keys.none"));
      return isFiltered(chosen) ? nothingFound(clear) : noneYet(chosen.tab);
    },
    range: (count, page) => {
      if (hidden > 0) return null;
      return t(page.total_is_exceeded ? "lists.range_more" : "lists.range", { count, total: page.total });
    },
  });
  // The request for the keys is already running.
  teams = await loadingTeams;
  const unfiltered = (/** @type {string} */ tab) => chosenBy(new URLSearchParams({ tab }), teams);
  tabBar = tabLinks(
    tabsOf(teams, chosen.tab),
    /** @type {Tab} */ (chosen.tab),
    (tab) => addressOf(unfiltered(tab)),
    (tab) => apiQuery(unfiltered(tab), readsAll),
  );
  ready.resolve(null);
  const change = (/** @type {boolean} */ isStep) => {
    const address = addressOf(chosen);
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    picked.reset();
    keys.reload(apiQuery(chosen, readsAll));
  };
  const clear = () => {
    location.hash = addressOf(unfiltered(chosen.tab));
  };
  const save = async () => (await late(() => import("../keys/export.js"))).exportKeys(apiQuery(chosen, readsAll));
  const saveButton = h("button", { type: "button", onclick: () => orAnnounce(save) }, icon("down"), t("keys.export"));
  const actions = [saveButton, usable() && createsKeys() ? createLink("keys.new") : null];
  // Where the list was left, for Back. Written before the click changes the address.
  const keep = () => history.replaceState({ keys: keys.count(), top: Math.round(scrollY) }, "");
  keys.element.addEventListener("click", keep, { capture: true });
  keepFresh(keys, picked);
  const body = h(
    "div.stack.key-list",
    {},
    endpoint(),
    creationNotice(),
    tabBar.element,
    filters(chosen, teams, change),
    picked.bar,
    found,
    keys.element,
  );
  const { top } = history.state ?? {};
  const shown = async () => {
    await keys.loaded;
    if (top && body.isConnected) scrollTo(0, top);
    if (keys.count() > 0) setTimeout(() => body.isConnected && tabBar.countOthers(), COUNT_AFTER_MS);
  };
  return { title: t("keys.title"), actions, body, shown };
}

/**
 * The row of a key that the user sees.
 *
 * @param {Api.Key} key
 * @param {Api.Team[]} teams
 * @param {ReturnType<typeof selection>} picked
 */
function keyRow(key, teams, picked) {
  const changed = (/** @type {Api.Key} */ now) => {
    Object.assign(key, now);
    row.show();
    if (box && key.status === "revoked") picked.leave(box);
    else picked.show();
  };
  const whole = (/** @type {Api.Key} */ now) => {
    changed(now);
    actions.draw();
  };
  const actions = rowActions(key, teams, { name: () => row.name, show: changed });
  const box = actions.element.hasChildNodes() ? picked.boxOf(key, teams, whole) : null;
  const row = rowOf(key, { select: box, actions: actions.element });
  return row;
}

/**
 * The columns. Some are sorted by their heading: once, the other way round, and back to the newest first.
 *
 * @param {import("../keys/filters.js").Chosen} chosen
 * @param {HTMLElement} selectAll
 * @param {(isStep: boolean) => void} change
 */
function sortedColumns(chosen, selectAll, change) {
  const sorted = (/** @type {string} */ label, /** @type {[string, string]} */ [first, second]) => {
    const next = { [first]: second, [second]: "" }[chosen.sort] ?? first;
    const isOwn = [first, second].includes(chosen.sort);
    const order = chosen.sort.startsWith("-") ? "descending" : "ascending";
    const onclick = () => {
      chosen.sort = next;
      change(true);
    };
    const arrow = isOwn ? icon(order === "ascending" ? "up" : "down") : null;
    const heading = h("button.quiet.sort", { type: "button", onclick }, label, arrow);
    return { label, heading, sort: isOwn ? order : null };
  };
  const name = sorted(t("keys.name"), ["name", "-name"]);
  return [
    { ...name, heading: h("div.named", {}, selectAll, name.heading) },
    t("keys.owner"),
    t("keys.permissions"),
    t("keys.status"),
    t("keys.last_day"),
    sorted(t("keys.last_used"), ["-last_used", "last_used"]),
    sorted(t("keys.expires"), ["expires_at", "-expires_at"]),
    { hidden: t("keys.actions") },
  ];
}

/**
 * Loads the list again when it comes back into sight after a while: another tab may have changed keys. Not while the
 * user works in it or in a dialog.
 *
 * @param {{element: HTMLElement, reload: (query?: any, items?: number) => Promise<void>, count: () => number}} keys
 * @param {ReturnType<typeof selection>} picked
 */
function keepFresh(keys, picked) {
  let leftAt = 0;
  const isUsed = () =>
    keys.element.contains(document.activeElement) ||
    keys.element.querySelector("form, :checked, :popover-open") ||
    document.querySelector("dialog[open]");
  const follow = () => {
    if (!keys.element.isConnected) return document.removeEventListener("visibilitychange", follow);
    if (document.visibilityState === "hidden") leftAt = Date.now();
    else if (Date.now() - leftAt > FRESH_MS && !isUsed()) {
      picked.reset();
      keys.reload(undefined, keys.count());
    }
    return undefined;
  };
  document.addEventListener("visibilitychange", follow);
}

const usable = () => session.organization.api_access;

const createLink = (/** @type {string} */ text) => h("a.button.primary", { href: "#/keys/new" }, icon("plus"), t(text));

/** The URL of the API, and a link to its reference. */
function endpoint() {
  const url = h("code.tag", { tabindex: "0" }, instance.endpoint_url);
  const copy = copyButton(
    () => instance.endpoint_url,
    () => url,
    t("keys.copy_endpoint"),
    true,
  );
  const reference = { href: "docs", target: "_blank", rel: "noreferrer" };
  return h(
    "div.endpoint",
    {},
    h("span.soft", {}, t("keys.endpoint")),
    h("span.copied", {}, url, copy),
    h("a.reference", reference, icon("book"), t("about.api")),
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
  if (createsKeys()) return null;
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

/** @param {string} tab */
function noneYet(tab) {
  if (tab === "shared") return h("div.card.empty", {}, icon("team"), h("p", {}, t("keys.none_shared")));
  const first = usable() && createsKeys() ? createLink("keys.create_first") : null;
  const steps = first && home() === "keys" ? h("a", { href: "#/overview" }, t("keys.first_steps")) : null;
  return h(
    "div.card.empty",
    {},
    icon("key"),
    h("h2", {}, t("keys.none")),
    h("p.soft", {}, t("keys.what")),
    first,
    steps,
  );
}
