// <copy-button>: copies a text and says that it did. Where the browser gives no clipboard (a page
// without a secure context), it selects the text instead, and says so.

import { fill, h } from "../dom.js";
import { say } from "../say.js";
import { t } from "../text.js";

/**
 * A button that copies. `text()` gives what to copy; `shown()` gives the element whose text is
 * selected where copying can't be done; `label` names what is copied for those who don't see it.
 */
export function copyButton(text, shown, label) {
  const button = h("button.copy", { type: "button", "aria-label": label, onclick: () => copy() }, t("copy.copy"));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      // No secure context, or the person said no.
      const element = shown();
      element.focus?.();
      if (element.select) element.select();
      else getSelection().selectAllChildren(element);
      say(t("copy.selected"));
      return;
    }
    fill(button, t("copy.copied"));
    button.classList.add("done");
    say(t("copy.copied"));
    setTimeout(() => {
      fill(button, t("copy.copy"));
      button.classList.remove("done");
    }, 2000);
  };
  return button;
}
