// The sheet that lists the keyboard shortcuts, with the switch for those of a single key.

import { open } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { checkbox } from "../lib/form.js";
import { keep, kept } from "../lib/kept.js";
import { t } from "../lib/text.js";
import { placeOf } from "./places.js";
import { LETTERS } from "./shortcuts.js";

export function shortcutSheet() {
  const key = (/** @type {string} */ name) => h("kbd", {}, name);
  const line = (/** @type {Page.Child} */ keys, /** @type {string} */ text) => [h("dt", {}, text), h("dd", {}, keys)];
  const places = Object.entries(LETTERS).flatMap(([letter, hash]) => {
    const place = placeOf(hash);
    return place ? [line([key("g"), " ", key(letter)], t("shortcuts.go", { place: t(place.title) }))] : [];
  });
  const onchange = (/** @type {Page.ControlEvent} */ event) => keep("shortcuts", event.target.checked ? null : "off");
  return open(t("shortcuts.title"), () =>
    h(
      "div.stack",
      {},
      h(
        "dl.facts.shortcuts",
        {},
        line([key("Ctrl"), " ", key("K"), ` ${t("shortcuts.or")} `, key("/")], t("shortcuts.find")),
        places,
        line(key("?"), t("shortcuts.title")),
        line(key("Esc"), t("shortcuts.close")),
      ),
      checkbox("shortcuts", t("shortcuts.single"), { checked: kept("shortcuts") !== "off", onchange }),
    ),
  );
}
