// A button that copies a text and confirms it. Without access to the clipboard, such as on a page without a
// secure context, it selects the text instead.

import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { announce } from "../lib/messages.js";
import { t } from "../lib/text.js";

/**
 * A copy button. `text()` returns the text to copy, `shown()` the element whose text is selected if copying is not
 * available. `label` is the accessible name. With `isShort`, the button shows only its icon. After a copy, it sends the
 * event `copied`.
 *
 * @param {() => string} text
 * @param {() => HTMLElement} shown
 * @param {string} label
 */
export function copyButton(text, shown, label, isShort = false) {
  const tag = isShort ? "button.quiet.icon-only.copy" : "button.copy";
  const button = h(tag, { type: "button", "aria-label": label, title: isShort ? label : null, onclick: () => copy() });
  const show = (/** @type {string} */ symbol, /** @type {string} */ word) =>
    replaceChildren(button, icon(symbol), isShort ? null : word);
  show("copy", t("copy.copy"));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      // No secure context, or the user denied access.
      const element = shown();
      element.focus();
      if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) element.select();
      else getSelection()?.selectAllChildren(element);
      announce(t("copy.selected"));
      return;
    }
    show("check", t("copy.copied"));
    button.classList.add("done");
    announce(t("copy.copied"));
    button.dispatchEvent(new Event("copied", { bubbles: true }));
    setTimeout(() => {
      show("copy", t("copy.copy"));
      button.classList.remove("done");
    }, 2000);
  };
  return button;
}
