// Lists that come page by page.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { problemNotice, say } from "./say.js";
import { t } from "./text.js";

const PAGE_ITEMS = 50;

/**
 * A list of `path`, whose answers are `{items, next_cursor}`. `show(items, isMore)` makes an element
 * out of the first page (`isMore`: others follow), `more(element, items)` adds those of a later one,
 * `empty()` makes what stands there where there are none. Returns `{element, reload}`;
 * `reload(query)` begins anew. What is `beside` is waited for too before anything is shown.
 */
export function list(path, { query = {}, show, more, empty, beside, pageItems = PAGE_ITEMS }) {
  const element = h("div.list", { "aria-live": "off" });
  let asked = 0;
  const reload = async (wanted = query) => {
    query = wanted;
    const turn = ++asked;
    element.setAttribute("aria-busy", "true");
    try {
      const [page] = await Promise.all([get(path, { ...query, limit: pageItems }), beside]);
      // A later question was asked meanwhile: its answer counts.
      if (turn !== asked) return;
      let shown = null;
      if (page.items.length > 0 || page.next_cursor) shown = show(page.items, Boolean(page.next_cursor));
      fill(element, shown ?? empty(), shown ? next(page.next_cursor, shown, turn) : null);
    } catch (problem) {
      if (!problem.members) throw problem;
      if (turn === asked)
        fill(
          element,
          problemNotice(problem, () => reload()),
        );
    } finally {
      if (turn === asked) element.removeAttribute("aria-busy");
    }
  };
  const next = (cursor, shown, turn) => {
    if (!cursor) return null;
    const foot = h("div.more", {});
    const load = async () => {
      button.disabled = true;
      try {
        const page = await get(path, { ...query, limit: pageItems, cursor });
        if (turn !== asked) return;
        const first = more(shown, page.items);
        foot.replaceWith(...[next(page.next_cursor, shown, turn)].filter(Boolean));
        say(t("lists.loaded", { count: page.items.length }));
        first?.focus?.();
      } catch (problem) {
        if (!problem.members) throw problem;
        fill(foot, problemNotice(problem, load));
      }
    };
    const button = h("button", { type: "button", onclick: load }, t("lists.more"));
    return fill(foot, button);
  };
  reload();
  return { element, reload };
}
