// Begins: finds out who is there and in which language, and shows the view that the address names.

import { get, Problem, whenBusy, whenSessionEnds } from "./api.js";
import { fill, h } from "./dom.js";
import { problemNotice } from "./say.js";
import { frame, place, showBusy } from "./shell.js";
import { load, reload, session, whenElsewhere } from "./state.js";
import { preferred, speak, spoken, t } from "./text.js";
import { signInDialog, signInView } from "./views/sign-in.js";

/** Views by the pattern of their address behind `#/`; `:` stands for one part. */
const VIEWS = [
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
  ["audit", () => import("./views/audit.js")],
  ["profile", () => import("./views/profile.js")],
  ["organizations", () => import("./views/organizations.js")],
  ["organizations/:", () => import("./views/one-organization.js")],
  ["plans", () => import("./views/plans.js")],
  ["gates", () => import("./views/gates.js")],
  ["gates/:", () => import("./views/gate.js")],
];

/** Forms behind one-time links, by their path; they need nobody signed in. */
const LINKS = {
  "/setup": () => import("./views/setup.js"),
  "/invitation": () => import("./views/invitation.js"),
  "/reset": () => import("./views/reset.js"),
};

let shown = 0;

async function begin() {
  whenBusy(showBusy);
  whenSessionEnds(signInAgain);
  whenElsewhere(({ data: user }) => {
    if (asking && user === session?.user.id) asking.close(true);
    // Somebody else, or nobody: what this tab shows is not for them.
    else if (user !== (session?.user.id ?? null)) location.reload();
  });
  const texts = speak(preferred());
  const link = LINKS[location.pathname];
  let form;
  try {
    await Promise.all([load(), texts]);
    const wanted = session?.user.locale;
    if (wanted && wanted !== spoken()) await speak(wanted);
    form = link && (await fetched(link));
  } catch (problem) {
    if (!problem.members) throw problem;
    // What went wrong may be known before the words for it have come.
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
    // Another link in the place of this one changes no more than the fragment.
    window.addEventListener("hashchange", () => showLink(form));
    return showLink(form);
  }
  frame();
  window.addEventListener("hashchange", route);
  await route();
}

/** Shows the view that the address names; who isn't signed in signs in first, and is then there. */
async function route() {
  const turn = ++shown;
  const hash = location.hash.replace(/^#\//, "") || "keys";
  const [path, query] = hash.split("?");
  const view = await viewOf(path, new URLSearchParams(query));
  // They went on meanwhile.
  if (turn !== shown) return;
  const title = place(view, path);
  const first = view.body.querySelector?.("[autofocus]");
  (first ?? title).focus({ preventScroll: true });
  if (turn > 1) scrollTo(0, 0);
}

/** The view of an address for whoever is there: nobody signs in first, and some turn a second factor on first. */
async function viewOf(path, query) {
  if (!session) return signInView(enter, query.get("organization"));
  if (!session.user.second_factor_required) return found(path, query);
  return shownOr(async () => (await fetched(() => import("./views/required-factor.js"))).requiredFactor(route));
}

async function found(path, query) {
  const names = path.split("/");
  const fits = ([pattern]) => {
    const wanted = pattern.split("/");
    return wanted.length === names.length && wanted.every((name, at) => name === names[at] || name === ":");
  };
  const view = VIEWS.find(fits);
  if (!view) return { title: t("problems.no_page"), body: h("p", {}, h("a", { href: "#/keys" }, t("keys.title"))) };
  const params = names.filter((_, at) => view[0].split("/")[at] === ":").map(decode);
  return shownOr(async () => (await fetched(view[1])).view({ params, query, again: route }));
}

/** A view, or what kept it away. */
async function shownOr(view) {
  try {
    return await view();
  } catch (problem) {
    if (!problem.members) throw problem;
    return { title: t("problems.title"), body: problemNotice(problem, route) };
  }
}

/** A view's module; what keeps it away is a problem like any other. */
async function fetched(module) {
  try {
    return await module();
  } catch {
    // Either nobody can be reached, or after an update of the server the old page's modules are gone.
    await get("/v1/instance");
    throw new Problem(404, { code: "outdated" });
  }
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function enter() {
  const wanted = session.user.locale;
  if (wanted && wanted !== spoken()) await speak(wanted);
  // The form with the password goes at once, not when the first view has come.
  fill(document.querySelector("main"));
  frame();
  await route();
}

function showLink(module) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  // The token leaves the address bar and the history at once.
  history.replaceState(null, "", location.pathname);
  const done = () => location.replace("/");
  place(module.view({ token, done }), "");
  document.querySelector("main input:not([hidden])")?.focus();
}

/** While the session has ended: the dialog that asks to sign in again. */
let asking = null;

async function signInAgain() {
  if (!session) return false;
  const { id, email } = session.user;
  asking ??= signInDialog(email, session.organization.id);
  const done = await asking.closed;
  asking = null;
  if (!done) return false;
  await reload();
  if (session?.user.id === id) return true;
  // Somebody else: what was asked was not theirs, and what this tab shows is not for them.
  location.reload();
  return false;
}

begin();
