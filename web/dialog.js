// Dialogs: the platform's own, which keep the focus inside and give it back where it came from.

import { freshId, h } from "./dom.js";
import { problemNotice, say } from "./say.js";
import { t } from "./text.js";

/**
 * Opens a dialog and resolves, when it closes, to what `close` was given (`undefined` for Escape).
 *
 * `content(close)` makes what stands below the title. With `stays`, only `close` closes it: for what
 * must not be lost by a slip.
 */
export function open(title, content, { stays = false, wide = false } = {}) {
  return new Promise((resolve) => {
    let result;
    let closable = !stays;
    const came = document.activeElement;
    const close = (value) => {
      result = value;
      closable = true;
      dialog.close();
    };
    const heading = h("h2", { id: freshId("title"), tabindex: "-1" }, title);
    const leave = h(
      "button.quiet.icon",
      { type: "button", "aria-label": t("actions.close"), onclick: () => close() },
      "×",
    );
    const dialog = h(
      wide ? "dialog.wide" : "dialog",
      {
        "aria-labelledby": heading.id,
        closedby: stays ? "none" : "closerequest",
        onclose: () => {
          // A browser that does not know `closedby` yet, or a gesture that asks nobody.
          if (!closable) return dialog.showModal();
          dialog.remove();
          // The platform gives focus back to what had it; what is gone meanwhile can't take it.
          if (!came?.isConnected) document.querySelector("main h1")?.focus();
          resolve(result);
        },
      },
      h("header", {}, heading, stays ? null : leave),
    );
    dialog.append(content(close));
    document.body.append(dialog);
    dialog.showModal();
    const wanted = dialog.querySelector("[autofocus]");
    const first = wanted ?? dialog.querySelector("form input:not([type=hidden]), form select, form textarea");
    (first ?? heading).focus();
  });
}

let isLoading = false;

/**
 * What `load` brings for a dialog; `undefined` where it can't be had, which a dialog of this title
 * says, and while something else is loaded: a second click opens no second dialog.
 */
export async function loaded(title, load) {
  if (isLoading) return undefined;
  isLoading = true;
  try {
    return await load();
  } catch (problem) {
    if (!problem.members) throw problem;
    await open(title, () => problemNotice(problem));
    return undefined;
  } finally {
    isLoading = false;
  }
}

/**
 * Asks before something that can't be taken back; does it, and says so. Resolves to whether it was
 * done. `words`: `{title, body, button, done, safe}`; `body` may be nodes; what is `safe` takes
 * nothing from anybody.
 */
export function confirm(words, act) {
  return open(words.title, (close) => {
    const trouble = h("div", {});
    const go = h(words.safe ? "button.primary" : "button.danger", { type: "submit" }, words.button);
    const submit = async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        await act();
        close(true);
        if (words.done) say(words.done);
      } catch (problem) {
        trouble.replaceChildren(problemNotice(problem));
        go.disabled = false;
      }
    };
    return h(
      "form",
      { onsubmit: submit },
      h("div.prose", {}, words.body),
      trouble,
      h(
        "div.buttons",
        {},
        go,
        h("button", { type: "button", autofocus: true, onclick: () => close(false) }, t("actions.cancel")),
      ),
    );
  });
}
