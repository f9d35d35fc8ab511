// What a new key will be: a list beside the form that follows every change of the form.

import { replaceChildren, freshId, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { keySentence } from "../lib/permission-words.js";
import { t } from "../lib/text.js";
import { sentence } from "../elements/permission-matrix.js";

/** @typedef {{label: string, text: () => string}} Line */

/**
 * `name()` is the name of the key, `permissions()` are its patterns, or `null` for those of its owner, and `lines` are
 * its other properties.
 *
 * @param {() => string} name
 * @param {() => string[] | null} permissions
 * @param {Line[]} lines
 */
export function summaryOf(name, permissions, lines) {
  const heading = h("h2", { id: freshId("summary") }, t("new_key.summary"));
  const title = h("p.summary-name", { dir: "auto" });
  const can = sentence(() => keySentence(permissions()));
  const values = lines.map(({ label, text }) => ({ text, label, place: h("dd", { dir: "auto" }) }));
  const element = h(
    "section.card.summary",
    { "aria-labelledby": heading.id },
    heading,
    h("div.summary-title", {}, icon("key"), title),
    can.element,
    h(
      "dl.facts",
      {},
      values.map(({ label, place }) => [h("dt", {}, label), place]),
    ),
  );
  const update = () => {
    replaceChildren(title, name().trim() || t("new_key.no_name"));
    can.update();
    can.element.classList.toggle("none", permissions()?.length === 0);
    for (const { place, text } of values) replaceChildren(place, text());
  };
  update();
  return { element, update };
}
