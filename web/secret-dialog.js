// Shows a new secret once.

import { open } from "./dialog.js";
import { h } from "./dom.js";
import { t } from "./text.js";

export function showSecret({ secret }) {
  return open(t("secret.title"), (close) =>
    h("div.stack", {}, h("p", {}, h("code", {}, secret)), h("button", { type: "button", onclick: () => close() }, t("actions.close"))), { stays: true });
}
