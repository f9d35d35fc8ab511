// A new key: what it is called, whose it is, the least it needs, how long and from where.

import { all, post } from "../api.js";
import { fill, h } from "../dom.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { networkFields } from "../elements/network-fields.js";
import { permissionMatrix, sentence } from "../elements/permission-matrix.js";
import { field, form, group, radios, select, valueOf } from "../form.js";
import { inSentence } from "../permission-words.js";
import { prefill } from "../prefill.js";
import { showSecret } from "../secret-dialog.js";
import { may, session } from "../state.js";
import { t, words } from "../text.js";
import { hindrance, mayMake } from "./keys.js";

/** The kinds of key, and what making one takes. */
const KINDS = [
  ["personal", "keyhouse:keys:create"],
  ["service", "keyhouse:keys:manage"],
];
/** What the presets stand for, as far as whoever makes the key holds it. */
const PRESETS = { read: ["*:read"], "read-write": ["*:read", "*:write"] };
const TOLD_MAX = 10;

export async function view({ query }) {
  const title = t("new_key.title");
  if (!session.organization.api_access || !mayMake()) return { title, body: hindrance() };
  const [entries, known] = await Promise.all([all("/v1/permissions"), all("/v1/teams")]);
  const teams = known.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  const kinds = KINDS.filter(([, needed]) => may(needed)).map(([kind]) => kind);
  const daysMax = session.organization.key_lifetime_days_max;
  const { values, strange } = prefill(query, { kinds, teams, daysMax });
  const told = query.size > 0 ? fromLink(strange) : null;
  return { title, body: h("div.stack", {}, told, newKeyForm(values, { kinds, entries, teams })) };
}

/** Says that a link filled the form in, and what of it means nothing here. */
function fromLink(strange) {
  return h(
    `div.notice${strange.length > 0 ? ".warn" : ""}`,
    {},
    h("p", {}, t("new_key.from_link")),
    strange.length > 0
      ? [
          h("p", {}, t("new_key.strange", { count: strange.length })),
          h("ul.patterns", {}, strange.slice(0, TOLD_MAX).map((text) => h("li", {}, h("code", {}, text)))),
        ]
      : null,
  );
}

function newKeyForm(values, { kinds, entries, teams }) {
  const kind = kindChoice(kinds, values.kind, () => rights.follow());
  const rights = permissionChoice(values, entries, () => kind.value());
  const expiry = expiryChoice(values.expires);
  const networks = networkFields({ allow: values.networks, deny: [] });
  const shares = teamShares(teams, values.shares);
  const name = h("input", {
    name: "name",
    autocomplete: "off",
    dir: "auto",
    autofocus: true,
    value: values.name ?? proposedName(),
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
    { submit, button: t("new_key.make"), cancel: () => (location.hash = "#/keys") },
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
    folded(t("new_key.from_where"), values.networks.length > 0, networks.element),
    folded(t("new_key.how_often"), false, limitFields([], null)),
    folded(
      t("new_key.more"),
      values.description !== undefined || values.environment !== undefined,
      field(
        t("new_key.description"),
        h("textarea", { name: "description", maxlength: 1000, dir: "auto", value: values.description }),
        { optional: true },
      ),
      field(
        t("new_key.environment"),
        h("input.code", {
          name: "environment",
          maxlength: 16,
          autocomplete: "off",
          value: values.environment ?? "live",
        }),
        { hint: t("new_key.environment_hint") },
      ),
    ),
  );
  element.classList.add("new-key");
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
function kindChoice(kinds, wanted, follow) {
  if (kinds.length === 1) return { element: null, value: () => kinds[0] };
  const choices = [
    ["personal", t("new_key.for_me"), t("new_key.for_me_hint")],
    ["service", t("new_key.for_organization"), t("new_key.for_organization_hint")],
  ];
  const element = group("kind", t("new_key.for_whom"), radios("kind", choices, wanted ?? "personal", follow));
  return { element, value: () => element.querySelector("input:checked").value };
}

/** What the key may do: a word for the usual, or one's own choice. */
function permissionChoice(wanted, entries, kindNow) {
  const matrix = permissionMatrix(entries, wanted.permissions, null);
  const choices = [
    ["read", t("new_key.read"), t("new_key.read_hint")],
    ["read-write", t("new_key.read_write"), t("new_key.read_write_hint")],
    ["role", t("new_key.as_role"), t("new_key.as_role_hint")],
    ["own", t("new_key.own"), t("new_key.own_hint")],
  ];
  const first = wanted.permissions.length > 0 ? "own" : (wanted.preset ?? "read");
  const boxes = radios("preset", choices, first, () => follow());
  const value = () => boxes.map((box) => box.querySelector("input")).find((box) => box.checked).value;
  const shown = h("div", {}, matrix.element);
  const warning = h("p.notice.warn", { role: "status" });
  const sum = sentence(() => {
    if (value() === "role") return inSentence(null);
    return inSentence(value() === "own" ? matrix.permissions() : PRESETS[value()]);
  });
  const element = group(
    "permissions",
    t("new_key.may"),
    h("div.options.four", { "data-field": "preset" }, boxes),
    warning,
    shown,
    sum.element,
  );
  element.addEventListener("input", sum.again);
  const follow = () => {
    const asRole = boxes[2];
    // A key of the organization has no owner whose role it could follow.
    asRole.hidden = kindNow() === "service";
    if (asRole.hidden && value() === "role") boxes[0].querySelector("input").checked = true;
    shown.hidden = value() !== "own";
    warning.hidden = value() !== "role";
    fill(warning, value() === "role" ? t("new_key.as_role_warning") : null);
    sum.again();
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
  if (teams.length === 0) return { element: null, shares: () => [] };
  const options = [
    ["", t("new_key.not_shared")],
    ["read", t("new_key.share_read")],
    ["write", t("new_key.share_write")],
  ];
  const choices = teams.map((team) => {
    const choice = select(`team-${team.id}`, options, wanted.get(team.id) ?? "");
    return { team, choice, element: field(team.name, choice) };
  });
  const element = group(
    "teams",
    t("new_key.teams"),
    h("p.hint", {}, t("new_key.teams_hint")),
    h("div.shares", {}, choices.map((one) => one.element)),
  );
  const isShared = ({ choice }) => choice.value !== "";
  const shares = () => choices.filter(isShared).map(({ team, choice }) => ({ id: team.id, access: choice.value }));
  return { element, shares };
}
