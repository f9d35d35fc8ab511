// Forms with labelled fields, and search fields. Faults appear at their field, and a failed request keeps the input.

import { replaceChildren, freshId, h } from "./dom.js";
import { icon, iconButton } from "./icon.js";
import { faultText, problemNotice } from "./messages.js";
import { t } from "./text.js";

const CONTROLS = "input,select,textarea";
/** The pause in typing after which a search is sent. */
const TYPING_MS = 250;

/**
 * A labelled field around `control`: an `input`, `select` or `textarea`, or an element that contains one.
 * `hint` appears below the label.
 *
 * @param {string} label
 * @param {HTMLElement} control
 * @param {{hint?: Page.Child, optional?: boolean}} [options]
 */
export function field(label, control, { hint, optional } = {}) {
  const target = /** @type {Page.Control} */ (control.matches(CONTROLS) ? control : control.querySelector(CONTROLS));
  target.id ||= freshId("field");
  const hintId = hint ? freshId("hint") : null;
  const fault = h("p.fault", { id: freshId("fault") });
  target.setAttribute("aria-describedby", [hintId, fault.id].filter(Boolean).join(" "));
  return h(
    "div.field",
    { "data-field": target.name },
    h("label", { for: target.id }, label, optional ? h("span.optional", {}, ` ${t("forms.optional")}`) : null),
    hint ? h("p.hint", { id: hintId }, hint) : null,
    control,
    fault,
  );
}

/**
 * A group of controls with one legend, such as radio buttons.
 *
 * @param {string} name
 * @param {string} legend
 * @param {...Page.Child} children
 */
export function group(name, legend, ...children) {
  const fault = h("p.fault", { id: freshId("fault") });
  const attributes = { "data-field": name, "aria-describedby": fault.id };
  return h("fieldset.field", attributes, h("legend", {}, legend), ...children, fault);
}

/**
 * Radio buttons. `choices` are `[value, label, hint?]`.
 *
 * @param {string} name
 * @param {Page.Choice[]} choices
 * @param {string} chosen
 * @param {(event: Page.ControlEvent) => unknown} [onchange]
 */
export function radios(name, choices, chosen, onchange) {
  return choices.map(([value, label, hint]) => {
    const id = freshId("choice");
    const hintId = hint ? freshId("hint") : null;
    return h(
      "div.choice",
      {},
      h("input", { type: "radio", name, value, id, checked: value === chosen, "aria-describedby": hintId, onchange }),
      h("label", { for: id }, label),
      hint ? h("p.hint", { id: hintId }, hint) : null,
    );
  });
}

/**
 * @param {string} name
 * @param {Page.Child} label
 * @param {Page.Properties} [properties]
 */
export function checkbox(name, label, properties = {}) {
  const id = freshId("box");
  return h("div.choice", {}, h("input", { type: "checkbox", name, id, ...properties }), h("label", { for: id }, label));
}

/**
 * A select. `options` are `[value, label]`.
 *
 * @param {string} name
 * @param {Page.Choice[]} options
 * @param {string} [chosen]
 * @param {Page.Properties} [properties]
 */
export function select(name, options, chosen, properties = {}) {
  const option = (/** @type {Page.Choice} */ [value, label]) =>
    h("option", { value, selected: value === chosen }, label);
  return h("select", { name, ...properties }, options.map(option));
}

/**
 * A field that searches a list while the user types. Not after the user has opened another view, which may still be
 * loading: `isHere()` is whether the address is that of the list.
 *
 * @param {{label: string, hint: string, value: string}} words
 * @param {() => boolean} isHere
 * @param {(text: string) => unknown} search
 */
export function searchField({ label, hint, value }, isHere, search) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const oninput = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (input.isConnected && isHere()) search(input.value.trim());
    }, TYPING_MS);
  };
  const typed = { type: "search", name: "search", maxlength: 100, autocomplete: "off" };
  const input = h("input", { ...typed, "aria-label": label, placeholder: hint, value, oninput });
  return { element: h("div.search-field", {}, icon("search"), input), input };
}

/**
 * A form. `submit(form)` may throw a `Problem`. Each fault then appears at the field whose `data-field` is its
 * pointer (`rate_limits/0/name`) or the nearest parent of it; other problems appear above the buttons. The first
 * field with a fault gets the focus. The form can't be submitted again while `submit` runs. The last button is
 * `button`, or the first with `inPage`, in a form that is no dialog. With `isCompact`, the buttons are icons.
 *
 * @param {{
 * submit: (form: HTMLFormElement) => unknown,
 * button: string,
 * cancel?: () => unknown,
 * danger?: boolean,
 * inPage?: boolean,
 * isCompact?: boolean,
 * }} options
 * @param {...Page.Child} children
 */
export function form({ submit, button, cancel, danger, inPage, isCompact }, ...children) {
  const trouble = h("div.trouble", {});
  const face = isCompact ? icon("check") : button;
  const send = h(danger ? "button.danger" : "button.primary", { type: "submit" }, face);
  if (isCompact) send.setAttribute("aria-label", button);
  send.classList.toggle("icon-only", Boolean(isCompact));
  const onsubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (element.getAttribute("aria-busy") === "true") return;
    clear(element, trouble);
    element.setAttribute("aria-busy", "true");
    send.setAttribute("aria-disabled", "true");
    if (!isCompact) replaceChildren(send, t("forms.sending"));
    try {
      await submit(element);
    } catch (problem) {
      if (!problem.members) throw problem;
      show(element, trouble, problem);
    } finally {
      element.removeAttribute("aria-busy");
      send.removeAttribute("aria-disabled");
      replaceChildren(send, face);
    }
  };
  const cancelButton = () =>
    isCompact
      ? iconButton("close", t("actions.cancel"), { onclick: cancel })
      : h("button", { type: "button", onclick: cancel }, t("actions.cancel"));
  const leave = cancel ? cancelButton() : null;
  const buttons = h("div.buttons", {}, inPage ? [send, leave] : [leave, send]);
  const fields = h("div.fields", {}, ...children, trouble);
  const element = h("form", { novalidate: true, onsubmit }, fields, buttons);
  return element;
}

/**
 * The value of the form's control with this name.
 *
 * @param {HTMLFormElement} element
 * @param {string} name
 * @returns {string}
 */
export const valueOf = (element, name) => element.elements.namedItem(name).value;

/**
 * Updates a form after its resource was changed elsewhere. Fields that the user did not edit take the current
 * value. Fields that the user edited keep the input; if the current value differs, it appears below the field.
 * `before` and `now` are the values by field name.
 *
 * @param {HTMLFormElement} element
 * @param {Record<string, unknown>} before
 * @param {Record<string, unknown>} now
 */
export function showCurrentValues(element, before, now) {
  for (const [name, value] of Object.entries(now)) {
    if (value === before[name]) continue;
    const control = element.elements.namedItem(name);
    const member = control.type === "checkbox" ? "checked" : "value";
    if (control[member] === before[name]) control[member] = value;
    // A checkbox that both changed already has the current value.
    else if (control[member] !== value) {
      const shown = control.selectedOptions ? [...control.options].find((one) => one.value === value)?.text : value;
      const line = element.querySelector(`[data-field="${name}"] > .fault`);
      replaceChildren(line, t("forms.current_value", { value: shown || "–" }));
    }
  }
}

/**
 * @param {HTMLFormElement} element
 * @param {Element} trouble
 */
function clear(element, trouble) {
  replaceChildren(trouble);
  for (const fault of element.querySelectorAll(".fault")) replaceChildren(fault);
  for (const invalid of element.querySelectorAll("[aria-invalid]")) invalid.removeAttribute("aria-invalid");
}

/**
 * @param {HTMLFormElement} element
 * @param {Element} trouble
 * @param {import("./api.js").Problem} problem
 */
function show(element, trouble, problem) {
  const unplaced = problem.faults.filter((fault) => !place(element, fault));
  if (unplaced.length > 0 || problem.faults.length === 0) {
    const line = (/** @type {Page.Fault} */ fault) => h("p.fault", {}, `${fault.pointer}: ${faultText(fault)}`);
    replaceChildren(trouble, problemNotice(problem), unplaced.map(line));
  }
  const invalid = [...element.querySelectorAll("[aria-invalid]")];
  // Open every closed `details` that contains a fault.
  invalid.forEach(unfold);
  invalid[0]?.focus();
}

/** @param {Element} control */
function unfold(control) {
  for (let at = control.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
}

/**
 * Shows a fault at the field of its pointer (`rate_limits/0/name`) or of the longest part of it. Returns `false`
 * if there is no such field.
 *
 * @param {HTMLFormElement} element
 * @param {Page.Fault} fault
 */
function place(element, fault) {
  // Pointers into the body start with a slash, pointers to the query with a question mark.
  const path = fault.pointer.split(/[/?]/).slice(1);
  const whole = path.map((_, at) => path.slice(0, at + 1).join("/")).slice(1);
  const fieldOf = (/** @type {string} */ name) => element.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const at = [...whole.reverse(), ...path.toReversed()].map(fieldOf).find((one) => one !== null);
  if (!at) return false;
  const words = faultText(fault);
  const text = fault.item === undefined ? words : t("forms.item", { item: fault.item, text: words });
  const controls = [...at.querySelectorAll(CONTROLS)];
  const isTyped = (/** @type {HTMLInputElement} */ control) => !["checkbox", "radio"].includes(control.type);
  const holds = (/** @type {HTMLInputElement} */ control) =>
    fault.item !== undefined && isTyped(control) && control.value.includes(fault.item);
  const control = controls.find(holds) ?? controls[0];
  control?.setAttribute("aria-invalid", "true");
  // In a group, the fault belongs to the field that holds the faulty item.
  const own = control && holds(control) ? control.closest(".field") : at;
  const line = (at.contains(own) ? own : at).querySelector(":scope > .fault");
  line.append(h("span.below", {}, text));
  return true;
}
