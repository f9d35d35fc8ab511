// A part of a view that is drawn anew after a change, with the focus where it was.

import { whenStale } from "./api.js";
import { fill, h } from "./dom.js";
import { problemNotice } from "./say.js";

/**
 * The element that `draw(again)` fills; `again()` draws it once more. What goes wrong the first time
 * is the caller's to show.
 */
export async function live(draw) {
  const element = h("div.stack.sections", {});
  const again = async () => {
    let drawn;
    try {
      drawn = await draw(again);
    } catch (problem) {
      if (!problem.members) throw problem;
      drawn = problemNotice(problem, again);
    }
    const name = element.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    fill(element, drawn);
    if (name === null) return;
    const same = [...element.querySelectorAll("a, button, input, select, summary")].find((one) => nameOf(one) === name);
    (same ?? document.querySelector("main h1")).focus();
  };
  fill(element, await draw(again));
  // What was changed elsewhere is shown as it is now, behind the dialog that says so.
  whenStale(() => element.isConnected && again());
  return { element, again };
}

const nameOf = (control) => control.getAttribute("aria-label") ?? (control.textContent || control.name);
