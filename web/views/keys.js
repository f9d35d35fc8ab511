// The keys: which there are, what they may do, when and from where they were last used.

import { all, get, patch, Problem } from "../api.js";
import { fill, h } from "../dom.js";
import { copyButton } from "../elements/copy-button.js";
import { keyStatus } from "../elements/key-status.js";
import { renameButton } from "../elements/rename.js";
import { timeAgo } from "../elements/time-ago.js";
import { field, select } from "../form.js";
import { rightsTo } from "../key/rights.js";
import { list } from "../list.js";
import { inFewWords } from "../permission-words.js";
import { planName } from "../plans.js";
import { instance, isOperator, may, session } from "../state.js";
import { addRows, table } from "../table.js";
import { day, listed, t } from "../text.js";

/** A key is more than a kilobyte on its way: few enough that the first load stays light. */
const PAGE_KEYS = 30;
const SOON = "7d";
const SOON_MS = 7 * 86_400_000;
/** Long enough that not every letter asks. */
const TYPING_MS = 250;
const SORTS = ["-created_at", "name", "-last_used", "expires_at"];
const STATUSES = ["", "active", "disabled", "not_yet_valid", "expired", "revoked", "all"];

/** Whether the person may make a key, for themselves or for the organization. */
export const mayMake = () => may("keyhouse:keys:create") || may("keyhouse:keys:manage");

export async function view({ query }) {
  const asking = all("/v1/teams");
  let teams = [];
  const chosen = chosenBy(query);
  const columns = [
    t("keys.name"),
    t("keys.owner"),
    t("keys.may"),
    t("keys.status"),
    t("keys.last_used"),
    t("keys.created"),
  ];
  const rowsOf = (items) => items.map((key) => row(key, teams));
  const found = h("p.said-only", { role: "status" });
  const keys = list("/v1/keys", {
    query: asked(chosen),
    pageItems: PAGE_KEYS,
    beside: asking.then((known) => (teams = known)),
    show: (items, isMore) => {
      fill(found, t(isMore ? "keys.found_more" : "keys.found", { count: items.length }));
      return h("div.card.flush.keys", {}, table(t("keys.title"), columns, rowsOf(items)));
    },
    more: (card, items) => addRows(card.querySelector("table"), columns, rowsOf(items))?.querySelector("a"),
    empty: () => {
      fill(found, t(isFiltered(chosen) ? "keys.nothing_found" : "keys.none"));
      return isFiltered(chosen) ? nothingFound(clear) : noneYet();
    },
  });
  // The keys are on their way by now: one wait, not two.
  const choices = choicesOf(await asking);
  if (chosen.whose.startsWith("team_") && !teams.some((team) => team.id === chosen.whose)) {
    // A team that was removed, say: a list that shows "All" must show all.
    chosen.whose = "";
    keys.reload(asked(chosen));
  }
  /** Asks anew; a choice is a step that the back button takes back, a letter typed is none. */
  const change = (isStep) => {
    const said = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== ""));
    const address = said.size > 0 ? `#/keys?${said}` : "#/keys";
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    keys.reload(asked(chosen));
  };
  const clear = () => {
    location.hash = "#/keys";
  };
  const actions = usable() && mayMake() ? [h("a.button.primary", { href: "#/keys/new" }, t("keys.new"))] : [];
  const body = h("div.stack", {}, endpoint(), hindrance(), filters(chosen, choices, change), found, keys.element);
  return { title: t("keys.title"), actions, body };
}

/** What the address asks for. What a link or an older page names that there is not filters nothing. */
function chosenBy(query) {
  const chosen = { search: query.get("search") ?? "" };
  for (const [name, , options] of choicesOf([])) {
    const wanted = query.get(name) ?? "";
    const isTeam = name === "whose" && wanted.startsWith("team_");
    chosen[name] = isTeam || options.some(([value]) => value === wanted) ? wanted : "";
  }
  return chosen;
}

const usable = () => session.organization.api_access;

/** Where keys are used, and how. */
function endpoint() {
  const url = h("code", { tabindex: "0" }, instance.endpoint_url);
  return h(
    "div.endpoint",
    {},
    h("span.soft", {}, t("keys.endpoint")),
    url,
    copyButton(
      () => instance.endpoint_url,
      () => url,
      t("keys.copy_endpoint"),
    ),
    h("a", { href: "/openapi.json", target: "_blank", rel: "noreferrer" }, t("about.api")),
  );
}

/** Why no key can be made, and who changes that; nothing where one can. */
export function hindrance() {
  if (!usable()) {
    const plan = planName(session.organization.plan);
    return h(
      "div.notice.warn",
      {},
      h("h2", {}, t("keys.no_access")),
      h(
        "p",
        {},
        session.organization.features.api_access ? t("keys.not_paid", { plan }) : t("keys.not_in_plan", { plan }),
      ),
      h("p", {}, isOperator() ? t("keys.change_plan_yourself") : t("keys.change_plan")),
      links(),
    );
  }
  if (mayMake()) return null;
  // A guest, or somebody with a custom role, could not even where members may.
  const why = session.user.role === "user" ? t("keys.members_may_not") : t("keys.role_may_not");
  return h("div.notice", {}, h("p", {}, why), h("p.soft", {}, t("keys.ask_administrator")));
}

function links() {
  const link = (url, text) => (url ? h("a", { href: url, target: "_blank", rel: "noreferrer" }, text) : null);
  const shown = [
    isOperator() ? h("a", { href: `#/organizations/${session.organization.id}` }, t("keys.to_subscription")) : null,
    link(instance.pricing_url, t("keys.pricing")),
    link(instance.support_url, t("shell.support")),
  ].filter(Boolean);
  return shown.length > 0 ? h("p.row", {}, shown) : null;
}

/** What the list may be narrowed to: name, label, options. */
function choicesOf(teams) {
  const whose = [
    ["", t("keys.all")],
    ["me", t("keys.mine")],
    ["organization", t("keys.of_organization")],
    ...teams.map((team) => [team.id, t("keys.of_team", { team: team.name })]),
  ];
  // keys.status_active, .status_disabled, .status_not_yet_valid, .status_expired, .status_revoked, .status_all
  const statuses = STATUSES.map((status) => [status, status ? t(`keys.status_${status}`) : t("keys.current")]);
  const only = [
    ["", t("keys.any_use")],
    ["unused", t("keys.unused")],
    ["ending", t("keys.ending")],
  ];
  const sorts = SORTS.map((sort) => [sort === SORTS[0] ? "" : sort, t(`keys.sort_${sort.replace("-", "")}`)]);
  return [
    ["whose", t("keys.whose"), whose],
    ["status", t("keys.status"), statuses],
    ["only", t("keys.use"), only],
    ["sort", t("keys.sort"), sorts],
  ];
}

function filters(chosen, choices, change) {
  const choice = ([name, label, options]) => {
    const onchange = (event) => {
      chosen[name] = event.target.value;
      change(true);
    };
    return field(label, select(name, options, chosen[name], { onchange }));
  };
  let timer;
  const search = h("input", {
    type: "search",
    name: "search",
    maxlength: 100,
    autocomplete: "off",
    value: chosen.search,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        // They may have gone on to another view meanwhile.
        if (!search.isConnected) return;
        chosen.search = search.value.trim();
        change(false);
      }, TYPING_MS);
    },
  });
  return h(
    "div.key-filters",
    { role: "search", "aria-label": t("keys.filters") },
    field(t("keys.search"), search),
    choices.map(choice),
  );
}

/** What the API is asked for. */
function asked({ whose, status, only, sort, search }) {
  const isTeam = whose.startsWith("team_");
  return {
    search,
    status,
    sort,
    owner: whose === "me" ? "me" : null,
    kind: whose === "organization" ? "service" : null,
    team: isTeam ? whose : null,
    used: only === "unused" ? "never" : null,
    expires_within: only === "ending" ? SOON : null,
  };
}

const isFiltered = ({ whose, status, only, search }) => [whose, status, only, search].some((value) => value !== "");

function nothingFound(clear) {
  return h(
    "div.card.empty",
    {},
    h("p", {}, t("keys.nothing_found")),
    h("button", { type: "button", onclick: clear }, t("keys.show_all")),
  );
}

function noneYet() {
  const first = usable() && mayMake() ? h("a.button.primary", { href: "#/keys/new" }, t("keys.make_first")) : null;
  return h("div.card.empty", {}, h("h2", {}, t("keys.none")), h("p.soft", {}, t("keys.what")), first);
}

function row(key, teams) {
  // Somebody else's: that it is there, and no more.
  if (!key.name) {
    const kind = key.kind === "service" ? t("keys.hidden_service") : t("keys.hidden_personal");
    const nothing = () => h("span.soft.none", {}, "–");
    return [h("span.soft", {}, kind), nothing(), nothing(), keyStatus(key), nothing(), nothing()];
  }
  return [
    nameOf(key, rightsTo(key, teams)),
    ownerOf(key),
    mayOf(key),
    statusOf(key),
    lastUseOf(key),
    day(key.created_at),
  ];
}

function nameOf(key, rights) {
  const link = h("a.strong", { href: `#/keys/${key.id}`, dir: "auto" });
  const said = h("span.said-only", {});
  const show = (now) => {
    Object.assign(key, now);
    fill(link, key.name);
    link.title = key.name;
    fill(said, t("keys.rename", { name: key.name }));
  };
  show(key);
  return h(
    "div.named",
    {},
    link,
    rights.label ? pencil(key, link, said, show) : null,
    h("code.below.small.soft", {}, key.hint ?? ""),
  );
}

function pencil(key, link, said, show) {
  const path = `/v1/keys/${key.id}`;
  const save = async (name) => {
    try {
      show(await patch(path, { name }, key.version));
    } catch (problem) {
      if (problem.code !== "version_conflict") throw problem;
      const before = key.name;
      show(await get(path));
      // Where something else of it was changed, nobody's name is written over.
      if (key.name === before) return show(await patch(path, { name }, key.version));
      const fault = { pointer: "/name", code: "named_meanwhile", name: key.name };
      throw new Problem(412, { code: problem.code, errors: [fault] });
    }
  };
  const label = [h("span", { "aria-hidden": "true" }, "✎"), said];
  const button = renameButton({ label, field: t("keys.name"), place: () => link, name: () => key.name, save });
  button.classList.add("quiet", "icon", "small");
  return button;
}

function ownerOf(key) {
  if (key.kind === "service") return t("keys.organization");
  if (key.owner === session.user.id) return t("keys.you");
  return key.owner_name ?? h("span.soft", {}, t("keys.nobody"));
}

function mayOf(key) {
  const teams = key.teams.map((team) => team.name);
  return [
    h("span.words", {}, inFewWords(key.permissions)),
    teams.length > 0 ? h("span.below.small.soft", {}, t("keys.shared_with", { teams: listed(teams) })) : null,
  ];
}

function statusOf(key) {
  const ends = key.expires_at;
  const soon = key.status === "active" && ends && new Date(ends) - Date.now() < SOON_MS;
  const line = ends
    ? t(key.status === "expired" ? "keys.expired_on" : "keys.expires_on", { day: day(ends) })
    : t("keys.no_end");
  return [
    keyStatus(key),
    key.status === "revoked"
      ? null
      : h(`span.below.small${soon ? ".warned" : ".soft"}`, {}, soon ? t("keys.soon", { day: day(ends) }) : line),
  ];
}

function lastUseOf(key) {
  if (!key.last_used) return h("span.soft", {}, t("keys.never_used"));
  return [timeAgo(key.last_used.at), h("code.below.small.soft", {}, key.last_used.ip ?? t("keys.no_address"))];
}
