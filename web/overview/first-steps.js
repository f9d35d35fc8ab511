// The first steps of an organization: a list that ticks each step that the server reports as taken. It is hidden when
// all steps are taken, or when the user hides it.

import { request } from "../lib/api.js";
import { h, replaceChildren } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { keep, kept } from "../lib/kept.js";
import { announce } from "../lib/messages.js";
import { createsKeys, may, session } from "../lib/state.js";
import { t } from "../lib/text.js";
import { STEPS } from "./steps.js";

/** The time between two requests while the list is visible. */
const REFRESH_MS = 5000;
/**
 * After this number of requests, the page waits until it is hidden and visible again: an unused page must not keep
 * the session from ending.
 */
const REFRESHES_MAX = 120;
/** The browser keeps the choice of this number of users. */
const USERS_MAX = 5;

/** @typedef {import("./steps.js").Name} Name */
/** @typedef {Partial<Record<Name, boolean>>} Taken Whether each step of the user is taken, in order. */

/** What was done, for users who see all keys. */
async function byOrganization() {
  /** @type {{first_steps: NonNullable<Page.ResponseOf<"/v1/overview", "get">["first_steps"]>}} */
  const { first_steps: steps } = await request("GET", "/v1/overview", {
    query: { only: "first_steps" },
    quietly: true,
  });
  const taken = { key: steps.key_created, call: steps.key_used, proxy: steps.gate_called };
  return may("keyhouse:users:manage") ? { ...taken, colleague: steps.colleague_invited ?? false } : taken;
}

/** What was done with the user's own keys, for users who see no others. */
async function byOwnKeys() {
  /** @type {Page.ListPage<"/v1/keys">} */
  const page = await request("GET", "/v1/keys", {
    query: { owner: "me", status: "all", sort: "-last_used", limit: 1 },
    quietly: true,
  });
  const [latest] = page.items;
  return { key: latest !== undefined, call: latest !== undefined && "name" in latest && latest.last_used !== null };
}

/**
 * The list, unless there is nothing to show: `{element, opener, begin}`. `opener` is a button that shows the list again
 * after the user has hidden it. `begin()` starts the requests that tick further steps.
 *
 * @param {Promise<unknown>} ready Resolves when the texts are there.
 */
export async function firstSteps(ready) {
  const load = may("keyhouse:keys:read") ? byOrganization : createsKeys() ? byOwnKeys : null;
  if (!load) return null;
  /** @type {Taken} */
  let taken;
  try {
    [taken] = await Promise.all([load(), ready]);
  } catch (problem) {
    // The other parts of the view report it. Users who see only their own keys may have no other part.
    if (!problem.members || load === byOwnKeys) throw problem;
    return null;
  }
  if (isFinished(taken)) return null;
  const list = listOf(taken);
  const place = h("div.first-steps-place", {});
  const opener = h("button", { type: "button" }, icon("list"), t("first_steps.title"));
  const show = (/** @type {boolean} */ is) => {
    replaceChildren(place, is ? list.element : null);
    opener.hidden = is;
    place.hidden = !is;
  };
  let refresh = () => {};
  opener.addEventListener("click", () => {
    setHidden(false);
    show(true);
    list.title.focus();
    refresh();
  });
  list.hide.addEventListener("click", () => {
    setHidden(true);
    show(false);
    announce(t("first_steps.hidden"));
    opener.focus();
  });
  show(!isHidden());
  const update = async () => {
    list.update(await load());
    return list.isFinished();
  };
  const begin = () => {
    refresh = follow(place, update);
  };
  return { element: place, opener, begin };
}

const isFinished = (/** @type {Taken} */ taken) => Object.values(taken).every(Boolean);

/** The ids of the users of this browser who have hidden the list. */
const hiddenFor = () => (kept("first_steps") ?? "").split(" ").filter(Boolean);

const isHidden = () => hiddenFor().includes(session.user.id);

/** @param {boolean} is */
function setHidden(is) {
  const others = hiddenFor().filter((id) => id !== session.user.id);
  const users = is ? [session.user.id, ...others].slice(0, USERS_MAX) : others;
  keep("first_steps", users.join(" ") || null);
}

/**
 * Calls `update` while the element is in the page and visible, until it resolves to `true`. Returns a function that
 * calls it now.
 *
 * @param {HTMLElement} element
 * @param {() => Promise<boolean>} update
 */
function follow(element, update) {
  let left = REFRESHES_MAX;
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, REFRESH_MS);
  };
  const end = () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
  const refresh = async () => {
    if (!element.isConnected) return end();
    if (document.visibilityState === "hidden" || element.hidden || left === 0) return undefined;
    left -= 1;
    try {
      if (await update()) return end();
    } catch (problem) {
      if (!problem.members) throw problem;
      // The session has ended: the next request of the user asks for the password.
      if (problem.status === 401) return end();
    }
    return wait();
  };
  const seen = () => {
    if (document.visibilityState === "hidden") return;
    left = REFRESHES_MAX;
    clearTimeout(timer);
    refresh();
  };
  document.addEventListener("visibilitychange", seen);
  wait();
  return seen;
}

/**
 * The list with these steps. `update(taken)` ticks the steps that were taken meanwhile.
 *
 * @param {Taken} taken
 */
function listOf(taken) {
  const steps = STEPS.filter(({ name }) => name in taken).map((step) => itemOf(step));
  const title = h("h2", { id: "first-steps", tabindex: "-1" }, t("first_steps.title"));
  const count = h("p.small.soft", {});
  const hide = h(
    "button.quiet",
    { type: "button", "aria-label": t("first_steps.hide_label") },
    icon("close"),
    t("first_steps.hide"),
  );
  const meter = h("progress", { max: steps.length, "aria-labelledby": "first-steps" });
  const items = h(
    "ol",
    {},
    steps.map(({ element }) => element),
  );
  const finished = h("p.finished", {}, icon("check"), t("first_steps.finished"));
  const element = h(
    "section.card.stack.first-steps",
    { "aria-labelledby": "first-steps" },
    h("div.card-head", {}, h("div", {}, title, count), hide),
    meter,
    items,
    finished,
  );
  const update = (/** @type {Taken} */ now, isFirst = false) => {
    const news = steps.filter((step) => now[step.name] && !step.isDone());
    for (const step of news) {
      step.finish();
      if (!isFirst) announce(t("first_steps.announced", { step: step.title }));
    }
    if (!isFirst && news.length === 0) return;
    const done = steps.filter((step) => step.isDone()).length;
    meter.value = done;
    replaceChildren(count, t("first_steps.progress", { done, count: steps.length }));
    finished.hidden = done < steps.length;
    const next = steps.find((step) => !step.isDone());
    if (next && !steps.some((step) => step.isOpen())) next.open();
  };
  update(taken, true);
  return { element, title, hide, update, isFinished: () => steps.every((step) => step.isDone()) };
}

/**
 * One step. Its content is made when it is opened.
 *
 * @param {import("./steps.js").Step} step
 */
function itemOf({ name, content }) {
  // first_steps.step_key, .step_call, .step_proxy, .step_colleague
  const title = t(`first_steps.step_${name}`);
  const [mark, state, body] = [h("span.step-mark", {}), h("span.badge.good", { hidden: true }), h("div.step-body", {})];
  const fill = () => {
    if (details.open && !body.hasChildNodes()) replaceChildren(body, content());
  };
  const details = h(
    "details",
    { ontoggle: fill },
    h("summary", {}, mark, h("span.step-title", {}, title), state, icon("chevron")),
    body,
  );
  const element = h("li", {}, details);
  let isDone = false;
  const finish = () => {
    isDone = true;
    element.classList.add("taken");
    replaceChildren(mark, icon("check"));
    replaceChildren(state, t("first_steps.done"));
    state.hidden = false;
    // Content that the user is working with stays.
    if (!body.contains(document.activeElement)) details.open = false;
  };
  return {
    name,
    title,
    element,
    finish,
    isDone: () => isDone,
    // A finished step does not count as open: the next one opens below it.
    isOpen: () => details.open && !isDone,
    open: () => {
      details.open = true;
    },
  };
}
