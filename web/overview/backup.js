// The age of the last backup of the instance, and a backup now.

import { h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { announce } from "../lib/messages.js";
import { ago, exactMoment, t } from "../lib/text.js";
import { fact } from "./parts.js";

const DAY_MS = 86_400_000;
/** A backup that is older needs attention, if no backup is scheduled. */
const OLD_DAYS = 7;

/** @param {NonNullable<Page.ResponseOf<"/v1/overview", "get">["backup"]>} backup */
export function lastBackup({ last_at, every_seconds }) {
  const oldAfter = every_seconds > 0 ? 2 * every_seconds * 1000 : OLD_DAYS * DAY_MS;
  const isOld = !last_at || Date.now() - Date.parse(last_at) > oldAfter;
  const title = last_at ? t("overview.backup", { when: ago(last_at) }) : t("overview.backup_none");
  const download = {
    href: "v1/backup",
    download: "keyhouse.khb",
    onclick: () => announce(t("overview.download_begun")),
  };
  const element = fact(
    { state: isOld ? "warn" : "good", title },
    h("p.small.soft", {}, every_seconds > 0 ? t("overview.scheduled") : t("overview.unscheduled")),
    h(
      "div.row",
      {},
      h("a.button.small-button", download, icon("down"), t("overview.download")),
      h("span.small.soft", {}, t("overview.download_hint")),
    ),
  );
  if (last_at) element.querySelector("h3").title = exactMoment(last_at);
  return element;
}
