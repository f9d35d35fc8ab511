// The tabs of the list of keys: own keys, keys shared with a team of the user, all keys of the organization.

import { get } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { may } from "../lib/state.js";
import { number, t } from "../lib/text.js";

/** @typedef {"mine" | "shared" | "all"} Tab */

export const TABS = /** @type {Tab[]} */ (["mine", "shared", "all"]);

/** The tab of an address without one: users who see few keys of others begin with their own. */
export const firstTab = () => /** @type {Tab} */ (may("keyhouse:keys:read") ? "all" : "mine");

/**
 * The tabs that the user has. `shared` needs a team, or an address that names it.
 *
 * @param {Api.Team[]} teams
 * @param {string} chosen
 */
export function tabsOf(teams, chosen) {
  const hasShared = chosen === "shared" || teams.some((team) => team.is_member);
  return /** @type {Tab[]} */ (["mine", ...(hasShared ? ["shared"] : []), "all"]);
}

/**
 * The tabs as links. `addressOf(tab)` is the address of a tab, `queryOf(tab)` its API query, for the number of keys.
 *
 * @param {Tab[]} tabs
 * @param {Tab} chosen
 * @param {(tab: Tab) => string} addressOf
 * @param {(tab: Tab) => Record<string, unknown>} queryOf
 */
export function tabLinks(tabs, chosen, addressOf, queryOf) {
  /** @type {Map<Tab, HTMLElement>} */
  const counts = new Map();
  const link = (/** @type {Tab} */ tab) => {
    // The list itself reports its number to screen readers.
    const count = h("span.tab-count", { "aria-hidden": "true" });
    counts.set(tab, count);
    // keys.tab_mine, .tab_shared, .tab_all
    const text = t(`keys.tab_${tab}`);
    return h("a", { href: addressOf(tab), "aria-current": tab === chosen ? "page" : null }, text, count);
  };
  const element = h("nav.tabs", { "aria-label": t("keys.tabs") }, tabs.map(link));
  const show = (/** @type {Tab} */ tab, /** @type {number} */ total) =>
    replaceChildren(counts.get(tab) ?? element, " ", number(total));
  /** Loads the numbers of the other tabs. */
  const countOthers = async () => {
    for (const tab of tabs.filter((one) => one !== chosen)) {
      try {
        /** @type {Page.ListPage<"/v1/keys">} */
        const page = await get("/v1/keys", { ...queryOf(tab), limit: 1 });
        show(tab, page.total);
      } catch (problem) {
        // The number of another tab is not worth a message.
        if (!problem.members) throw problem;
      }
    }
  };
  return { element, show, countOthers };
}
