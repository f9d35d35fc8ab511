// The permission catalogue as a matrix of checkboxes: one row per resource, one checkbox per action, and a field
// for other patterns.

import { replaceChildren, freshId, h } from "../lib/dom.js";
import { field } from "../lib/form.js";
import { keySentence } from "../lib/permission-words.js";
import { may } from "../lib/state.js";
import { compareNames, normalizedForSearch, currentLanguage, t } from "../lib/text.js";

const SENTENCE_MS = 300;

/**
 * The matrix of `entries` (`GET /v1/permissions`) with the patterns `chosen`. `inWords` describes the selection in a
 * sentence; `null` omits the sentence. Returns `{element, permissions}`; `permissions()` returns the selection.
 *
 * @param {Api.Permission[]} entries
 * @param {string[]} chosen
 * @param {((permissions: string[]) => string) | null} [inWords]
 */
export function permissionMatrix(entries, chosen, inWords = keySentence) {
  const rest = new Set(chosen);
  const resources = resourcesOf(entries.filter((entry) => !entry.own));
  const own = resourcesOf(entries.filter((entry) => entry.own && may(entry.name)));
  const rows = resources.map((resource) => row(resource, rest, true));
  const ownRows = own.map((resource) => row(resource, rest, false));
  const other = h("textarea.code", {
    name: "other",
    rows: 3,
    spellcheck: "false",
    autocomplete: "off",
    value: [...rest].join("\n"),
  });
  const permissions = () => {
    const typed = other.value.split(/[\s,]+/).filter((text) => text !== "");
    return [...new Set([...rows, ...ownRows].flatMap((one) => one.chosen()).concat(typed))];
  };
  const sum = inWords ? sentence(() => inWords(permissions())) : null;
  const nothing = h("p.soft", { hidden: true }, t("matrix.none_found"));
  const find = () => {
    const needle = normalizedForSearch(search.value.trim());
    for (const one of [...rows, ...ownRows]) one.element.hidden = !one.text.includes(needle);
    const isFound = (/** @type {{element: HTMLElement}[]} */ list) => list.some((one) => !one.element.hidden);
    nothing.hidden = isFound(rows) || isFound(ownRows);
    // If only Keyhouse's own permissions match, open their section. A search never closes it.
    if (needle !== "" && !isFound(rows) && isFound(ownRows)) management.open = true;
  };
  const search = h("input", {
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
  const management = h(
    "details",
    { open: ownRows.some((one) => one.chosen().length > 0) },
    h("summary", {}, t("matrix.own")),
    h("p.hint", {}, t("matrix.own_hint")),
    h(
      "div.resources",
      {},
      ownRows.map((one) => one.element),
    ),
  );
  const element = h(
    "div.matrix.stack",
    { oninput: sum?.update },
    rows.length > 0 ? field(t("matrix.find"), search) : h("p.soft", {}, t("matrix.empty")),
    h(
      "div.resources",
      {},
      rows.map((one) => one.element),
    ),
    nothing,
    field(t("matrix.typed"), other, { hint: t("matrix.typed_hint"), optional: true }),
    ownRows.length > 0 ? management : null,
    sum?.element,
  );
  return { element, permissions };
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
 * `[{resource, group, entries}]`, ordered by group and name.
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
    compareNames(one.group, other.group) || compareNames(one.resource, other.resource);
  return [...found.values()].sort(inGroups);
}

/**
 * The row of one resource. Its checkbox for all actions checks and locks the others.
 *
 * @param {Page.Resource} options
 * @param {Set<string>} rest
 * @param {boolean} hasWhole
 */
function row({ resource, group, entries }, rest, hasWhole) {
  const whole = `${resource}:*`;
  const boxes = entries.map((entry) => {
    const about = entry.description[currentLanguage()] || entry.description.en;
    const made = tick(entry.name, entry.name.slice(resource.length + 1), about, rest.delete(entry.name));
    return { name: entry.name, about, ...made };
  });
  const all = hasWhole ? tick(t("matrix.all_of", { resource }), t("matrix.all"), null, rest.delete(whole)) : null;
  const lock = () => {
    if (!all) return;
    for (const { box } of boxes) {
      box.disabled = all.box.checked;
      if (all.box.checked) box.checked = true;
    }
  };
  if (all) {
    all.box.addEventListener("change", lock);
    if (all.box.checked) lock();
  }
  const isNews = group && group.toLowerCase() !== resource.split(":")[0].toLowerCase();
  const element = h(
    "fieldset.resource",
    {},
    h("legend", {}, h("code", {}, resource), isNews ? h("span.small.soft", {}, ` ${group}`) : null),
    h(
      "div.ticks",
      {},
      all?.element,
      boxes.map((one) => one.element),
    ),
  );
  const words = [resource, group, ...boxes.flatMap((one) => [one.name, one.about])];
  return {
    element,
    text: normalizedForSearch(words.join(" ")),
    chosen: () => {
      if (all?.box.checked) return [whole];
      return boxes.filter(({ box }) => box.checked).map(({ name }) => name);
    },
  };
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string | null} about
 * @param {boolean} checked
 */
function tick(name, label, about, checked) {
  const box = h("input", { type: "checkbox", id: freshId("may"), "aria-label": name, checked, title: about });
  const element = h("label.tick", { for: box.id }, box, h("span", {}, label), about ? h("span.hint", {}, about) : null);
  return { box, element };
}
