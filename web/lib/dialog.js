// Modal dialogs, built on the `dialog` element, which keeps the focus inside and restores it on close.

import { freshId, h } from "./dom.js";
import { iconButton } from "./icon.js";
import { announce, problemNotice, problemText } from "./messages.js";
import { t } from "./text.js";

/**
 * Opens a dialog. Resolves on close to the argument of `close`, or to `undefined` after Escape.
 *
 * `content(close)` returns the nodes below the title. With `stays`, only `close` closes the dialog, so that
 * Escape does not lose a secret. With `isSheet`, it is at the side of the page.
 *
 * @template T
 * @param {string} title
 * @param {(close: (value?: T) => void) => Node} content
 * @param {{stays?: boolean, wide?: boolean, isSheet?: boolean}} [options]
 * @returns {Promise<T | undefined>}
 */
export function open(title, content, { stays = false, wide = false, isSheet = false } = {}) {
  return new Promise((resolve) => {
    /** @type {T | undefined} */
    let result;
    let closable = !stays;
    const focused = document.activeElement;
    const close = (/** @type {T | undefined} */ value = undefined) => {
      result = value;
      closable = true;
      dialog.close();
    };
    const heading = h("h2", { id: freshId("title"), tabindex: "-1" }, title);
    const leave = iconButton("close", t("actions.close"), { onclick: () => close() });
    /** @type {HTMLDialogElement} */
    const dialog = h(
      "dialog",
      {
        "aria-labelledby": heading.id,
        closedby: stays ? "none" : "closerequest",
        onclose: () => {
          // Browsers without `closedby`, and some gestures, close the dialog anyway.
          if (!closable) {
            dialog.showModal();
            return;
          }
          dialog.remove();
          // The browser restores the focus, unless the element was removed.
          if (!focused?.isConnected) document.querySelector("main h1")?.focus();
          resolve(result);
        },
      },
      h("header", {}, heading, stays ? null : leave),
    );
    dialog.classList.toggle("wide", wide);
    dialog.classList.toggle("sheet", isSheet);
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
 * Loads the data of a dialog. Resolves to `undefined` if the load fails, after a dialog with this title has shown
 * the problem, and while another load is running, so that a second click opens no second dialog.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} load
 * @returns {Promise<T | undefined>}
 */
export async function loadForDialog(title, load) {
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
 * Asks for confirmation, runs `act` and announces `done`. Resolves to `true` if `act` succeeded, and never while `act`
 * runs. `isOpen` tells `act` whether the user has closed the dialog meanwhile.
 * `words`: `{title, body, button, done, safe}`. `body` may be nodes; `safe` shows no danger button.
 *
 * @param {{title: string, body: Page.Child, button: Page.Child, done?: string, safe?: boolean}} words
 * @param {(isOpen: () => boolean) => Promise<unknown>} act
 * @returns {Promise<boolean | undefined>}
 */
export async function confirm(words, act) {
  let isDone = false;
  let running = Promise.resolve();
  const closed = await open(words.title, (/** @type {(value?: boolean) => void} */ close) => {
    const trouble = h("div", {});
    const go = h(words.safe ? "button.primary" : "button.danger", { type: "submit" }, words.button);
    const isOpen = () => Boolean(go.closest("dialog")?.open);
    const run = async () => {
      go.disabled = true;
      try {
        await act(isOpen);
        isDone = true;
        close(true);
        if (words.done) announce(words.done);
      } catch (problem) {
        if (isOpen()) trouble.replaceChildren(problemNotice(problem));
        else announce(problemText(problem));
        go.disabled = false;
      }
    };
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      running = run();
    };
    return h(
      "form",
      { onsubmit: submit },
      h("div.fields", {}, h("div.prose", {}, words.body), trouble),
      h(
        "div.buttons",
        {},
        h("button", { type: "button", autofocus: true, onclick: () => close(false) }, t("actions.cancel")),
        go,
      ),
    );
  });
  await running;
  return isDone || closed;
}
