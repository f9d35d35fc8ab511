// Starts the page: loads the session and the language, then shows the view of the current address.

import { HOME, late, onBusy, onProofRequired, onSessionEnd } from "./lib/api.js";
import { replaceChildren, h } from "./lib/dom.js";
import { problemNotice } from "./lib/messages.js";
import { keptLanguage } from "./frame/preferences.js";
import { home, placeOf } from "./frame/places.js";
import { followShortcuts } from "./frame/shortcuts.js";
import { icon } from "./lib/icon.js";
import { expect, frame, onRedraw, place, showBusy } from "./shell.js";
import { load, reload, session, onOtherTab } from "./lib/state.js";
import { preferredLanguage, setLanguage, currentLanguage, t } from "./lib/text.js";
import { signInDialog, signInView } from "./views/sign-in.js";

/** @typedef {{token: string, done: () => void}} Link */

/**
 * Views by the pattern of their address after `#/`. `:` matches one segment.
 *
 * @type {[string, () => Promise<{view: (address: Page.Address) => Page.View | Promise<Page.View>}>][]}
 */
const VIEWS = [
  ["overview", () => import("./views/overview.js")],
  ["keys", () => import("./views/keys.js")],
  ["keys/new", () => import("./views/new-key.js")],
  ["keys/:", () => import("./views/key.js")],
  ["teams", () => import("./views/teams.js")],
  ["teams/:", () => import("./views/team.js")],
  ["people", () => import("./views/people.js")],
  ["people/:", () => import("./views/person.js")],
  ["roles", () => import("./views/roles.js")],
  ["roles/:", () => import("./views/role.js")],
  ["permissions", () => import("./views/permissions.js")],
  ["organization", () => import("./views/organization.js")],
  ["usage", () => import("./views/usage.js")],
  ["audit", () => import("./views/audit.js")],
  ["profile", () => import("./views/profile.js")],
  ["organizations", () => import("./views/organizations.js")],
  ["organizations/:", () => import("./views/one-organization.js")],
  ["plans", () => import("./views/plans.js")],
  ["gates", () => import("./views/gates.js")],
  ["gates/:", () => import("./views/gate.js")],
];

/**
 * Forms of one-time links, by the last segment of the path. They need no session.
 *
 * @type {Record<string, () => Promise<{view: (link: Link) => Page.View}>>}
 */
const LINKS = {
  setup: () => import("./views/setup.js"),
  invitation: () => import("./views/invitation.js"),
  reset: () => import("./views/reset.js"),
};

let shown = 0;
/**
 * The view on the page and its path, unless another view is loading.
 *
 * @type {{path: string, view: Page.View} | null}
 */
let current = null;

async function begin() {
  onBusy(showBusy);
  onSessionEnd(signInAgain);
  onProofRequired(async () => (await late(() => import("./proof.js"))).prove());
  onOtherTab(({ data: user }) => {
    if (signInPrompt && user === session?.user.id) signInPrompt.close(true);
    // Another user signed in, or the user signed out: this tab must not show the previous user's data.
    else if (user !== (session?.user.id ?? null)) location.reload();
  });
  const texts = setLanguage(keptLanguage() ?? preferredLanguage());
  const link = LINKS[location.pathname.slice(HOME.pathname.length)];
  let form;
  try {
    await Promise.all([load(), texts]);
    const wanted = session?.user.locale;
    if (wanted && wanted !== currentLanguage()) await setLanguage(wanted);
    form = link && (await late(link));
  } catch (problem) {
    if (!problem.members) throw problem;
    // A request may fail before the texts are loaded.
    await texts.catch(() => {});
    document.body.append(
      h(
        "main",
        {},
        problemNotice(problem, () => location.reload()),
      ),
    );
    return;
  }
  if (form) {
    frame({ alone: true });
    onRedraw(async () => showLink(form));
    // Opening another one-time link in this tab changes only the fragment.
    window.addEventListener("hashchange", () => showLink(form));
    return showLink(form);
  }
  frame();
  onRedraw(route);
  followShortcuts();
  window.addEventListener("hashchange", follow);
  await route();
}

/** Shows the view of a new address. A view stays if it can show what the address names. */
async function follow() {
  const [path, query] = addressParts();
  if (current?.path === path && current.view.follow) current.view.follow(query);
  else await route();
}

/** @returns {[string, URLSearchParams]} */
function addressParts() {
  const hash = location.hash.replace(/^#\//, "") || home();
  const [path, query] = hash.split("?");
  return [path, new URLSearchParams(query)];
}

/** Shows the view of the current address, or the sign-in form until the user has signed in. */
async function route() {
  const turn = ++shown;
  current = null;
  const [path, query] = addressParts();
  expect(path);
  const view = await viewOf(path, query);
  // Meanwhile the user has opened another view.
  if (turn !== shown) return;
  const title = place(view, path);
  current = { path, view };
  const first = view.body.querySelector?.("[autofocus]");
  (first ?? title).focus({ preventScroll: true });
  if (turn > 1) scrollTo(0, 0);
  view.shown?.();
}

/**
 * The view of an address. Without a session it is the sign-in form; a required second factor is set up first.
 *
 * @param {string} path
 * @param {URLSearchParams} query
 * @returns {Promise<Page.View>}
 */
async function viewOf(path, query) {
  if (!session) return signInView(enter, query.get("organization"));
  if (!session.user.second_factor_required) return matchingView(path, query);
  return viewOrProblem(async () => (await late(() => import("./views/required-factor.js"))).requiredFactor(route));
}

/**
 * @param {string} path
 * @param {URLSearchParams} query
 */
async function matchingView(path, query) {
  const names = path.split("/");
  const fits = (/** @type {[string, unknown]} */ [pattern]) => {
    const wanted = pattern.split("/");
    return wanted.length === names.length && wanted.every((name, at) => name === names[at] || name === ":");
  };
  const view = VIEWS.find(fits);
  if (!view) return deadEnd(t("problems.no_page"), t("problems.no_page_hint"), "keys");
  const params = names.filter((_, at) => view[0].split("/")[at] === ":").map(decode);
  return viewOrProblem(
    async () => (await late(view[1])).view({ params, query, redraw: route }),
    names.length > 1 ? names[0] : "keys",
  );
}

/**
 * The view, or a notice with the problem that prevented it. `above` is the place to continue at.
 *
 * @param {() => Promise<Page.View>} view
 * @param {string} [above]
 */
async function viewOrProblem(view, above = "keys") {
  try {
    return await view();
  } catch (problem) {
    if (!problem.members) throw problem;
    // Another attempt has the same result.
    if (problem.code === "not_found") return deadEnd(t("problems.gone"), t("problems.gone_hint"), above);
    if (problem.code === "permission_required") return deadEnd(t("problems.no_access"), t("problems.ask"), above);
    return { title: t("problems.title"), body: problemNotice(problem, route) };
  }
}

/**
 * A view that says why there is nothing, with a link to where the user can continue.
 *
 * @param {string} title
 * @param {string} why
 * @param {string} above
 * @returns {Page.View}
 */
function deadEnd(title, why, above) {
  const next = placeOf(above) ?? placeOf("keys");
  const link = next ? h("a.button", { href: `#/${next.hash}` }, icon(next.icon), t(next.title)) : null;
  return { title, isDeadEnd: true, body: h("div.card.empty", {}, icon("search"), h("p.soft", {}, why), link) };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function enter() {
  const wanted = session.user.locale;
  if (wanted && wanted !== currentLanguage()) await setLanguage(wanted);
  // Remove the form with the password now, before the first view is loaded.
  replaceChildren(document.querySelector("main"));
  frame();
  await route();
}

/** The token of the link that is shown. It is only in memory. */
let token = "";

/** @param {{view: (link: Link) => Page.View}} module */
function showLink(module) {
  token = new URLSearchParams(location.hash.slice(1)).get("token") ?? token;
  // Remove the token from the address bar and the history.
  history.replaceState(null, "", location.pathname);
  const done = () => location.replace("./");
  place(module.view({ token, done }), "");
  document.querySelector("main input:not([hidden])")?.focus();
}

/**
 * The open sign-in dialog after a session has ended, else `null`.
 *
 * @type {ReturnType<typeof signInDialog> | null}
 */
let signInPrompt = null;

async function signInAgain() {
  if (!session) return false;
  const { id, email } = session.user;
  signInPrompt ??= signInDialog(email, session.organization.id);
  const done = await signInPrompt.closed;
  signInPrompt = null;
  if (!done) return false;
  await reload();
  if (session?.user.id === id) return true;
  // Another user signed in: the request belonged to the previous user, and so does what this tab shows.
  location.reload();
  return false;
}

begin();
