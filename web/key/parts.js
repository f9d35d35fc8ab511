// Shared parts of the key page: cards, facts, and dialogs that change the key.

import { patch } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { freshId, h } from "../lib/dom.js";
import { form } from "../lib/form.js";
import { announce } from "../lib/messages.js";
import { t } from "../lib/text.js";
import { timeAgo } from "../elements/time-ago.js";

/**
 * A card with a heading and buttons.
 *
 * @param {string} title
 * @param {Page.Child} buttons
 * @param {...Page.Child} children
 */
export function card(title, buttons, ...children) {
  const heading = h("h2", { id: freshId("part") }, title);
  return h(
    "section.card.stack",
    { "aria-labelledby": heading.id },
    h("div.card-head", {}, heading, buttons ? h("div.row", {}, buttons) : null),
    children,
  );
}

export const fact = (/** @type {string} */ name, /** @type {Page.Child[]} */ ...value) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, value));

/**
 * Time, address and user agent of the last use of a secret.
 *
 * @param {Api.Use | null} last
 */
export function lastUse(last) {
  if (!last) return t("key.never_used");
  return [
    timeAgo(last.at),
    last.ip ? [" · ", h("code", {}, last.ip)] : null,
    last.user_agent ? h("span.agent.small.soft", {}, last.user_agent) : null,
  ];
}

/** A button that keeps the focus when its part of the page is redrawn. */
export const action = (
  /** @type {string} */ name,
  /** @type {string} */ label,
  /** @type {() => unknown} */ onclick,
  properties = {},
) => h("button", { type: "button", "data-action": name, onclick, ...properties }, label);

/**
 * Opens a dialog with a form that changes a key. `changes(form)` returns the fields to send; `page.update(key)` shows
 * the result.
 *
 * @param {Page.KeyPage} page
 * @param {string} title
 * @param {(form: HTMLFormElement) => Record<string, unknown>} changes
 * @param {...Page.Child} fields
 */
export async function change(page, title, changes, ...fields) {
  let isStale = false;
  const content = (/** @type {(value?: any) => void} */ close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
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
    announce(t("key.saved"));
  } else if (isStale) {
    await page.reload();
  }
}
