// The form that creates a key.

import { all, post } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { networkFields } from "../elements/network-fields.js";
import { permissionMatrix, sentence } from "../elements/permission-matrix.js";
import { field, form, group, radios, select, valueOf } from "../lib/form.js";
import { keySentence } from "../lib/permission-words.js";
import { prefill } from "../lib/prefill.js";
import { showSecret } from "../key/secret-dialog.js";
import { createsKeys, may, session } from "../lib/state.js";
import { t, words } from "../lib/text.js";
import { creationNotice } from "./keys.js";

/** The kinds of key, each with the permission to create it. */
const KINDS = [
  ["personal", "keyhouse:keys:create"],
  ["service", "keyhouse:keys:manage"],
];
/**
 * The patterns of the presets. The server reduces them to the user's own permissions.
 *
 * @type {Record<string, string[]>}
 */
const PRESETS = { read: ["*:read"], "read-write": ["*:read", "*:write"] };
const SHOWN_MAX = 10;

/** @param {Page.Address} options */
export async function view({ query }) {
  const title = t("new_key.title");
  if (!session.organization.api_access || !createsKeys())
    return { title, body: /** @type {HTMLElement} */ (creationNotice()) };
  const [entries, allTeams] = await Promise.all([all("/v1/permissions"), all("/v1/teams")]);
  const teams = allTeams.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  const kinds = KINDS.filter(([, needed]) => may(needed)).map(([kind]) => kind);
  const daysMax = session.organization.key_lifetime_days_max;
  const { values, ignored } = prefill(query, { kinds, teams, daysMax });
  const linkNotice = query.size > 0 ? fromLink(ignored) : null;
  return { title, body: h("div.stack", {}, linkNotice, newKeyForm(values, { kinds, entries, teams })) };
}

/**
 * A notice that a link filled in the form, with the ignored parts of the link.
 *
 * @param {string[]} ignored
 */
function fromLink(ignored) {
  return h(
    `div.notice${ignored.length > 0 ? ".warn" : ""}`,
    {},
    h("p", {}, t("new_key.from_link")),
    ignored.length > 0
      ? [
          h("p", {}, t("new_key.ignored", { count: ignored.length })),
          h(
            "ul.patterns",
            {},
            ignored.slice(0, SHOWN_MAX).map((text) => h("li", {}, h("code", {}, text))),
          ),
        ]
      : null,
  );
}

/**
 * @param {import("../lib/prefill.js").Prefilled} values
 * @param {{kinds: string[], entries: Api.Permission[], teams: Api.Team[]}} options
 */
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
  const submit = async (/** @type {HTMLFormElement} */ element) => {
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
    { submit, button: t("new_key.save"), cancel: () => (location.hash = "#/keys"), inPage: true },
    card(
      field(
        t("new_key.name"),
        h("div.with-button", {}, name, h("button", { type: "button", onclick: another }, t("new_key.another"))),
        { hint: t("new_key.name_hint") },
      ),
      kind.element,
    ),
    card(rights.element),
    card(expiry.element),
    shares.element ? card(shares.element) : null,
    folded(t("new_key.ip_restrictions"), values.networks.length > 0, networks.element),
    folded(t("new_key.limits"), false, limitFields([], null)),
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
  // Enter in a field would create a key that the user has not looked at yet.
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && /** @type {Element} */ (event.target).matches("input")) event.preventDefault();
  });
  return element;
}

const card = (/** @type {Page.Child[]} */ ...children) => h("section.card.stack", {}, ...children);
const folded = (/** @type {string} */ title, /** @type {boolean} */ open, /** @type {Page.Child[]} */ ...children) =>
  h("details.card", { open }, h("summary", {}, h("h2", {}, title)), h("div.stack", {}, ...children));

/** A readable name, such as "quiet-otter-42". */
function proposedName() {
  const pick = (/** @type {string[]} */ list) => list[Math.floor(Math.random() * list.length)];
  return [
    pick(words("new_key.first_words")),
    pick(words("new_key.second_words")),
    10 + Math.floor(Math.random() * 90),
  ].join("-");
}

/**
 * The choice of the owner, shown only if the user may create both kinds.
 *
 * @param {string[]} kinds
 * @param {string | undefined} wanted
 * @param {() => void} follow
 */
function kindChoice(kinds, wanted, follow) {
  if (kinds.length === 1) return { element: null, value: () => kinds[0] };
  const choices = [
    ["personal", t("new_key.owner_you"), t("new_key.owner_you_hint")],
    ["service", t("new_key.owner_organization"), t("new_key.owner_organization_hint")],
  ];
  const element = group("kind", t("new_key.owner"), radios("kind", choices, wanted ?? "personal", follow));
  return { element, value: () => element.querySelector("input:checked").value };
}

/**
 * The choice of permissions: a preset, full access, or a custom selection.
 *
 * @param {import("../lib/prefill.js").Prefilled} wanted
 * @param {Api.Permission[]} entries
 * @param {() => string} kindNow
 */
function permissionChoice(wanted, entries, kindNow) {
  const matrix = permissionMatrix(entries, wanted.permissions, null);
  const choices = [
    ["read", t("new_key.read"), t("new_key.read_hint")],
    ["read-write", t("new_key.read_write"), t("new_key.read_write_hint")],
    ["role", t("new_key.full_access"), t("new_key.full_access_hint")],
    ["own", t("new_key.custom"), t("new_key.custom_hint")],
  ];
  const first = wanted.permissions.length > 0 ? "own" : (wanted.preset ?? "read");
  const boxes = radios("preset", choices, first, () => follow());
  const value = () => boxes.map((box) => box.querySelector("input")).find((box) => box.checked).value;
  const shown = h("div", {}, matrix.element);
  const warning = h("p.notice.warn", { role: "status" });
  const sum = sentence(() => {
    if (value() === "role") return keySentence(null);
    return keySentence(value() === "own" ? matrix.permissions() : PRESETS[value()]);
  });
  const element = group(
    "permissions",
    t("new_key.permissions"),
    h("div.options.four", { "data-field": "preset" }, boxes),
    warning,
    shown,
    sum.element,
  );
  element.addEventListener("input", sum.update);
  const follow = () => {
    const asRole = boxes[2];
    // A service key has no owner whose role it could follow.
    asRole.hidden = kindNow() === "service";
    if (asRole.hidden && value() === "role") boxes[0].querySelector("input").checked = true;
    shown.hidden = value() !== "own";
    warning.hidden = value() !== "role";
    replaceChildren(warning, value() === "role" ? t("new_key.full_access_warning") : null);
    sum.update();
  };
  follow();
  const fields = () => {
    const chosen = value();
    if (chosen === "role") return {};
    return chosen === "own" ? { permissions: matrix.permissions() } : { preset: chosen };
  };
  return { element, follow, fields };
}

/**
 * @param {Api.Team[]} teams
 * @param {Map<string, string>} wanted
 */
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
    h(
      "div.shares",
      {},
      choices.map((one) => one.element),
    ),
  );
  const isShared = (/** @type {{choice: HTMLSelectElement}} */ { choice }) => choice.value !== "";
  const shares = () => choices.filter(isShared).map(({ team, choice }) => ({ id: team.id, access: choice.value }));
  return { element, shares };
}
