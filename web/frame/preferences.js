// The switches of colours and language. Before sign-in, the browser keeps the language.

import { patch } from "../lib/api.js";
import { replaceChildren, h } from "../lib/dom.js";
import { icon } from "../lib/icon.js";
import { keep, kept } from "../lib/kept.js";
import { orAnnounce } from "../lib/messages.js";
import { session } from "../lib/state.js";
import { currentLanguage, LANGUAGES, setLanguage, t } from "../lib/text.js";

const THEMES = ["system", "light", "dark"];

/**
 * A row of buttons of which one is pressed. `choices` are `[value, label]`.
 *
 * @param {string} label
 * @param {string} symbol
 * @param {[string, string][]} choices
 * @param {string} chosen
 * @param {(value: string) => unknown} choose
 */
function segments(label, symbol, choices, chosen, choose) {
  const buttons = choices.map(([value, text]) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(value === chosen),
        onclick: async () => {
          for (const one of buttons) one.setAttribute("aria-pressed", String(one.value === value));
          await choose(value);
        },
        value,
      },
      text,
    ),
  );
  return h(
    "div.preference",
    {},
    h("span.preference-label", { "aria-hidden": "true" }, icon(symbol), label),
    h("div.segments.small", { role: "group", "aria-label": label }, buttons),
  );
}

export function themeSwitch() {
  const choose = (/** @type {string} */ theme) => {
    keep("theme", theme === "system" ? null : theme);
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  // shell.theme_system, .theme_light, .theme_dark
  /** @type {[string, string][]} */
  const choices = THEMES.map((theme) => [theme, t(`shell.theme_${theme}`)]);
  return segments(t("shell.theme"), "sun", choices, document.documentElement.dataset.theme ?? "system", choose);
}

/**
 * `redraw` shows the page again, in the chosen language.
 *
 * @param {() => unknown} redraw
 */
export function languageSwitch(redraw) {
  const choose = async (/** @type {string} */ language) => {
    await orAnnounce(async () => {
      await setLanguage(language);
      keep("language", language);
      if (session) session.user.locale = (await patch("/v1/me", { locale: language })).locale;
    });
    await redraw();
  };
  return segments(t("shell.language"), "globe", Object.entries(LANGUAGES), currentLanguage(), choose);
}

/** The language that was chosen in this browser before sign-in, if the page has it. */
export function keptLanguage() {
  const language = kept("language");
  return language !== null && Object.hasOwn(LANGUAGES, language) ? language : null;
}

/**
 * The switches below the form of a page without navigation.
 *
 * @param {HTMLElement} place
 * @param {() => unknown} redraw
 */
export function showPreferences(place, redraw) {
  replaceChildren(place, languageSwitch(redraw), themeSwitch());
}
