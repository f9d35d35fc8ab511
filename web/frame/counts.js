// The numbers at the entry of the list of keys: the keys of its first tab, and those of them that expire soon. They
// come from the answers to requests of views. After a view is shown, at most one unknown number is requested.

import { onAnswer, request } from "../lib/api.js";
import { h, replaceChildren } from "../lib/dom.js";
import { may } from "../lib/state.js";
import { number, t } from "../lib/text.js";

const ASK_AFTER_MS = 1500;
/** Parameters that do not change the number of keys. */
const OF_PAGE = ["limit", "cursor", "sort"];

/** @typedef {"expiring" | "all"} Name */
/** @typedef {{total: number, isMore: boolean}} Count */

const NAMES = /** @type {Name[]} */ (["expiring", "all"]);
/** @type {Map<Name, Count>} */
const counts = new Map();
/** The numbers that a change of a key may have made wrong. They are shown until the new ones are there. */
const unknown = new Set(NAMES);
const [expiring, whole] = [h("span.count.warn", {}), h("span.count", {})];
const shown = h("span.counts", { "aria-hidden": "true" }, expiring, whole);
const description = h("span", { id: "key-counts", hidden: true });
/** @type {ReturnType<typeof setTimeout>} */
let timer;

/** @param {Name} name */
function queryOf(name) {
  const query = may("keyhouse:keys:read") ? {} : { owner: "me" };
  return name === "all" ? query : { ...query, status: "active", expires_within: "30d" };
}

/** @param {Record<string, unknown>} query */
const filtersIn = (query) =>
  Object.entries(query)
    .filter(([name, value]) => value && !OF_PAGE.includes(name))
    .sort()
    .join();

onAnswer((method, path, query, answer) => {
  if (method !== "GET" && path.startsWith("/v1/keys")) NAMES.forEach((name) => unknown.add(name));
  if (method !== "GET" || path !== "/v1/keys") return;
  const name = NAMES.find((one) => filtersIn(queryOf(one)) === filtersIn(query));
  if (!name) return;
  counts.set(name, { total: answer.total, isMore: answer.total_is_exceeded });
  unknown.delete(name);
  draw();
});

function draw() {
  const [soon, all] = NAMES.map((name) => counts.get(name));
  const text = (/** @type {Count} */ { total, isMore }) => `${number(total)}${isMore ? "+" : ""}`;
  const isSoon = soon !== undefined && soon.total > 0;
  expiring.hidden = !isSoon;
  replaceChildren(expiring, isSoon ? text(soon) : null);
  replaceChildren(whole, all ? text(all) : null);
  const words = isSoon ? t("shell.expiring", { count: soon.total }) : "";
  expiring.title = words;
  replaceChildren(description, all ? t("shell.key_count", { count: all.total }) : null, " ", words);
}

/**
 * Adds the numbers to the link of the list of keys. Returns their description, which is beside the link.
 *
 * @param {HTMLElement} link
 */
export function keyCounts(link) {
  draw();
  link.append(shown);
  link.setAttribute("aria-describedby", description.id);
  return description;
}

/** Requests one number that is not known, unless the view that is now shown requests it. */
export function askForCount() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const [name] = unknown;
    if (!name || document.visibilityState === "hidden") return;
    const query = { ...queryOf(name), limit: 1 };
    await request("GET", "/v1/keys", { query, quietly: true }).catch((problem) => {
      // A number in the navigation is not worth a message.
      if (!problem.members) throw problem;
    });
  }, ASK_AFTER_MS);
}
