// <time-ago>: a moment as "3 hours ago", kept true while it is looked at; the exact moment is its
// title and its machine-readable form.

import { fill, h } from "../dom.js";
import { ago, exactly } from "../text.js";

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
    fill(this.firstElementChild, ago(this.firstElementChild.dateTime));
  }
}
customElements.define("time-ago", TimeAgo);

/** A moment, or `otherwise` where there is none. */
export function timeAgo(iso, otherwise = null) {
  if (!iso) return otherwise;
  return h("time-ago", {}, h("time", { datetime: iso, title: exactly(iso) }));
}
