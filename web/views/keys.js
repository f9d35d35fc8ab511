// The keys: which there are, what they may do, when and from where they were last used.

import { all, patch } from "../api.js";
import { h } from "../dom.js";
import { copyButton } from "../elements/copy-button.js";
import { keyStatus } from "../elements/key-status.js";
import { renameButton } from "../elements/rename.js";
import { timeAgo } from "../elements/time-ago.js";
import { field, select } from "../form.js";
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
  const teams = await all("/v1/teams");
  const chosen = Object.fromEntries(
    ["whose", "status", "only", "sort", "search"].map((name) => [name, query.get(name) ?? ""]),
  );
  const columns = [
    t("keys.name"),
    t("keys.owner"),
    t("keys.may"),
    t("keys.status"),
    t("keys.last_used"),
    t("keys.created"),
  ];
  const rowsOf = (items) => items.map(row);
  const keys = list("/v1/keys", {
    query: asked(chosen),
    pageItems: PAGE_KEYS,
    show: (items) => h("div.card.flush.keys", {}, table(t("keys.title"), columns, rowsOf(items))),
    more: (card, items) => addRows(card.querySelector("table"), columns, rowsOf(items))?.querySelector("a"),
    empty: () => (isFiltered(chosen) ? nothingFound(clear) : noneYet()),
  });
  const change = () => {
    const said = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== ""));
    history.replaceState(null, "", said.size > 0 ? `#/keys?${said}` : "#/keys");
    keys.reload(asked(chosen));
  };
  const clear = () => {
    location.hash = "#/keys";
  };
  const actions = usable() && mayMake() ? [h("a.button.primary", { href: "#/keys/new" }, t("keys.new"))] : [];
  const body = h("div.stack", {}, endpoint(), hindrance(), filters(chosen, teams, change), keys.element);
  return { title: t("keys.title"), actions, body };
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

function filters(chosen, teams, change) {
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
  const choice = (name, label, options) => {
    const onchange = (event) => {
      chosen[name] = event.target.value;
      change();
    };
    return field(label, select(name, options, chosen[name], { onchange }));
  };
  let timer;
  const oninput = (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      chosen.search = event.target.value.trim();
      change();
    }, TYPING_MS);
  };
  const search = h("input", {
    type: "search",
    name: "search",
    maxlength: 100,
    autocomplete: "off",
    value: chosen.search,
    oninput,
  });
  return h(
    "div.choosing",
    { role: "search", "aria-label": t("keys.filters") },
    field(t("keys.search"), search),
    choice("whose", t("keys.whose"), whose),
    choice("status", t("keys.status"), statuses),
    choice("only", t("keys.use"), only),
    choice("sort", t("keys.sort"), sorts),
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

function row(key) {
  // Somebody else's: that it is there, and no more.
  if (!key.name) {
    const kind = key.kind === "service" ? t("keys.hidden_service") : t("keys.hidden_personal");
    return [
      h("span.soft", {}, kind),
      h("span.soft", {}, "–"),
      h("span.soft", {}, "–"),
      keyStatus(key),
      h("span.soft", {}, "–"),
      h("span.soft", {}, "–"),
    ];
  }
  return [nameOf(key), ownerOf(key), mayOf(key), statusOf(key), lastUseOf(key), day(key.created_at)];
}

function nameOf(key) {
  const link = h("a.strong", { href: `#/keys/${key.id}`, dir: "auto", title: key.name }, key.name);
  const cell = h(
    "div.named",
    {},
    link,
    key.status === "revoked" ? null : pencil(key, link),
    h("code.below.small.soft", {}, key.hint ?? ""),
  );
  return cell;
}

function pencil(key, link) {
  const label = [
    h("span", { "aria-hidden": "true" }, "✎"),
    h("span.said-only", {}, t("keys.rename", { name: key.name })),
  ];
  const save = async (name) => {
    const changed = await patch(`/v1/keys/${key.id}`, { name }, key.version);
    Object.assign(key, changed);
    link.textContent = key.name;
  };
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
