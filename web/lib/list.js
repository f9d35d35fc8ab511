// Lists that load one page at a time.

import { request } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { problemNotice, announce } from "./messages.js";
import { t } from "./text.js";

const PAGE_ITEMS = 50;
/** Maximum number of items that the API returns at once. */
const ITEMS_A_REQUEST = 100;
/** A list that is there sooner shows no skeleton. */
const SKELETON_AFTER_MS = 150;
const SKELETON_ROWS = 6;

/**
 * A list of `path`, which returns `{items, next_cursor}`. `show(items, page)` creates an element from the first
 * page, `more(element, items, page)` adds a later page, and `empty()` creates the element of an empty list. The list
 * waits for the promise `beside` before it shows the first page. `firstItems` are loaded at first, such as after Back.
 * `range(count, page)` says below the list how many of the items are shown. Returns `{element, reload, loaded, count}`;
 * `reload(query)` starts over.
 *
 * @template {Page.PathWith<"get">} P
 * @param {P} path
 * @param {{
 * query?: Page.QueryOf<P, "get">,
 * show: (items: Page.ItemOf<P>[], page: Page.ListPage<P>) => Element,
 * more: (element: Element, items: Page.ItemOf<P>[], page: Page.ListPage<P>) => HTMLElement | null | undefined,
 * empty: () => Element,
 * beside?: Promise<unknown>,
 * pageItems?: number,
 * firstItems?: number,
 * range?: (count: number, page: Page.ListPage<P>) => Page.Child,
 * }} options
 */
export function list(path, { query, show, more, empty, beside, pageItems = PAGE_ITEMS, firstItems, range }) {
  const element = h("div.list", { "aria-live": "off" });
  let latestTurn = 0;
  let count = 0;
  /**
   * @param {string | null} cursor
   * @param {number} [limit]
   * @returns {Promise<Page.ListPage<P>>}
   */
  const pageAt = (cursor, limit = pageItems) =>
    request("GET", path, { query: { ...query, limit: Math.min(limit, ITEMS_A_REQUEST), cursor } });
  /** The first items, of several requests if they are many. */
  const firstPage = async (/** @type {number} */ wanted) => {
    const page = await pageAt(null, wanted);
    while (page.next_cursor && page.items.length < wanted) {
      const next = await pageAt(page.next_cursor, wanted - page.items.length);
      page.items.push(...next.items);
      page.next_cursor = next.next_cursor;
    }
    return page;
  };
  const headings = () => [...element.querySelectorAll("thead th")];
  const reload = async (wanted = query, items = 0) => {
    query = wanted;
    const turn = ++latestTurn;
    element.setAttribute("aria-busy", "true");
    const timer = setTimeout(() => {
      if (turn === latestTurn && !element.hasChildNodes()) replaceChildren(element, skeleton());
    }, SKELETON_AFTER_MS);
    try {
      const [page] = await Promise.all([firstPage(items || pageItems), beside]);
      // A newer request is running: ignore this response.
      if (turn !== latestTurn) return;
      const column = headings().findIndex((heading) => heading.contains(document.activeElement));
      let shown = null;
      count = page.items.length;
      if (page.items.length > 0 || page.next_cursor) shown = show(page.items, page);
      replaceChildren(element, shown ?? empty(), shown ? next(page, shown, turn) : null);
      // The heading that sorts is a new one.
      headings()[column]?.querySelector("button")?.focus();
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === latestTurn)
        replaceChildren(
          element,
          problemNotice(problem, () => reload()),
        );
    } finally {
      clearTimeout(timer);
      if (turn === latestTurn) element.removeAttribute("aria-busy");
    }
  };
  /**
   * @param {Page.ListPage<P>} page
   * @param {Element} shown
   * @param {number} turn
   * @returns {HTMLElement | null}
   */
  const next = (page, shown, turn) => {
    const cursor = page.next_cursor;
    const words = range?.(count, page);
    if (!cursor && !words) return null;
    const foot = h("div.more", {});
    const load = async () => {
      button.disabled = true;
      try {
        const page = await pageAt(cursor);
        if (turn !== latestTurn) return;
        count += page.items.length;
        const first = more(shown, page.items, page);
        const following = next(page, shown, turn);
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
    return replaceChildren(foot, words ? h("p.small.soft", {}, words) : null, cursor ? button : null);
  };
  const loaded = reload(query, firstItems);
  return { element, reload, loaded, count: () => count };
}

/** Grey bars in the place of rows. */
export function skeleton() {
  const rows = Array.from({ length: SKELETON_ROWS }, () => h("div.bar", {}));
  return h("div.card.flush.skeleton", { "aria-hidden": "true" }, rows);
}
