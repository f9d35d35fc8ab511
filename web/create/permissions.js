// The permissions of a new key: none, a preset, a saved template, full access, or a custom selection.

import { Problem } from "../lib/api.js";
import { open } from "../lib/dialog.js";
import { replaceChildren, h } from "../lib/dom.js";
import { field, form, group, radios, valueOf } from "../lib/form.js";
import { iconButton } from "../lib/icon.js";
import { announce } from "../lib/messages.js";
import { shortPermissions } from "../lib/permission-words.js";
import { t } from "../lib/text.js";
import { expanded, permissionMatrix } from "../elements/permission-matrix.js";
import { removeTemplate, savedTemplates, saveTemplate, TEMPLATES_MAX } from "./templates.js";

/**
 * The patterns of the presets. The server reduces them to the user's own permissions.
 *
 * @type {Record<string, string[]>}
 */
const PRESETS = {
  read: ["*:read"],
  "read-write": ["*:read", "*:write"],
  deploy: ["*:read", "*:deploy", "*:publish", "*:release"],
};
/** The choice of a saved template begins with this. */
const SAVED = "saved:";

/**
 * `follow()` adapts the choices to the owner. `fields()` returns the fields of the request, `permissions()` the chosen
 * patterns, or `null` for a key that follows its owner, and `linked()` the values of a link to the form.
 *
 * @param {import("../lib/prefill.js").Prefilled} wanted
 * @param {Api.Permission[]} entries
 * @param {() => string} kindNow
 */
export function permissionChoice(wanted, entries, kindNow) {
  const matrix = permissionMatrix(entries, wanted.permissions, null);
  const list = h("div.option-list", { "data-field": "preset" });
  const warning = h("p.notice.warn", { role: "status" });
  const save = h("button", { type: "button", onclick: () => saving() }, t("new_key.save_template"));
  const custom = h("div.custom", {}, matrix.element, h("div.row", {}, save));
  const element = group("permissions", t("new_key.permissions"), list, warning, custom);
  const inputs = () => list.querySelectorAll("input");
  const value = () => [...inputs()].find((input) => input.checked)?.value ?? "none";
  /** The choice before the last change. */
  let before = "none";
  const choose = (/** @type {string} */ wanted) => {
    for (const input of inputs()) input.checked = input.value === wanted;
    follow();
  };
  const permissions = (chosen = value()) => {
    if (chosen === "role") return null;
    if (chosen === "own") return matrix.permissions();
    if (!chosen.startsWith(SAVED)) return PRESETS[chosen] ?? [];
    return savedTemplates().find(({ name }) => name === chosen.slice(SAVED.length))?.permissions ?? [];
  };
  const follow = () => {
    const isService = kindNow() === "service";
    // A service key has no owner whose role it could follow.
    list.querySelector('[value="role"]').closest(".choice").hidden = isService;
    if (isService && value() === "role") {
      choose("none");
      return;
    }
    const now = value();
    // A custom selection begins with the last choice.
    if (now === "own" && before !== "own" && matrix.permissions().length === 0) {
      matrix.set(expanded(permissions(before) ?? [], entries));
    }
    before = now;
    custom.hidden = now !== "own";
    warning.hidden = now !== "role";
    save.hidden = savedTemplates().length >= TEMPLATES_MAX;
    replaceChildren(warning, now === "role" ? t("new_key.full_access_warning") : null);
  };
  const draw = (/** @type {string} */ chosen) => {
    const boxes = radios("preset", choices(), chosen, follow);
    for (const box of boxes) {
      const input = box.querySelector("input");
      if (input.value.startsWith(SAVED)) box.append(removeButton(input.value.slice(SAVED.length)));
    }
    replaceChildren(list, boxes);
    if (value() !== chosen) choose("none");
    follow();
  };
  const redrawn = (/** @type {string} */ chosen) => {
    draw(chosen);
    [...inputs()].find((input) => input.checked)?.focus();
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const removeButton = (/** @type {string} */ name) =>
    iconButton("close", t("new_key.remove_template", { name }), {
      onclick: () => {
        removeTemplate(name);
        redrawn(value() === SAVED + name ? "none" : value());
        announce(t("new_key.template_removed"));
      },
    });
  const saving = async () => {
    const name = await nameDialog();
    if (name === undefined) return;
    saveTemplate({ name, permissions: matrix.permissions() });
    redrawn(SAVED + name);
    announce(t("new_key.template_saved"));
  };
  draw(wanted.permissions.length > 0 ? "own" : (wanted.preset ?? "none"));
  const fields = () => {
    const chosen = value();
    if (Object.hasOwn(PRESETS, chosen)) return { preset: chosen };
    const list = permissions();
    return list === null ? {} : { permissions: list };
  };
  const linked = () => {
    const chosen = value();
    const isNamed = chosen === "own" || chosen.startsWith(SAVED);
    return isNamed ? { permissions: permissions() ?? [] } : { preset: chosen, permissions: [] };
  };
  return {
    element,
    follow,
    fields,
    permissions: () => permissions(),
    linked,
  };
}

/** `[value, label, hint]` of each choice. */
function choices() {
  return [
    ["none", t("new_key.none"), t("new_key.none_hint")],
    ["read", t("new_key.read"), t("new_key.read_hint")],
    ["read-write", t("new_key.read_write"), t("new_key.read_write_hint")],
    ["deploy", t("new_key.deploy"), t("new_key.deploy_hint")],
    ...savedTemplates().map(({ name, permissions }) => [SAVED + name, name, shortPermissions(permissions)]),
    ["role", t("new_key.full_access"), t("new_key.full_access_hint")],
    ["own", t("new_key.custom"), t("new_key.custom_hint")],
  ];
}

/**
 * Asks for the name of a template. Resolves to `undefined` after cancel.
 *
 * @returns {Promise<string | undefined>}
 */
function nameDialog() {
  return open(t("new_key.save_template"), (/** @type {(value?: string) => void} */ close) => {
    const submit = (/** @type {HTMLFormElement} */ element) => {
      const name = valueOf(element, "template").trim();
      const missing = { pointer: "/template", code: "required", detail: "" };
      if (name === "") throw new Problem(400, { code: "invalid_input", errors: [missing] });
      close(name);
    };
    const input = h("input", { name: "template", maxlength: 60, autocomplete: "off", dir: "auto" });
    return form(
      { submit, button: t("actions.save"), cancel: () => close() },
      field(t("new_key.template_name"), input, { hint: t("new_key.template_hint") }),
    );
  });
}
