// The dialog that shows a one-time link. The link is shown only once, because Keyhouse stores only its digest and
// sends no mail.

import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { moment, t } from "../lib/text.js";
import { copyButton } from "./copy-button.js";

/**
 * Shows a link. `body` describes its recipient and its purpose. Resolves when the dialog closes.
 *
 * @param {{title: string, body: string, url: string, endsAt: string}} options
 */
export function oneTimeLink({ title, body, url, endsAt }) {
  const show = (/** @type {(value?: any) => void} */ close) => {
    const link = h("p.code.one-time", { tabindex: "-1" }, url);
    return h(
      "div.stack",
      {},
      h("p", {}, body),
      h(
        "div.stack.tight",
        {},
        link,
        h(
          "div",
          {},
          copyButton(
            () => url,
            () => link,
            t("one_time_link.copy"),
          ),
        ),
      ),
      h("p.notice.warn.small", {}, t("one_time_link.once", { moment: moment(endsAt) })),
      h("div.buttons", {}, h("button.primary", { type: "button", onclick: () => close() }, t("one_time_link.done"))),
    );
  };
  return open(title, show, { stays: true });
}
