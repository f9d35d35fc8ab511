// Lists that load one page at a time.

import { request } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { problemNotice, announce } from "./messages.js";
import { t } from "./text.js";

const PAGE_ITEMS = 50;

/**
 * A list of `path`, which returns `{items, next_cursor}`. `show(items, isMore)` creates an element from the first
 * page, `more(element, items)` adds a later page, and `empty()` creates the element of an empty list. The list waits
 * for the promise `beside` before it shows the first page. Returns `{element, reload}`; `reload(query)` starts over.
 *
 * @template {Page.PathWith<"get">} P
 * @param {P} path
 * @param {{
 * query?: Page.QueryOf<P, "get">,
 * show: (items: Page.ItemOf<P>[], isMore: boolean) => Element,
 * more: (element: Element, items: Page.ItemOf<P>[]) => HTMLElement | null | undefined,
 * empty: () => Element,
 * beside?: Promise<unknown>,
 * pageItems?: number,
 * }} options
 */
export function list(path, { query, show, more, empty, beside, pageItems = PAGE_ITEMS }) {
  const element = h("div.list", { "aria-live": "off" });
  let latestTurn = 0;
  /**
   * @param {string | null} cursor
   * @returns {Promise<{items: Page.ItemOf<P>[], next_cursor: string | null}>}
   */
  const pageAt = (cursor) => request("GET", path, { query: { ...query, limit: pageItems, cursor } });
  const reload = async (wanted = query) => {
    query = wanted;
    const turn = ++latestTurn;
    element.setAttribute("aria-busy", "true");
    try {
      const [page] = await Promise.all([pageAt(null), beside]);
      // A newer request is running: ignore this response.
      if (turn !== latestTurn) return;
      let shown = null;
      if (page.items.length > 0 || page.next_cursor) shown = show(page.items, Boolean(page.next_cursor));
      replaceChildren(element, shown ?? empty(), shown ? next(page.next_cursor, shown, turn) : null);
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === latestTurn)
        replaceChildren(
          element,
          problemNotice(problem, () => reload()),
        );
    } finally {
      if (turn === latestTurn) element.removeAttribute("aria-busy");
    }
  };
  /**
   * @param {string | null} cursor
   * @param {Element} shown
   * @param {number} turn
   * @returns {HTMLElement | null}
   */
  const next = (cursor, shown, turn) => {
    if (!cursor) return null;
    const foot = h("div.more", {});
    const load = async () => {
      button.disabled = true;
      try {
        const page = await pageAt(cursor);
        if (turn !== latestTurn) return;
        const first = more(shown, page.items);
        const following = next(page.next_cursor, shown, turn);
        if (following) foot.replaceWith(following);
        else foot.remove();
        announce(t("lists.loaded", { count: page.items.length }));
        first?.focus();
      } catch (problem) {
        if (!problem.members) throw problem;
        replaceChildren(foot, problemNotice(problem, load));
      }
    };
    const button = h("button", { type: "button", onclick: load }, t("lists.more"));
    return replaceChildren(foot, button);
  };
  reload();
  return { element, reload };
}
