// A part of a view that is redrawn after a change and keeps the focus.

import { onStale } from "./api.js";
import { replaceChildren, h } from "./dom.js";
import { problemNotice } from "./messages.js";

/** How each live element is drawn again. An element that left the page is forgotten with it. */
const redraws = new WeakMap();

// While the dialog reports a conflict, update every live element of the page to the current state.
onStale(() => {
  for (const element of document.querySelectorAll(".live")) redraws.get(element)?.();
});

/**
 * An element with the nodes that `draw(redraw)` returns. `redraw()` draws it again. The caller handles a problem of
 * the first draw.
 *
 * @param {(redraw: () => Promise<void>) => Page.Child | Promise<Page.Child>} draw
 */
export async function live(draw) {
  const element = h("div.stack.sections.live", {});
  const redraw = async () => {
    /** @type {Page.Child} */
    let drawn;
    try {
      drawn = await draw(redraw);
    } catch (problem) {
      if (!problem.members) throw problem;
      drawn = problemNotice(problem, redraw);
    }
    const name =
      document.activeElement && element.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    replaceChildren(element, drawn);
    if (name === null) return;
    const controls = element.querySelectorAll("a, button, input, select, summary");
    const same = [...controls].find((one) => nameOf(one) === name);
    (same ?? document.querySelector("main h1")).focus();
  };
  replaceChildren(element, await draw(redraw));
  redraws.set(element, redraw);
  return { element, redraw };
}

/** @param {Element} control */
const nameOf = (control) =>
  control.getAttribute("aria-label") ?? (control.textContent || (control.getAttribute("name") ?? ""));
