// The permission catalogue as a list: a section for each group, a row for each resource, and a field for other
// patterns. A row has one control, from none to all.

import { all } from "../lib/api.js";
import { replaceChildren, freshId, h } from "../lib/dom.js";
import { field } from "../lib/form.js";
import { keySentence } from "../lib/permission-words.js";
import { covers } from "../lib/roles.js";
import { may } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { compareNames, normalizedForSearch, t } from "../lib/text.js";
import { levelControl, resourceRow } from "./resource-row.js";

const SENTENCE_MS = 300;
/** With more resources, only the sections with a selection are open. */
const OPEN_RESOURCES_MAX = 12;
/** Permissions without an effect. */
const RESERVED = ["keyhouse:subscription:manage", "keyhouse:audit:manage", "keyhouse:usage:manage"];

/** @typedef {ReturnType<typeof resourceRow>} Row */

/** Loads the catalogue and the style sheet of its list. */
export async function loadCatalogue() {
  const [entries] = await Promise.all([all("/v1/permissions"), loadStyles("permissions")]);
  return entries;
}

/**
 * The list of `entries` (`GET /v1/permissions`) with the patterns `chosen`. `inWords` describes the selection in a
 * sentence; `null` omits the sentence. `permissions()` returns the selection, `set(patterns)` replaces it.
 *
 * @param {Api.Permission[]} entries
 * @param {string[]} chosen
 * @param {((permissions: string[]) => string) | null} [inWords]
 */
export function permissionMatrix(entries, chosen, inWords = keySentence) {
  const resources = resourcesOf(entries.filter((entry) => !entry.own));
  const isOffered = (/** @type {Api.Permission} */ { own, name }) => own && may(name) && !RESERVED.includes(name);
  const sections = sectionsOf(resources);
  const own = section(t("matrix.own"), resourcesOf(entries.filter(isOffered)), false, t("matrix.own_hint"));
  const rows = [...sections, own].flatMap((one) => one.rows);
  const other = h("textarea.code", { name: "other", rows: 2, spellcheck: "false", autocomplete: "off" });
  const typed = () => other.value.split(/[\s,]+/).filter((text) => text !== "");
  const permissions = () => [...new Set(rows.flatMap((row) => row.chosen()).concat(typed()))];
  const set = (/** @type {string[]} */ patterns) => {
    const rest = new Set(patterns);
    for (const row of rows) row.take(rest);
    other.value = [...rest].join("\n");
    for (const one of [...sections, own]) one.update();
  };
  set(chosen);
  sections.forEach((one, at) => {
    one.element.open = at === 0 || resources.length <= OPEN_RESOURCES_MAX || one.rows.some((row) => row.isChosen());
  });
  own.element.open = own.rows.some((row) => row.isChosen());
  const sum = inWords ? sentence(() => inWords(permissions())) : null;
  const element = h(
    "div.matrix",
    { oninput: sum?.update },
    resources.length > 0 ? search([...sections, own]) : h("p.soft", {}, t("matrix.empty")),
    h(
      "div.permission-list",
      {},
      sections.map((one) => one.element),
      own.rows.length > 0 ? own.element : null,
      h(
        "details.permission-group",
        { open: resources.length === 0 || other.value !== "" },
        h("summary", {}, t("matrix.patterns")),
        h("div.resource", {}, field(t("matrix.typed"), other, { hint: t("matrix.typed_hint"), optional: true })),
      ),
    ),
    sum?.element,
  );
  return { element, permissions, set };
}

/**
 * The permissions of `entries` that the patterns cover, and the patterns that cover none. `*:read` covers all
 * permissions to read, as in a preset.
 *
 * @param {string[]} patterns
 * @param {Api.Permission[]} entries
 */
export function expanded(patterns, entries) {
  const names = entries.filter(({ own }) => !own).map(({ name }) => name);
  return patterns.flatMap((pattern) => {
    const action = /^\*(:[^:*]+)$/.exec(pattern)?.[1];
    const covered = names.filter((name) => (action ? name.endsWith(action) : covers(pattern, name)));
    return covered.length > 0 ? covered : [pattern];
  });
}

/**
 * A sentence that is updated after a short pause in the input: `{element, update}`.
 *
 * @param {() => string} words
 */
export function sentence(words) {
  const element = h("p.sentence", { role: "status" }, words());
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const update = () => {
    clearTimeout(timer);
    timer = setTimeout(() => replaceChildren(element, words()), SENTENCE_MS);
  };
  return { element, update };
}

/**
 * The field that hides the resources without a text.
 *
 * @param {ReturnType<typeof section>[]} sections
 */
function search(sections) {
  const nothing = h("p.soft", { hidden: true }, t("matrix.none_found"));
  const find = () => {
    const needle = normalizedForSearch(input.value.trim());
    const counts = sections.map((one) => one.find(needle));
    nothing.hidden = counts.some((count) => count > 0);
  };
  const input = h("input", {
    type: "search",
    name: "find",
    autocomplete: "off",
    // The search does not change the selection.
    oninput: (event) => {
      event.stopPropagation();
      find();
    },
    // Enter in the search field must not submit the form.
    onkeydown: (event) => {
      if (event.key === "Enter") event.preventDefault();
    },
  });
  return h("div.stack.tight", {}, field(t("matrix.find"), input), nothing);
}

/**
 * `[{resource, group, entries}]`, ordered by group and name. Resources without a group are last.
 *
 * @param {Api.Permission[]} entries
 */
function resourcesOf(entries) {
  const found = new Map();
  for (const entry of entries) {
    const resource = entry.name.slice(0, entry.name.lastIndexOf(":"));
    if (!found.has(resource)) found.set(resource, { resource, group: entry.group, entries: [] });
    found.get(resource).entries.push(entry);
  }
  const inGroups = (/** @type {Page.Resource} */ one, /** @type {Page.Resource} */ other) =>
    Number(one.group === "") - Number(other.group === "") ||
    compareNames(one.group, other.group) ||
    compareNames(one.resource, other.resource);
  return [...found.values()].sort(inGroups);
}

/** @param {Page.Resource[]} resources */
function sectionsOf(resources) {
  const groups = [...new Set(resources.map(({ group }) => group))];
  return groups.map((name) => {
    const members = resources.filter(({ group }) => group === name);
    return section(name || t("matrix.ungrouped"), members, true);
  });
}

/**
 * The section of a group: how many of its resources are chosen, one control for all of them, and their rows.
 *
 * @param {string} title
 * @param {Page.Resource[]} resources
 * @param {boolean} hasWildcard
 * @param {string} [hint]
 */
function section(title, resources, hasWildcard, hint) {
  const count = h("span.group-count", {});
  const rows = resources.map((resource) => resourceRow(resource, hasWildcard, () => update()));
  const whole = hasWildcard && rows.length > 1 ? wholeRow(title, rows, () => update()) : null;
  const update = () => {
    const chosen = rows.filter((row) => row.isChosen()).length;
    replaceChildren(count, t("matrix.chosen", { count: chosen, total: rows.length }));
    count.classList.toggle("some", chosen > 0);
    whole?.update();
  };
  const element = h(
    "details.permission-group",
    {},
    h("summary", {}, h("span", { dir: "auto" }, title), " ", count),
    hint ? h("p.hint.resource", {}, hint) : null,
    whole?.element,
    rows.map((row) => row.element),
  );
  /** Shows the rows that contain a text, and returns their number. */
  const find = (/** @type {string} */ needle) => {
    for (const row of rows) row.element.hidden = !row.text.includes(needle);
    const found = rows.filter((row) => !row.element.hidden).length;
    element.hidden = found === 0;
    // A search opens the sections with results, and closes none.
    if (needle !== "" && found > 0) element.open = true;
    if (whole) whole.element.hidden = needle !== "";
    return found;
  };
  update();
  return { element, rows, update, find };
}

/**
 * The row that sets all rows of a group. No choice is checked while the rows differ.
 *
 * @param {string} group
 * @param {Row[]} rows
 * @param {() => void} onchange
 */
function wholeRow(group, rows, onchange) {
  const id = freshId("group");
  const levels = ["none", "read", "read_write", "all"];
  const control = levelControl(levels, id, () => {
    for (const row of rows) row.set(row.nearest(control.level()));
    onchange();
  });
  const update = () => control.set(levels.find((level) => rows.every((row) => row.level() === row.nearest(level))));
  const element = h(
    "div.resource.whole",
    {},
    h("div.resource-name", {}, h("span", { id }, t("matrix.whole_group", { group }))),
    control.element,
  );
  return { element, update };
}
