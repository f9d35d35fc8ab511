// The usage of a key: calls over time by outcome and by gate, recent addresses, refused calls.

import { replaceChildren, h } from "../lib/dom.js";
import { loadTexts, t } from "../lib/text.js";
import { callsView } from "../elements/calls-view.js";
import { timeAgo } from "../elements/time-ago.js";
import { card } from "./parts.js";
import { refusedCalls } from "./requests.js";

/**
 * @param {Page.KeyPage} page
 * @returns {Promise<Page.KeyPanel>}
 */
export async function panel({ key }) {
  await loadTexts("usage");
  const used = h("div.stack", {});
  const { buttons, place } = callsView({
    key: key.id,
    spans: { "24h": t("usage.hours"), "30d": t("usage.days") },
    choice: { span: "24h", by: "code", shown: "all" },
    loaded: ({ usage }) => replaceChildren(used, addresses(usage.addresses)),
  });
  return { element: h("div.stack", {}, card(t("usage.calls"), buttons, place), refusedCalls(key), used) };
}

/**
 * Recent addresses. The API returns them only to users who may see them.
 *
 * @param {Api.Usage["addresses"]} items
 */
function addresses(items) {
  if (!items || items.length === 0) return null;
  const lines = items.map(({ ip, last_used_at }) =>
    h("li", {}, h("code", {}, ip), h("span.soft", {}, timeAgo(last_used_at))),
  );
  return card(t("usage.addresses"), null, h("ul.addresses", {}, lines));
}
