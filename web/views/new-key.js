// A new key: what it is called, whose it is, the least it needs, how long and from where.

import { all, post } from "../api.js";
import { fill, h } from "../dom.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { networkFields } from "../elements/network-fields.js";
import { permissionMatrix } from "../elements/permission-matrix.js";
import { field, form, group, radios, select, valueOf } from "../form.js";
import { showSecret } from "../secret-dialog.js";
import { may, session } from "../state.js";
import { listed, t, words } from "../text.js";
import { hindrance, mayMake } from "./keys.js";

/** What a link may fill in. */
const FROM_LINK = ["name", "description", "permissions", "preset", "kind", "expires", "team", "environment", "ip"];

export async function view({ query }) {
  const title = t("new_key.title");
  if (!session.organization.api_access || !mayMake()) return { title, body: hindrance() };
  const [entries, teams] = await Promise.all([all("/v1/permissions"), all("/v1/teams")]);
  return { title, body: h("div.stack", {}, fromLink(query), newKeyForm(query, entries, teams)) };
}

/** Says that a link filled the form in, and what of it means nothing here. */
function fromLink(query) {
  const given = [...query.keys()];
  if (given.length === 0) return null;
  const strange = given.filter((name) => !FROM_LINK.includes(name));
  return h(
    "div.notice",
    {},
    h("p", {}, t("new_key.from_link")),
    strange.length > 0 ? h("p.small", {}, t("new_key.strange", { names: listed(strange) })) : null,
  );
}

function newKeyForm(query, entries, teams) {
  const kind = kindChoice(query.get("kind"), () => rights.follow());
  const rights = permissionChoice(query, entries, () => kind.value());
  const expiry = expiryChoice((query.get("expires") ?? undefined)?.replace(/^(\d+)d$/, "$1"));
  const networks = networkFields({ allow: itemsIn(query.get("ip")), deny: [] });
  const shares = teamShares(teams, itemsIn(query.get("team")));
  const name = h("input", {
    name: "name",
    maxlength: 256,
    autocomplete: "off",
    dir: "auto",
    autofocus: true,
    value: query.get("name") ?? proposedName(),
  });
  const another = () => {
    name.value = proposedName();
    name.focus();
  };
  const submit = async (element) => {
    const description = valueOf(element, "description").trim();
    const made = await post("/v1/keys", {
      name: name.value,
      ...(description ? { description } : {}),
      kind: kind.value(),
      environment: valueOf(element, "environment"),
      ...rights.fields(),
      ...expiry.fields(),
      teams: shares.shares(),
      ip_rules: networks.rules(),
      ...limitsFrom(element),
    });
    await showSecret(made);
    location.hash = `#/keys/${made.key.id}`;
  };
  const element = form(
    { submit, button: t("new_key.make"), cancel: () => history.back() },
    card(
      h(
        "div.row.joined",
        {},
        field(t("new_key.name"), name, { hint: t("new_key.name_hint") }),
        h("button", { type: "button", onclick: another }, t("new_key.another")),
      ),
      kind.element,
    ),
    card(rights.element),
    card(expiry.element),
    shares.element ? card(shares.element) : null,
    folded(t("new_key.from_where"), query.has("ip"), networks.element),
    folded(t("new_key.how_often"), false, limitFields([], null)),
    folded(
      t("new_key.more"),
      query.has("description") || query.has("environment"),
      field(
        t("new_key.description"),
        h("textarea", { name: "description", maxlength: 1000, dir: "auto", value: query.get("description") ?? "" }),
        { optional: true },
      ),
      field(
        t("new_key.environment"),
        h("input.code", {
          name: "environment",
          maxlength: 16,
          autocomplete: "off",
          value: query.get("environment") ?? "live",
        }),
        { hint: t("new_key.environment_hint") },
      ),
    ),
  );
  element.classList.add("new-key");
  // What is wrong must be seen, also in what is folded away.
  new MutationObserver(() => {
    for (const wrong of element.querySelectorAll("details [aria-invalid]")) wrong.closest("details").open = true;
  }).observe(element, { subtree: true, attributeFilter: ["aria-invalid"] });
  return element;
}

const card = (...children) => h("section.card.stack", {}, ...children);
const folded = (title, open, ...children) =>
  h("details.card", { open }, h("summary", {}, h("h2", {}, title)), h("div.stack", {}, ...children));

/** A readable name, such as "quiet-otter-42". */
function proposedName() {
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  return [
    pick(words("new_key.first_words")),
    pick(words("new_key.second_words")),
    10 + Math.floor(Math.random() * 90),
  ].join("-");
}

/** For whom: asked only of those who may make both kinds. */
function kindChoice(wanted, follow) {
  const personal = may("keyhouse:keys:create");
  const service = may("keyhouse:keys:manage");
  if (!personal || !service) return { element: null, value: () => (personal ? "personal" : "service") };
  const choices = [
    ["personal", t("new_key.for_me"), t("new_key.for_me_hint")],
    ["service", t("new_key.for_organization"), t("new_key.for_organization_hint")],
  ];
  const chosen = wanted === "service" ? "service" : "personal";
  const element = group("kind", t("new_key.for_whom"), radios("kind", choices, chosen, follow));
  return { element, value: () => element.querySelector("input:checked").value };
}

/** What the key may do: a word for the usual, or one's own choice. */
function permissionChoice(query, entries, kindNow) {
  const listedOnes = itemsIn(query.get("permissions"));
  const matrix = permissionMatrix(entries, listedOnes);
  const presets = ["read", "read-write"];
  const wanted = listedOnes.length > 0 ? "own" : presets.includes(query.get("preset")) ? query.get("preset") : "read";
  const choices = [
    ["read", t("new_key.read"), t("new_key.read_hint")],
    ["read-write", t("new_key.read_write"), t("new_key.read_write_hint")],
    ["own", t("new_key.own"), t("new_key.own_hint")],
    ["role", t("new_key.as_role"), t("new_key.as_role_hint")],
  ];
  const boxes = radios("preset", choices, wanted, () => follow());
  const value = () => element.querySelector("input[name=preset]:checked").value;
  const shown = h("div", { hidden: true }, matrix.element);
  const warning = h("p.notice.warn", { role: "status", hidden: true });
  const element = group(
    "permissions",
    t("new_key.may"),
    h("div.options", { "data-field": "preset" }, boxes),
    warning,
    shown,
  );
  const follow = () => {
    const asRole = boxes[3];
    // A key of the organization has no owner whose role it could follow.
    asRole.hidden = kindNow() === "service";
    if (asRole.hidden && value() === "role") boxes[0].querySelector("input").checked = true;
    shown.hidden = value() !== "own";
    warning.hidden = value() !== "role";
    fill(warning, value() === "role" ? t("new_key.as_role_warning") : null);
  };
  follow();
  const fields = () => {
    const chosen = value();
    if (chosen === "role") return {};
    return chosen === "own" ? { permissions: matrix.permissions() } : { preset: chosen };
  };
  return { element, follow, fields };
}

/** With which teams the key is shared. */
function teamShares(teams, wanted) {
  const theirs = teams.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  if (theirs.length === 0) return { element: null, shares: () => [] };
  const options = [
    ["", t("new_key.not_shared")],
    ["read", t("new_key.share_read")],
    ["write", t("new_key.share_write")],
  ];
  const choices = theirs.map((team) => {
    const choice = select(`team-${team.id}`, options, wanted.includes(team.id) ? "read" : "");
    return { team, choice, element: field(team.name, choice) };
  });
  const element = group(
    "teams",
    t("new_key.teams"),
    h("p.hint", {}, t("new_key.teams_hint")),
    h(
      "div.shares",
      {},
      choices.map((one) => one.element),
    ),
  );
  const shares = () =>
    choices
      .filter(({ choice }) => choice.value !== "")
      .map(({ team, choice }) => ({ id: team.id, access: choice.value }));
  return { element, shares };
}

const itemsIn = (text) =>
  (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
