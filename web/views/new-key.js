// The form that creates a key, with a summary of the key beside it.

import { all, HOME, post } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { copyButton } from "../elements/copy-button.js";
import { expiryChoice } from "../elements/expiry-choice.js";
import { limitFields, limitsFrom } from "../elements/limit-fields.js";
import { quotaText, rateText } from "../elements/limit-words.js";
import { networkFields } from "../elements/network-fields.js";
import { loadCatalogue } from "../elements/permission-matrix.js";
import { field, form, group, radios, valueOf } from "../lib/form.js";
import { iconButton } from "../lib/icon.js";
import { linkQuery, prefill } from "../lib/prefill.js";
import { showSecret } from "../key/secret-dialog.js";
import { permissionChoice } from "../create/permissions.js";
import { summaryOf } from "../create/summary.js";
import { teamShares } from "../create/teams.js";
import { createsKeys, may, session } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { formatList, loadTexts, t, words } from "../lib/text.js";
import { creationNotice } from "./keys.js";

/** @typedef {import("../lib/prefill.js").Prefilled} Prefilled */

/** The kinds of key, each with the permission to create it. */
const KINDS = [
  ["personal", "keyhouse:keys:create"],
  ["service", "keyhouse:keys:manage"],
];
const SHOWN_MAX = 10;
const USUAL_ENVIRONMENT = "live";

/** @param {Page.Address} options */
export async function view({ query }) {
  if (!session.organization.api_access || !createsKeys()) {
    await loadTexts("new-key");
    return { title: t("new_key.title"), body: /** @type {HTMLElement} */ (creationNotice()) };
  }
  const [entries, allTeams] = await Promise.all([
    loadCatalogue(),
    all("/v1/teams"),
    loadStyles("new-key"),
    loadTexts("new-key"),
  ]);
  const teams = allTeams.filter((team) => team.is_member || may("keyhouse:teams:manage"));
  const kinds = KINDS.filter(([, needed]) => may(needed)).map(([kind]) => kind);
  const daysMax = session.organization.key_lifetime_days_max;
  const { values, ignored } = prefill(query, { kinds, teams, daysMax });
  const linkNotice = query.size > 0 ? fromLink(ignored) : null;
  const body = h("div.stack", {}, linkNotice, newKeyForm(values, { kinds, entries, teams }));
  return { title: t("new_key.title"), body };
}

/**
 * A notice that a link filled in the form, with the ignored parts of the link.
 *
 * @param {string[]} ignored
 */
function fromLink(ignored) {
  const list = ignored.slice(0, SHOWN_MAX).map((text) => h("li", {}, h("code", {}, text)));
  return h(
    `div.notice${ignored.length > 0 ? ".warn" : ""}`,
    {},
    h("p", {}, t("new_key.from_link")),
    ignored.length > 0
      ? [h("p", {}, t("new_key.ignored", { count: ignored.length })), h("ul.patterns", {}, list)]
      : null,
  );
}

/**
 * @param {Prefilled} values
 * @param {{kinds: string[], entries: Api.Permission[], teams: Api.Team[]}} options
 */
function newKeyForm(values, { kinds, entries, teams }) {
  const name = nameField(values.name);
  const kind = kindChoice(kinds, values.kind, () => rights.follow());
  const rights = permissionChoice(values, entries, () => kind.value());
  const expiry = expiryChoice(values.expires);
  const networks = networkFields({ allow: values.networks, deny: values.denied });
  const shares = teamShares(teams, values.shares);
  /** @returns {string} */
  const environment = () => valueOf(element, "environment");
  const submit = async () => {
    const description = valueOf(element, "description").trim();
    const made = await post("/v1/keys", {
      name: name.input.value,
      ...(description ? { description } : {}),
      kind: kind.value(),
      environment: environment(),
      ...rights.fields(),
      ...expiry.fields(),
      teams: shares.shares(),
      ip_rules: networks.rules(),
      ...limitsFrom(element),
    });
    // Not awaited: the request is done, and the button behind the dialog is ready again.
    created(made);
  };
  const created = async (/** @type {{key: Api.Key, secret: string}} */ made) => {
    if (await showSecret(made, { canRepeat: true })) name.another();
    // Back leads to the list, and not to a form whose key exists.
    else location.replace(`#/keys/${made.key.id}`);
  };
  const parts = [
    folded(
      t("new_key.ip_restrictions"),
      values.networks.length + values.denied.length > 0,
      () => networkText(networks.rules()),
      networks.element,
    ),
    folded(t("new_key.limits"), false, () => limitText(element), limitFields([], null)),
    folded(
      t("new_key.more"),
      values.description !== undefined || values.environment !== undefined,
      environment,
      ...moreFields(values),
    ),
  ];
  const element = form(
    { submit, button: t("new_key.save"), cancel: () => (location.hash = "#/keys"), inPage: true },
    h(
      "div.card.form-parts",
      {},
      h("div.stack", {}, name.element, kind.element),
      rights.element,
      expiry.element,
      shares.element,
      parts.map((part) => part.element),
    ),
  );
  const sum = summaryOf(() => name.input.value, rights.permissions, [
    { label: t("new_key.owner"), text: kind.inWords },
    { label: t("expiry.title"), text: expiry.inWords },
    { label: t("new_key.teams"), text: () => formatList(shares.names()) || t("new_key.not_shared") },
    { label: t("new_key.ip_restrictions"), text: () => networkText(networks.rules()) },
    { label: t("key.limits"), text: () => limitText(element) },
    { label: t("new_key.environment"), text: environment },
  ]);
  const link = () => {
    const [{ allow, deny }, description] = [networks.rules(), valueOf(element, "description").trim()];
    return linkTo({
      ...rights.linked(),
      kind: kind.value(),
      expires: expiry.linked(),
      networks: allow,
      denied: deny,
      shares: new Map(shares.shares().map(({ id, access }) => [id, access])),
      ...(description ? { description } : {}),
      ...(environment() === USUAL_ENVIRONMENT ? {} : { environment: environment() }),
    });
  };
  asColumns(element, sum.element, linkButton(link));
  followChanges(element, () => {
    sum.update();
    for (const part of parts) part.update();
  });
  return element;
}

/**
 * Moves the buttons and the notice of a problem into the column of the summary.
 *
 * @param {HTMLFormElement} element
 * @param {Element} summary
 * @param {Page.Child} more
 */
function asColumns(element, summary, more) {
  element.classList.add("new-key");
  const [fields, buttons] = element.children;
  const aside = h("div.beside", {}, summary, fields.querySelector(":scope > .trouble"), buttons, more);
  element.append(aside);
}

/**
 * @param {HTMLFormElement} element
 * @param {() => void} update
 */
function followChanges(element, update) {
  // A click may add or remove a limit.
  for (const event of ["input", "change", "click"]) element.addEventListener(event, update);
  // Enter in a field would create a key that the user has not looked at yet.
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && /** @type {Element} */ (event.target).matches("input")) event.preventDefault();
  });
  update();
}

/**
 * The field of the name, with a button that proposes another one.
 *
 * @param {string | undefined} value
 */
function nameField(value) {
  const input = h("input", {
    name: "name",
    autocomplete: "off",
    dir: "auto",
    autofocus: true,
    value: value ?? proposedName(),
  });
  const another = () => {
    input.value = proposedName();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
    input.select();
  };
  const button = iconButton("rotate", t("new_key.another"), { onclick: another });
  const element = field(t("new_key.name"), h("div.inset", {}, input, button), { hint: t("new_key.name_hint") });
  return { element, input, another };
}

/** @param {Prefilled} values */
function moreFields({ description, environment = USUAL_ENVIRONMENT }) {
  const attributes = { name: "environment", maxlength: 16, autocomplete: "off", value: environment };
  return [
    field(
      t("new_key.description"),
      h("textarea", { name: "description", maxlength: 1000, rows: 2, dir: "auto", value: description }),
      { optional: true },
    ),
    field(t("new_key.environment"), h("input.code.short", attributes), { hint: t("new_key.environment_hint") }),
  ];
}

/**
 * A part of the form that can be folded. Its title shows its value.
 *
 * @param {string} title
 * @param {boolean} open
 * @param {() => string} text
 * @param {...Page.Child} children
 */
function folded(title, open, text, ...children) {
  // The summary beside the form says the same.
  const value = h("span.folded-value", { "aria-hidden": "true", dir: "auto" });
  const element = h(
    "details.folded",
    { open },
    h("summary", {}, h("span.strong", {}, title), value),
    h("div.stack", {}, children),
  );
  return { element, update: () => replaceChildren(value, text()) };
}

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
  /** @type {Record<string, string>} */
  const names = { personal: t("new_key.owner_you"), service: t("new_key.owner_organization") };
  if (kinds.length === 1) return { element: null, value: () => kinds[0], inWords: () => names[kinds[0]] };
  const hint = h("p.hint", { role: "status" });
  const show = () =>
    replaceChildren(hint, value() === "service" ? t("new_key.owner_organization_hint") : t("new_key.owner_you_hint"));
  const change = () => {
    show();
    follow();
  };
  const boxes = radios("kind", Object.entries(names), wanted ?? "personal", change);
  const element = group("kind", t("new_key.owner"), h("div.segmented", {}, boxes), hint);
  /** @returns {string} */
  const value = () => element.querySelector("input:checked").value;
  show();
  return { element, value, inWords: () => names[value()] };
}

/** @param {Page.Networks} rules */
function networkText({ allow, deny }) {
  const all = [...allow, ...deny.map((network) => t("new_key.denied", { network }))];
  return all.length > 0 ? formatList(all) : t("new_key.any_address");
}

/** @param {HTMLFormElement} element */
function limitText(element) {
  const { rate_limits, quota } = limitsFrom(element);
  const whole = rate_limits.filter(({ limit, window_seconds }) => limit && window_seconds);
  const texts = whole.map((rate) => rateText(/** @type {Api.RateLimit} */ (rate)));
  if (quota?.limit) texts.push(quotaText(/** @type {Api.Quota} */ (quota)));
  return texts.length > 0 ? formatList(texts) : t("new_key.no_limits");
}

/** @param {Prefilled} values */
function linkTo(values) {
  const url = new URL(HOME);
  url.hash = `/keys/new?${linkQuery(values)}`;
  return url.href;
}

/**
 * The button that copies a link to the form with its values.
 *
 * @param {() => string} link
 */
function linkButton(link) {
  const shown = h("p.code.one-time", { tabindex: "-1", hidden: true });
  const reveal = () => {
    shown.hidden = false;
    return replaceChildren(shown, link());
  };
  const button = copyButton(link, reveal, t("new_key.copy_link"));
  return h("div.form-link", {}, h("p.hint", {}, t("new_key.copy_link_hint")), button, shown);
}
