// Lists that load one page at a time.

import { get } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { problemNotice, announce } from "./messages.js";
import { t } from "./text.js";

const PAGE_ITEMS = 50;

/**
 * A list of `path`, which returns `{items, next_cursor}`. `show(items, isMore)` creates an element from the first
 * page, `more(element, items)` adds a later page, and `empty()` creates the element of an empty list. The list waits
 * for the promise `beside` before it shows the first page. Returns `{element, reload}`; `reload(query)` starts over.
 */
export function list(path, { query = {}, show, more, empty, beside, pageItems = PAGE_ITEMS }) {
  const element = h("div.list", { "aria-live": "off" });
  let latestTurn = 0;
  const reload = async (wanted = query) => {
    query = wanted;
    const turn = ++latestTurn;
    element.setAttribute("aria-busy", "true");
    try {
      const [page] = await Promise.all([get(path, { ...query, limit: pageItems }), beside]);
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
  const next = (cursor, shown, turn) => {
    if (!cursor) return null;
    const foot = h("div.more", {});
    const load = async () => {
      button.disabled = true;
      try {
        const page = await get(path, { ...query, limit: pageItems, cursor });
        if (turn !== latestTurn) return;
        const first = more(shown, page.items);
        foot.replaceWith(...[next(page.next_cursor, shown, turn)].filter(Boolean));
        announce(t("lists.loaded", { count: page.items.length }));
        first?.focus?.();
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
