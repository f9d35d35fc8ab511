// The parts that the cards of the overview have in common: a fact with its state, and a mend with its undo.

import { h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { announce, orAnnounce } from "../lib/messages.js";
import { t } from "../lib/text.js";

/** @typedef {"warn" | "info" | "good"} State */

/** @type {Record<State, string>} */
const ICONS = { warn: "alert", info: "info", good: "check" };

/**
 * A fact: an icon for its state, the fact in words, a link to all of it, and details below. The state is `warn` if it
 * needs attention, `good` if not, or `info`.
 *
 * @param {{state: State, title: string, link?: Page.Child}} fact
 * @param {...Page.Child} below
 */
export function fact({ state, title, link }, ...below) {
  const mark = h(`span.state.${state}`, {}, icon(ICONS[state]));
  return h("section.card.fact", { "data-state": state }, h("div.fact-head", {}, mark, h("h3", {}, title), link), below);
}

/**
 * Facts that need attention come first, those in order last.
 *
 * @param {Element[]} facts
 */
export function inOrder(facts) {
  const rank = (/** @type {Element} */ one) => Object.keys(ICONS).indexOf(one.getAttribute("data-state") ?? "");
  return facts.toSorted((one, other) => rank(one) - rank(other));
}

/**
 * @typedef {object} Mend
 * @property {string} text The text of the button.
 * @property {string} label Its accessible name, which names the object.
 * @property {() => Promise<string>} act Mends, and resolves to what is now true.
 * @property {() => Promise<unknown>} undo
 */

/**
 * The button of a mend. Afterwards, its place has what is now true, and a button that takes the mend back.
 *
 * @param {Mend} mend
 */
export function mendButton({ text, label, act, undo }) {
  const place = h("div.mend", {});
  const button = (/** @type {string} */ name, /** @type {string} */ full, /** @type {() => unknown} */ run) => {
    const onclick = () => {
      element.disabled = true;
      return orAnnounce(run).finally(() => (element.disabled = false));
    };
    const element = h("button.small-button", { type: "button", "aria-label": full, onclick }, name);
    return element;
  };
  const shown = (
    /** @type {Page.Child} */ done,
    /** @type {HTMLElement} */ control,
    /** @type {boolean} */ isFirst,
  ) => {
    replaceChildren(place, done, control);
    if (!isFirst) control.focus();
  };
  const offer = (isFirst = false) => {
    const mend = button(text, label, async () => {
      const done = await act();
      announce(done);
      const back = button(t("overview.undo"), t("overview.undo_of", { action: label }), async () => {
        await undo();
        announce(t("overview.undone"));
        offer();
      });
      shown(h("span.done", {}, icon("check"), done), back, false);
    });
    shown(null, mend, isFirst);
  };
  offer(true);
  return place;
}
