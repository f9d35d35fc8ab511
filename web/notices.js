// Notices about changes that others made to the user's account, above every view until acknowledged.

import { remove } from "./lib/api.js";
import { h } from "./lib/dom.js";
import { problemNotice } from "./lib/messages.js";
import { session } from "./lib/state.js";
import { exactMoment, t } from "./lib/text.js";

/** The notices, or `null` if there are none. */
export function notices() {
  const unseen = session?.notices ?? [];
  if (unseen.length === 0) return null;
  const acknowledge = async () => {
    button.disabled = true;
    try {
      await remove("/v1/me/notices", { until: unseen.at(-1)?.at });
    } catch (problem) {
      if (!problem.members) throw problem;
      button.after(problemNotice(problem));
      button.disabled = false;
      return;
    }
    session.notices = session.notices.filter((notice) => !unseen.includes(notice));
    place.remove();
    document.querySelector("h1")?.focus();
  };
  const button = h("button", { type: "button", onclick: acknowledge }, t("notices.acknowledge"));
  const place = h(
    "section.notice.warn.stack",
    { "aria-label": t("notices.title") },
    h("p", {}, t("notices.lead")),
    h(
      "ul.plain",
      {},
      unseen.map((notice) => h("li", {}, noticeText(notice))),
    ),
    h("div", {}, button),
  );
  return place;
}

/** @param {Api.Notice} options */
function noticeText({ kind, at, by }) {
  const nameless = { local: "events.actor_local", key: "notices.key", user: "notices.operator" };
  // events.actor_local, notices.key, notices.operator
  const actor = by.name ?? t(nameless[by.kind]);
  // notices.password_reset, .totp_removed, .sessions_ended, .email_changed
  return t(`notices.${kind}`, { actor, moment: exactMoment(at) });
}
