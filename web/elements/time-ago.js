// <time-ago>: a relative time such as "3 hours ago" that updates itself, with the exact time as its title.

import { replaceChildren, h } from "../lib/dom.js";
import { ago, exactMoment } from "../lib/text.js";

const REFRESH_MS = 30_000;

class TimeAgo extends HTMLElement {
  connectedCallback() {
    this.refresh();
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  refresh() {
    const time = /** @type {HTMLTimeElement} */ (this.firstElementChild);
    replaceChildren(time, ago(time.dateTime));
  }
}
customElements.define("time-ago", TimeAgo);

/**
 * The relative time, or `otherwise` if `iso` is empty.
 *
 * @param {string | null | undefined} iso
 * @param {Page.Child} [otherwise]
 */
export function timeAgo(iso, otherwise = null) {
  if (!iso) return otherwise;
  return h("time-ago", {}, h("time", { datetime: iso, title: exactMoment(iso) }));
}
