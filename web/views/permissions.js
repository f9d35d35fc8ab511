// The permission catalogue. Operators can edit it.

import { all, patch, post, remove } from "../lib/api.js";
import { confirm, open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { field, form, valueOf } from "../lib/form.js";
import { live } from "../lib/live.js";
import { announce } from "../lib/messages.js";
import { isOperator } from "../lib/state.js";
import { compareNames, LANGUAGES, currentLanguage, t } from "../lib/text.js";

export async function view() {
  const list = await live(async (redraw) => {
    const entries = await all("/v1/permissions");
    const groups = [...new Set(entries.filter((one) => !one.own).map((one) => one.group))].sort(compareNames);
    // Permissions without a group come last, before Keyhouse's own.
    groups.sort((one, other) => Number(one === "") - Number(other === ""));
    const ofGroup = (/** @type {string} */ group) => entries.filter((one) => !one.own && one.group === group);
    const own = entries.filter((one) => one.own);
    const names = [...new Set(entries.map((one) => one.group))].filter((name) => name !== "");
    return [
      h("p.soft", {}, t("permissions.what")),
      groups.length === 0 ? h("div.card.empty", {}, h("p", {}, t("permissions.none"))) : null,
      groups.map((group) => part(group || t("permissions.no_group"), ofGroup(group), names, redraw)),
      part(t("permissions.own"), own, names, redraw, t("permissions.own_hint")),
    ];
  });
  const make = async () => {
    if (await editEntry(null, [])) list.redraw();
  };
  const button = h("button.primary", { type: "button", onclick: make }, t("permissions.new"));
  return { title: t("permissions.title"), actions: isOperator() ? [button] : [], body: list.element };
}

/**
 * @param {string} title
 * @param {Api.Permission[]} entries
 * @param {string[]} groups
 * @param {Page.Redraw} redraw
 * @param {string} [hint]
 */
function part(title, entries, groups, redraw, hint = "") {
  return h(
    "section.card",
    {},
    h("h2", {}, title),
    hint ? h("p.soft.small", {}, hint) : null,
    h(
      "ul.lines",
      {},
      entries.map((entry) => line(entry, groups, redraw)),
    ),
  );
}

/**
 * @param {Api.Permission} entry
 * @param {string[]} groups
 * @param {Page.Redraw} redraw
 */
function line(entry, groups, redraw) {
  const { description } = entry;
  const text = description[currentLanguage()] || description.en || description.fr || description.es;
  return h(
    "li",
    {},
    h("div", {}, h("code.strong", {}, entry.name), text ? h("span.below.soft", {}, text) : null),
    isOperator() && !entry.own ? actions(entry, groups, redraw) : null,
  );
}

/**
 * @param {Api.Permission} entry
 * @param {string[]} groups
 * @param {Page.Redraw} redraw
 */
function actions(entry, groups, redraw) {
  const path = /** @type {const} */ (`/v1/permissions/${entry.name}`);
  const named = (/** @type {string} */ action) => ({
    type: "button",
    "aria-label": t("permissions.of", { action, name: entry.name }),
  });
  const edit = async () => {
    if (await editEntry(entry, groups)) redraw();
  };
  const removeEntry = async () => {
    const words = {
      title: t("permissions.remove_title", { name: entry.name }),
      body: t("permissions.remove_body"),
      button: t("actions.remove"),
      done: t("permissions.removed"),
    };
    if (await confirm(words, () => remove(path, {}, entry.version))) redraw();
  };
  return h(
    "div.row",
    {},
    h("button.quiet", { ...named(t("actions.edit")), onclick: edit }, t("actions.edit")),
    h("button.quiet", { ...named(t("actions.remove")), onclick: removeEntry }, t("actions.remove")),
  );
}

/**
 * @param {Api.Permission | null} entry
 * @param {string[]} groups
 */
function editEntry(entry, groups) {
  return open(entry ? entry.name : t("permissions.new"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      /** @type {Record<string, string>} */
      const description = {};
      for (const language of Object.keys(LANGUAGES)) description[language] = valueOf(element, language);
      const body = { group: valueOf(element, "group"), description };
      if (entry) await patch(`/v1/permissions/${entry.name}`, body, entry.version);
      else await post("/v1/permissions", { name: valueOf(element, "name").trim(), ...body });
      announce(t("permissions.saved"));
      close(true);
    };
    const name = h("input.code", { name: "name", autocomplete: "off", spellcheck: "false", required: true });
    const groupInput = h("input", { name: "group", value: entry?.group, autocomplete: "off", list: "groups" });
    const descriptionField = (/** @type {[string, string]} */ [language, label]) =>
      field(
        t("permissions.description", { language: label }),
        h("input", {
          name: language,
          value: entry?.description[/** @type {Page.Language} */ (language)],
          lang: language,
          autocomplete: "off",
        }),
        { optional: true },
      );
    return form(
      { submit, button: entry ? t("actions.save") : t("permissions.create"), cancel: () => close() },
      entry ? null : field(t("permissions.name"), name, { hint: t("permissions.name_hint") }),
      field(t("permissions.group"), groupInput, { optional: true }),
      h(
        "datalist",
        { id: "groups" },
        groups.map((one) => h("option", { value: one })),
      ),
      Object.entries(LANGUAGES).map(descriptionField),
    );
  });
}
