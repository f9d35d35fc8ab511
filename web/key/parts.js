// What the parts of a key's page have in common: cards, lines of facts, and dialogs that change it.

import { patch } from "../api.js";
import { open } from "../dialog.js";
import { freshId, h } from "../dom.js";
import { form } from "../form.js";
import { say } from "../say.js";
import { t } from "../text.js";

/** A card with a heading, and buttons beside it. */
export function card(title, buttons, ...children) {
  const heading = h("h2", { id: freshId("part") }, title);
  return h(
    "section.card.stack",
    { "aria-labelledby": heading.id },
    h("div.card-head", {}, heading, buttons ? h("div.row", {}, buttons) : null),
    children,
  );
}

/** A line of facts. */
export const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

/** A button that is found again, and keeps its focus, when its part of the page is shown anew. */
export const action = (name, label, onclick, properties = {}) =>
  h("button", { type: "button", "data-action": name, onclick, ...properties }, label);

/**
 * A dialog with a form that changes a key. `changes()` gives what to send; `page.update(key)` shows
 * what became of it.
 */
export async function change(page, title, changes, ...fields) {
  let isStale = false;
  const content = (close) => {
    const submit = async (element) => {
      const { id, version } = page.key;
      try {
        close(await patch(`/v1/keys/${id}`, changes(element), version));
      } catch (problem) {
        isStale ||= problem.code === "version_conflict";
        throw problem;
      }
    };
    return form({ submit, button: t("actions.save"), cancel: () => close() }, ...fields);
  };
  const changed = await open(title, content, { wide: true });
  if (changed) {
    page.update(changed);
    say(t("key.saved"));
  } else if (isStale) {
    await page.reload();
  }
}
