// The sessions of the user or of another user.

import { all, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { timeAgo } from "../elements/time-ago.js";
import { problemNotice, announce } from "../lib/messages.js";
import { table } from "../lib/table.js";
import { moment, t } from "../lib/text.js";

/** @typedef {Page.ItemOf<"/v1/sessions">} OwnSession */

/**
 * The sessions of another user, for users who may end them.
 *
 * @param {Api.User} user
 * @param {Page.Redraw} redraw
 */
export async function sessionsOf(user, redraw) {
  const path = /** @type {const} */ (`/v1/users/${encodeURIComponent(user.id)}/sessions`);
  const items = await all(path);
  const columns = [
    t("sessions.browser"),
    t("sessions.signed_in"),
    t("sessions.last_used"),
    { hidden: t("sessions.end") },
  ];
  const row = (/** @type {Api.OpenSession} */ item) => {
    const place = h("div.soft.small", {}, addressText(item));
    const end = () => endAll({ count: 1 }, () => remove(`${path}/${item.id}`));
    const facts = { browser: browser(item.user_agent), address: addressText(item), moment: moment(item.created_at) };
    const label = t("sessions.end_one", facts);
    const button = h("button.quiet", { type: "button", "aria-label": label, onclick: end }, t("sessions.end"));
    return [[browser(item.user_agent), place], moment(item.created_at), timeAgo(item.seen_at), button];
  };
  const endAll = async (/** @type {{count: number}} */ { count }, /** @type {() => Promise<unknown>} */ act) => {
    const words = {
      title: t("sessions.end_theirs_title", { name: user.name }),
      body: h("p", {}, t("sessions.end_theirs_body", { count })),
      button: t("sessions.end_theirs"),
      done: t("sessions.theirs_ended"),
    };
    if ((await confirm(words, act)) !== undefined) redraw();
  };
  const endEach = () => endAll({ count: items.length }, () => remove(path));
  return h(
    "section.card.stack",
    {},
    h("h2", {}, t("sessions.title")),
    items.length > 0 ? table(t("sessions.title"), columns, items.map(row)) : h("p.soft", {}, t("sessions.none_theirs")),
    items.length > 0 ? h("div", {}, h("button", { type: "button", onclick: endEach }, t("sessions.end_all"))) : null,
  );
}

/** The list, when it is loaded. It redraws itself on the event `changed`. */
export async function sessions() {
  const place = h("div.stack.sessions", { onchanged: () => draw() });
  const draw = async () => {
    try {
      replaceChildren(place, shown(await all("/v1/sessions"), draw));
    } catch (problem) {
      if (!problem.members) throw problem;
      replaceChildren(place, problemNotice(problem, draw));
    }
  };
  await draw();
  return place;
}

/**
 * @param {OwnSession[]} items
 * @param {Page.Redraw} draw
 */
function shown(items, draw) {
  const others = items.filter((item) => !item.current);
  const times = [t("sessions.signed_in"), t("sessions.last_used"), t("sessions.expires")];
  const columns = [t("sessions.browser"), ...times, { hidden: t("sessions.end") }];
  const row = (/** @type {OwnSession} */ item) => [
    named(item),
    moment(item.created_at),
    item.current ? t("sessions.now") : timeAgo(item.seen_at),
    moment(item.ends_at),
    item.current ? null : endButton(item, draw),
  ];
  const endAll = () => endOthers(others, draw);
  const sorted = [...items.filter((item) => item.current), ...others];
  return [
    h("p.soft", {}, t("sessions.lead")),
    table(t("sessions.title"), columns, sorted.map(row)),
    others.length > 0 ? h("div", {}, h("button", { type: "button", onclick: endAll }, t("sessions.end_others"))) : null,
  ];
}

/**
 * Browsers by their part of the user agent. Most user agents contain the names of other browsers too, so the first
 * match counts. Chrome and Firefox have other names on an iPhone.
 *
 * @type {[string, RegExp][]}
 */
const BROWSERS = [
  ["edge", /\b(Edg|EdgA|EdgiOS)\//],
  ["opera", /\bOPR\//],
  ["firefox", /\b(Firefox|FxiOS)\//],
  ["chrome", /(Chrome|CriOS)\//],
  ["safari", /\bVersion\/.*Safari\//],
];
/** @type {[string, RegExp][]} */
const SYSTEMS = [
  ["windows", /\bWindows\b/],
  ["android", /\bAndroid\b/],
  ["ios", /\b(iPhone|iPad)\b/],
  ["macos", /\bMacintosh\b/],
  ["linux", /\bLinux\b/],
];

/** Longer program names are cut. */
const PROGRAM_CHARACTERS_MAX = 32;

/**
 * The browser and system of a user agent; for other programs, the start of the user agent.
 *
 * @param {string | null} agent
 */
function browser(agent) {
  if (!agent) return t("sessions.no_browser");
  const named = (/** @type {[string, RegExp][]} */ names) => names.find(([, pattern]) => pattern.test(agent))?.[0];
  const [program, system] = [named(BROWSERS), named(SYSTEMS)];
  const first = agent.split(" ")[0];
  if (!program && !first.startsWith("Mozilla/") && first.length <= PROGRAM_CHARACTERS_MAX) return first;
  // sessions.edge, .opera, .firefox, .chrome, .safari
  const name = program ? t(`sessions.${program}`) : t("sessions.no_browser");
  if (!system) return name;
  // sessions.windows, .android, .ios, .macos, .linux
  return t("sessions.on", { browser: name, system: t(`sessions.${system}`) });
}

const addressText = (/** @type {{address: string | null}} */ item) => item.address ?? t("sessions.no_address");

/** @param {OwnSession} item */
function named(item) {
  const badge = item.current ? h("span.badge.good", {}, t("sessions.this_session")) : null;
  const place = h("div.soft.small", {}, addressText(item));
  return [h("div.row", {}, browser(item.user_agent), badge), place];
}

/**
 * @param {OwnSession} item
 * @param {Page.Redraw} draw
 */
function endButton(item, draw) {
  const end = async () => {
    button.disabled = true;
    try {
      await ended(item);
      announce(t("sessions.ended"));
    } catch (problem) {
      if (!problem.members) throw problem;
      button.after(problemNotice(problem));
      button.disabled = false;
      return;
    }
    const row = button.closest("tr").sectionRowIndex;
    await draw();
    focusSessionAt(row);
  };
  const facts = { browser: browser(item.user_agent), address: addressText(item), moment: moment(item.created_at) };
  const label = t("sessions.end_one", facts);
  const button = h("button.quiet", { type: "button", "aria-label": label, onclick: end }, t("sessions.end"));
  return button;
}

/**
 * @param {OwnSession[]} others
 * @param {Page.Redraw} draw
 */
async function endOthers(others, draw) {
  const words = {
    title: t("sessions.end_others_title"),
    body: h("p", {}, t("sessions.end_others_body", { count: others.length })),
    button: t("sessions.end_others"),
    done: t("sessions.others_ended"),
  };
  const done = await confirm(words, async () => {
    for (const item of others) await ended(item);
  });
  if (done === undefined) return;
  await draw();
  focusSessionAt(0);
}

/**
 * Moves the focus from a removed session to the one in its place, else to the heading.
 *
 * @param {number} row
 */
function focusSessionAt(row) {
  const place = document.querySelector(".sessions");
  const left = [...place.querySelectorAll("tbody button")];
  const next = left.find((button) => button.closest("tr").sectionRowIndex >= row) ?? left.at(-1);
  (next ?? place.closest("section").querySelector("h2")).focus();
}

/**
 * Ends a session. A session that has already ended counts as success.
 *
 * @param {{id: string}} item
 */
async function ended(item) {
  try {
    await remove(`/v1/sessions/${item.id}`);
  } catch (problem) {
    if (problem.code !== "not_found") throw problem;
  }
}
