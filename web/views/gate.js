// One gate, for operators: routes, settings, proxy configuration, test, removal.

import { all, get, remove } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import { proxyCard } from "../gate/proxy.js";
import { routesCard } from "../gate/routes.js";
import { settingsCard } from "../gate/settings.js";
import { trialCard } from "../gate/trial.js";
import { DEFAULT_GATE } from "../gate/words.js";
import { live } from "../lib/live.js";
import { isOperator } from "../lib/state.js";
import { loadStyles } from "../lib/styles.js";
import { loadTexts, t } from "../lib/text.js";

/** @param {Page.Address} options */
export async function view({ params: [name] }) {
  await Promise.all([loadStyles("gates"), loadStyles("explanation"), loadTexts("gate"), loadTexts("explain")]);
  if (name === DEFAULT_GATE.name && isOperator()) return builtIn();
  const path = /** @type {const} */ (`/v1/gates/${encodeURIComponent(name)}`);
  const page = /** @type {Page.GatePage} */ ({ path });
  const changing = await live(async (redraw) => {
    [page.gate, page.organizations] = await Promise.all([get(path), all("/v1/organizations")]);
    page.redraw = redraw;
    return [routesCard(page), h("div.columns", {}, settingsCard(page), proxyCard(page.gate))];
  });
  // The test card is not redrawn after a change, so that its input stays.
  const body = h("div.stack.sections", {}, changing.element, trialCard(page.gate), danger(page));
  return { title: name, body };
}

/** The built-in gate. */
function builtIn() {
  const body = h(
    "div.stack.sections",
    {},
    h("p.notice", {}, t("gates.default_what")),
    proxyCard(DEFAULT_GATE),
    trialCard(DEFAULT_GATE),
  );
  return { title: DEFAULT_GATE.name, body };
}

/** @param {Page.GatePage} page */
function danger(page) {
  const confirmRemoval = async () => {
    const { name, version } = page.gate;
    const words = {
      title: t("gate.remove_title", { name }),
      body: t("gate.remove_body", { name }),
      button: t("gate.remove"),
      done: t("gate.removed", { name }),
    };
    if (await confirm(words, () => remove(page.path, {}, version))) location.hash = "#/gates";
  };
  return h(
    "section.card",
    {},
    h(
      "div.setting",
      {},
      h("div", {}, h("h2", {}, t("gate.remove")), h("p.soft.small", {}, t("gate.remove_hint"))),
      h("button.danger", { type: "button", onclick: confirmRemoval }, t("gate.remove")),
    ),
  );
}
