// The user's second factor: setup with an authenticator app, backup codes, removal.

import { post, request } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h, svg } from "../lib/dom.js";
import { copyButton } from "../elements/copy-button.js";
import { passwordField } from "../elements/password-field.js";
import { field, form, valueOf } from "../lib/form.js";
import { userName } from "../lib/link.js";
import { announce } from "../lib/messages.js";
import { t } from "../lib/text.js";

/** Width of the quiet zone around a QR code, in modules (ISO/IEC 18004). */
const QUIET = 4;

/** @typedef {Extract<Page.ResponseOf<"/v1/me/totp", "post">, {secret: string}>} Begun */

/**
 * The section of the profile. `redraw` shows the profile again.
 *
 * @param {Api.Account} me
 * @param {Page.Redraw} redraw
 */
export function secondFactor(me, redraw) {
  const act = me.totp
    ? h("button", { type: "button", onclick: () => turnOff(me, redraw) }, t("totp.turn_off"))
    : h("button.primary", { type: "button", onclick: () => turnOn(me, redraw) }, t("totp.turn_on"));
  const state = me.totp ? h("span.badge.good", {}, t("totp.on")) : h("span.badge.warn", {}, t("totp.off"));
  const about = h("p", {}, me.totp ? t("totp.on_body") : t("totp.off_body"));
  const left = me.totp ? h("p", {}, t("totp.codes_left", { count: me.backup_codes_left })) : null;
  const renew = me.totp
    ? h("button", { type: "button", onclick: () => renewCodes(me, redraw) }, t("totp.renew"))
    : null;
  return h("div.stack.second-factor", {}, h("p", {}, state), about, left, h("div.row", {}, act, renew));
}

/**
 * Shows the profile again and restores the focus.
 *
 * @param {Page.Redraw} redraw
 */
async function redrawAndFocus(redraw) {
  await redraw();
  document.querySelector(".second-factor button")?.focus();
}

/**
 * @param {Api.Account} me
 * @param {Page.Redraw} redraw
 */
function turnOn(me, redraw) {
  return open(t("totp.turn_on_title"), (close) => {
    const place = h("div", {});
    const begin = async (/** @type {HTMLFormElement} */ element) => {
      const begun = /** @type {Begun} */ (
        await post("/v1/me/totp", { current_password: valueOf(element, "current_password") })
      );
      replaceChildren(
        place,
        enrol(begun, confirm, () => close()),
      );
      place.querySelector("input").focus();
    };
    const confirm = async (/** @type {HTMLFormElement} */ element) => {
      const done = await post("/v1/me/totp", { code: digitsOf(element) });
      const codes = "backup_codes" in done ? done.backup_codes : [];
      // Show the codes even if the dialog was closed in the meantime: they can't be shown again.
      close();
      await showCodes(codes);
      await redrawAndFocus(redraw);
      announce(t("totp.turned_on"));
    };
    return replaceChildren(
      place,
      form(
        { submit: begin, button: t("totp.continue"), cancel: () => close() },
        h("p", {}, t("totp.begin_body")),
        userName(me.email),
        passwordField(t("totp.password"), "current_password", { autofocus: true }),
      ),
    );
  });
}

/**
 * @param {Begun} begun
 * @param {(form: HTMLFormElement) => unknown} submit
 * @param {() => void} cancel
 */
function enrol(begun, submit, cancel) {
  const secret = h("code.totp-secret", { tabindex: "-1" }, begun.secret.match(/.{1,4}/g)?.join(" "));
  return form(
    { submit, button: t("totp.confirm"), cancel },
    h("p", {}, begun.modules ? t("totp.scan") : t("totp.type")),
    begun.modules ? qrCode(begun.modules) : null,
    h(
      "div.stack.tight",
      {},
      h("p.hint", {}, t("totp.secret_hint")),
      h(
        "div.row",
        {},
        secret,
        copyButton(
          () => begun.secret,
          () => secret,
          t("totp.copy_secret"),
        ),
      ),
    ),
    field(t("totp.code"), codeInput(), { hint: t("totp.code_hint") }),
  );
}

function codeInput() {
  const typed = { autocomplete: "one-time-code", spellcheck: "false", autocapitalize: "none", required: true };
  return h("input", { name: "code", ...typed });
}

const digitsOf = (/** @type {HTMLFormElement} */ element) => valueOf(element, "code").replaceAll(/\s/g, "");

/**
 * A QR code from its rows. Always dark on white, because some readers do not accept inverted codes.
 *
 * @param {string[]} rows
 */
function qrCode(rows) {
  const size = rows.length + 2 * QUIET;
  const runs = rows.flatMap((row, y) =>
    [...row.matchAll(/1+/g)].map((run) =>
      svg("rect", { x: run.index + QUIET, y: y + QUIET, width: run[0].length, height: 1, fill: "#000" }),
    ),
  );
  return svg(
    "svg.qr",
    { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t("totp.qr"), "shape-rendering": "crispEdges" },
    svg("rect", { width: size, height: size, fill: "#fff" }),
    runs,
  );
}

/** @param {string[]} codes */
function showCodes(codes) {
  const show = (/** @type {(value?: any) => void} */ close) => {
    const shown = h(
      "ol.codes",
      { tabindex: "-1" },
      codes.map((code) => h("li", {}, h("code", {}, code))),
    );
    return h(
      "div.stack",
      {},
      h("p", {}, t("totp.codes_body")),
      shown,
      h(
        "div",
        {},
        copyButton(
          () => codes.join("\n"),
          () => shown,
          t("totp.copy_codes"),
        ),
      ),
      h("p.notice.warn.small", {}, t("totp.codes_once")),
      h("div.buttons", {}, h("button.primary", { type: "button", onclick: () => close() }, t("totp.saved"))),
    );
  };
  return open(t("totp.codes_title"), show, { stays: true });
}

/**
 * @param {Api.Account} me
 * @param {Page.Redraw} redraw
 */
function renewCodes(me, redraw) {
  return open(t("totp.renew"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const body = { current_password: valueOf(element, "current_password"), code: digitsOf(element) };
      const { backup_codes: codes } = await post("/v1/me/totp/backup-codes", body);
      close();
      await showCodes(codes);
      await redrawAndFocus(redraw);
      announce(t("totp.renewed"));
    };
    return form(
      { submit, button: t("totp.renew"), cancel: () => close() },
      h("p", {}, t("totp.renew_body")),
      userName(me.email),
      passwordField(t("totp.password"), "current_password", { autofocus: true }),
      field(t("totp.code"), codeInput(), { hint: t("totp.code_or_backup") }),
    );
  });
}

/**
 * @param {Api.Account} me
 * @param {Page.Redraw} redraw
 */
function turnOff(me, redraw) {
  return open(t("totp.turn_off_title"), (close) => {
    const submit = async (/** @type {HTMLFormElement} */ element) => {
      const body = { current_password: valueOf(element, "current_password"), code: digitsOf(element) };
      await request("DELETE", "/v1/me/totp", { body });
      close();
      await redrawAndFocus(redraw);
      announce(t("totp.turned_off"));
    };
    return form(
      { submit, button: t("totp.turn_off"), cancel: () => close(), danger: true },
      h("p", {}, t("totp.turn_off_body")),
      userName(me.email),
      passwordField(t("totp.password"), "current_password", { autofocus: true }),
      field(t("totp.code"), codeInput(), { hint: t("totp.code_or_backup") }),
    );
  });
}
