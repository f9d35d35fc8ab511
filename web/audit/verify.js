// The verification of the log, and the log head to keep outside of Keyhouse.

import { copyButton } from "../elements/copy-button.js";
import { get, post } from "../lib/api.js";
import { loadForDialog, open } from "../lib/dialog.js";
import { h, replaceChildren } from "../lib/dom.js";
import { field, form, valueOf } from "../lib/form.js";
import { icon } from "../lib/icon.js";
import { exactMoment, moment, number, t } from "../lib/text.js";
import { saveFile } from "../lib/save.js";

/** @typedef {Api.Checked["head"]} Head */

/** Verifies the seals of the whole log and shows the result. */
export function verifyLog() {
  return open(
    t("audit_log.check"),
    () => {
      const outcome = h("div", {});
      const head = h("input", { name: "head", autocomplete: "off", spellcheck: "false" });
      const submit = async (/** @type {HTMLFormElement} */ element) => {
        const noted = valueOf(element, "head").trim();
        replaceChildren(outcome, report(await post("/v1/audit/check", noted ? { head: noted } : {})));
        outcome.scrollIntoView({ block: "nearest" });
      };
      return h(
        "div.stack",
        {},
        h("p", {}, t("audit_log.check_what")),
        form(
          { submit, button: t("audit_log.check_now") },
          field(t("audit_log.earlier_head"), head, { optional: true, hint: t("audit_log.earlier_head_hint") }),
        ),
        outcome,
      );
    },
    { wide: true },
  );
}

/** Shows the log head to users who may read the log but not verify it. */
export async function showHead() {
  const head = await loadForDialog(t("audit_log.head"), () => get("/v1/audit/head"));
  if (head) await open(t("audit_log.head"), () => h("div.stack", {}, headToKeep(head)), { wide: true });
}

/** @param {Head} head */
function headToKeep(head) {
  const hash = h("code.one-time", { tabindex: "-1" }, head.hash);
  const copy = copyButton(
    () => head.hash,
    () => hash,
    t("audit_log.copy_head"),
  );
  const save = () => saveFile("keyhouse-audit-head.json", "application/json", `${JSON.stringify(head, null, 2)}\n`);
  const sealed = head.at ? t("audit_log.sealed", { number: number(head.number), time: exactMoment(head.at) }) : null;
  return [
    h("p.small.soft", {}, t("audit_log.head_hint")),
    hash,
    sealed ? h("p.small.soft", {}, sealed) : null,
    h("div.row", {}, copy, h("button", { type: "button", onclick: save }, t("audit_log.save_head"))),
  ];
}

/**
 * The last removal of older events, and its retention period.
 *
 * @param {NonNullable<Api.Checked["cut"]>} options
 */
function cutInWords({ at, retention }) {
  if (retention === null) return t("audit_log.cut_before", { at: moment(at) });
  return t("audit_log.cut", { at: moment(at), days: number(parseInt(retention, 10)) });
}

/** @param {Api.Checked} options */
function report({ ok, events, unsealed, faults, head, cut }) {
  const fault = (/** @type {Api.Checked["faults"][number]} */ one) =>
    h("li", {}, t(`audit_log.fault_${one.kind}`), " ", h("code", {}, one.event ?? place(one)));
  // audit_log.fault_altered, .fault_chain_broken and so on
  const place = (/** @type {{seal?: number}} */ { seal }) => (seal === undefined ? "" : t("audit_log.seal", { seal }));
  const broken = () => [
    h("p", {}, t("audit_log.tampered", { count: faults.length })),
    h("ul.bullets", {}, faults.map(fault)),
  ];
  const whole = () => h("p.verified", {}, icon("check"), t("audit_log.verified", { count: events }));
  return h(
    "div.stack",
    { role: "status" },
    ok ? h("div.notice.good", {}, whole()) : h("div.notice.bad", {}, broken()),
    cut ? h("p.small.soft", {}, cutInWords(cut)) : null,
    unsealed > 0 ? h("p.small.soft", {}, t("audit_log.unsealed", { count: unsealed })) : null,
    h("div.stack.tight", {}, h("p.strong", {}, t("audit_log.head")), headToKeep(head)),
  );
}
