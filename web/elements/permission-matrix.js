// The catalogue of permissions as a matrix to tick: a row a resource, a box an action, and room for
// patterns that no box stands for.

import { fill, freshId, h } from "../dom.js";
import { field } from "../form.js";
import { inSentence } from "../permission-words.js";
import { may } from "../state.js";
import { inOrder, spoken, t } from "../text.js";

const SENTENCE_MS = 300;

/**
 * The matrix over `entries` (`GET /v1/permissions`), with these patterns chosen. Returns
 * `{element, permissions}`; `permissions()` is the list as it is chosen now.
 */
export function permissionMatrix(entries, chosen) {
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
  const sentence = h("p.sentence", { role: "status" });
  const permissions = () => {
    const typed = other.value.split(/[\s,]+/).filter((text) => text !== "");
    return [...new Set([...rows, ...ownRows].flatMap((one) => one.chosen()).concat(typed))];
  };
  let timer;
  const sum = () => {
    clearTimeout(timer);
    timer = setTimeout(() => fill(sentence, inSentence(permissions())), SENTENCE_MS);
  };
  fill(sentence, inSentence(permissions()));
  const nothing = h("p.soft", { hidden: true }, t("matrix.none_found"));
  const search = h("input", { type: "search", name: "find", autocomplete: "off" });
  search.addEventListener("input", (event) => {
    // What is looked for is not chosen yet.
    event.stopPropagation();
    const needle = search.value.trim().toLowerCase();
    for (const one of rows) one.element.hidden = !one.text.includes(needle);
    nothing.hidden = rows.some((one) => !one.element.hidden);
  });
  const element = h(
    "div.matrix.stack",
    { oninput: sum },
    rows.length > 0 ? field(t("matrix.find"), search) : h("p.soft", {}, t("matrix.empty")),
    h(
      "div.resources",
      {},
      rows.map((one) => one.element),
      nothing,
    ),
    field(t("matrix.typed"), other, { hint: t("matrix.typed_hint"), optional: true }),
    ownRows.length > 0
      ? h(
          "details",
          { open: ownRows.some((one) => one.chosen().length > 0) },
          h("summary", {}, t("matrix.own")),
          h("p.hint", {}, t("matrix.own_hint")),
          h(
            "div.resources",
            {},
            ownRows.map((one) => one.element),
          ),
        )
      : null,
    sentence,
  );
  return { element, permissions };
}

/** `[{resource, group, entries}]`, in order of group and name. */
function resourcesOf(entries) {
  const found = new Map();
  for (const entry of entries) {
    const resource = entry.name.slice(0, entry.name.lastIndexOf(":"));
    if (!found.has(resource)) found.set(resource, { resource, group: entry.group, entries: [] });
    found.get(resource).entries.push(entry);
  }
  const inGroups = (one, other) => inOrder(one.group, other.group) || inOrder(one.resource, other.resource);
  return [...found.values()].sort(inGroups);
}

/** One resource: its boxes, and a box for all of it, which ticks and locks the others. */
function row({ resource, group, entries }, rest, hasWhole) {
  const whole = `${resource}:*`;
  const boxes = entries.map((entry) => {
    const about = entry.description[spoken()] || entry.description.en;
    const made = tick(entry.name, entry.name.slice(resource.length + 1), about, rest.delete(entry.name));
    return { name: entry.name, about, ...made };
  });
  const all = hasWhole ? tick(whole, t("matrix.all"), null, rest.delete(whole)) : null;
  const lock = () => {
    for (const { box } of boxes) {
      box.disabled = all.box.checked;
      if (all.box.checked) box.checked = true;
    }
  };
  if (all) {
    all.box.addEventListener("change", lock);
    if (all.box.checked) lock();
  }
  const element = h(
    "fieldset.resource",
    {},
    h("legend", {}, h("code", {}, resource), group ? h("span.small.soft", {}, ` ${group}`) : null),
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
    text: words.join(" ").toLowerCase(),
    chosen: () => {
      if (all?.box.checked) return [whole];
      return boxes.filter(({ box }) => box.checked).map(({ name }) => name);
    },
  };
}

function tick(name, label, about, checked) {
  const box = h("input", { type: "checkbox", id: freshId("may"), "aria-label": name, checked, title: about });
  const element = h("label.tick", { for: box.id }, box, h("span", {}, label), about ? h("span.hint", {}, about) : null);
  return { box, element };
}
