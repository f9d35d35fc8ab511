// The "About Keyhouse" dialog.

import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { instance } from "../lib/state.js";
import { t } from "../lib/text.js";

export function about() {
  return open(t("about.title"), () =>
    h(
      "div.prose",
      {},
      h("p", {}, t("about.what")),
      h("dl.facts", {}, h("dt", {}, t("about.version")), h("dd", {}, instance.version)),
      h("p", {}, h("a", { href: "docs" }, t("about.api"))),
    ),
  );
}
