// What the parts of a key's page have in common: cards, lines of facts, and dialogs that change it.

import { patch } from "../../api.js";
import { open } from "../../dialog.js";
import { freshId, h } from "../../dom.js";
import { form } from "../../form.js";
import { say } from "../../say.js";
import { t } from "../../text.js";

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
 * A dialog with a form that changes a key. `changes(form)` gives what to send; `page.update(key)`
 * shows what became of it.
 */
export function change(page, title, changes, ...fields) {
  return ask(page, title, t("actions.save"), (element) => {
    const { id, version } = page.key;
    return patch(`/v1/keys/${id}`, changes(element), version);
  }, ...fields);
}

/** A dialog with a form; `act(form)` resolves to the key as it then is. */
export async function ask(page, title, button, act, ...fields) {
  let isStale = false;
  const changed = await open(title, (close) => {
    const submit = async (element) => {
      try {
        close(await act(element));
      } catch (problem) {
        isStale ||= problem.code === "version_conflict";
        throw problem;
      }
    };
    return form({ submit, button, cancel: () => close() }, ...fields);
  });
  if (changed) {
    page.update(changed);
    say(t("key.saved"));
  } else if (isStale) {
    await page.reload();
  }
}

/** The lines of a text field that say something. */
export const lines = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
