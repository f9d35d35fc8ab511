// Forms: labelled fields, what is wrong next to where it is wrong, and nothing typed is ever lost.

import { fill, freshId, h } from "./dom.js";
import { faultText, problemNotice } from "./say.js";
import { t } from "./text.js";

/** What people put something into. */
const CONTROLS = "input,select,textarea";

/**
 * A labelled field around one control (`input`, `select`, `textarea`, or an element of ours that
 * has `name` and `value`). `hint` stands below the label.
 */
export function field(label, control, { hint, optional } = {}) {
  const target = control.matches(CONTROLS) ? control : control.querySelector(CONTROLS);
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

/** A group of controls under one name, such as radio buttons. */
export function group(name, legend, ...children) {
  const fault = h("p.fault", { id: freshId("fault") });
  const told = { "data-field": name, "aria-describedby": fault.id };
  return h("fieldset.field", told, h("legend", {}, legend), ...children, fault);
}

/** One of several: `choices` are `[value, label, hint?]`. */
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

/** A box to tick. */
export function checkbox(name, label, properties = {}) {
  const id = freshId("box");
  return h("div.choice", {}, h("input", { type: "checkbox", name, id, ...properties }), h("label", { for: id }, label));
}

/** A list to choose one of: `options` are `[value, label]`. */
export function select(name, options, chosen, properties = {}) {
  const option = ([value, label]) => h("option", { value, selected: value === chosen }, label);
  return h("select", { name, ...properties }, options.map(option));
}

/**
 * A form. `submit(form)` does the work and may throw a `Problem`: each of its faults is then shown
 * at the field whose `data-field` is its pointer (`rate_limits/0/name`) or the nearest above it, all
 * else above the buttons, and the first wrong field gets the focus. While it runs the form can't be sent again.
 */
export function form({ submit, button, cancel, danger }, ...children) {
  const trouble = h("div.trouble", {});
  const send = h(danger ? "button.danger" : "button.primary", { type: "submit" }, button);
  const onsubmit = async (event) => {
    event.preventDefault();
    if (element.getAttribute("aria-busy") === "true") return;
    clear(element, trouble);
    element.setAttribute("aria-busy", "true");
    send.setAttribute("aria-disabled", "true");
    fill(send, t("forms.sending"));
    try {
      await submit(element);
    } catch (problem) {
      if (!problem.members) throw problem;
      show(element, trouble, problem);
    } finally {
      element.removeAttribute("aria-busy");
      send.removeAttribute("aria-disabled");
      fill(send, button);
    }
  };
  const leave = cancel ? h("button", { type: "button", onclick: cancel }, t("actions.cancel")) : null;
  const element = h("form", { novalidate: true, onsubmit }, ...children, trouble, h("div.buttons", {}, send, leave));
  return element;
}

/** The text in a form's control of this name. */
export const valueOf = (element, name) => element.elements.namedItem(name).value;

/**
 * After a thing was changed elsewhere: fields that were left as they were shown show what it is now,
 * what was typed stays, and where both changed a field, what it is now stands below. `before` and
 * `now` are the values of fields by name.
 */
export function catchUp(element, before, now) {
  for (const [name, value] of Object.entries(now)) {
    if (value === before[name]) continue;
    const control = element.elements.namedItem(name);
    const member = control.type === "checkbox" ? "checked" : "value";
    if (control[member] === before[name]) control[member] = value;
    // A box that both changed is as both want it.
    else if (control[member] !== value) {
      const shown = control.selectedOptions ? [...control.options].find((one) => one.value === value)?.text : value;
      fill(element.querySelector(`[data-field="${name}"] > .fault`), t("forms.now", { value: shown || "–" }));
    }
  }
}

function clear(element, trouble) {
  fill(trouble);
  for (const fault of element.querySelectorAll(".fault")) fill(fault);
  for (const wrong of element.querySelectorAll("[aria-invalid]")) wrong.removeAttribute("aria-invalid");
}

function show(element, trouble, problem) {
  const unplaced = problem.faults.filter((fault) => !place(element, fault));
  if (unplaced.length > 0 || problem.faults.length === 0) {
    const line = (fault) => h("p.fault", {}, `${fault.pointer}: ${faultText(fault)}`);
    fill(trouble, problemNotice(problem), unplaced.map(line));
  }
  const wrong = [...element.querySelectorAll("[aria-invalid]")];
  // What is folded away opens: nothing that is wrong is hidden.
  wrong.forEach(unfold);
  wrong[0]?.focus();
}

function unfold(control) {
  for (let at = control.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
}

/**
 * Shows a fault at its field; tells whether there is one: that of its pointer (`rate_limits/0/name`),
 * or the innermost that a part of it names.
 */
function place(element, fault) {
  // A pointer into the body begins with a slash, one to the query with a question mark.
  const path = fault.pointer.split(/[/?]/).slice(1);
  const whole = path.map((_, at) => path.slice(0, at + 1).join("/")).slice(1);
  const fieldOf = (name) => element.querySelector(`[data-field="${CSS.escape(name)}"]`);
  const at = [...whole.reverse(), ...path.toReversed()].map(fieldOf).find((one) => one !== null);
  if (!at) return false;
  const line = at.querySelector(":scope > .fault");
  const words = faultText(fault);
  const text = fault.item === undefined ? words : t("forms.item", { item: fault.item, text: words });
  line.append(line.hasChildNodes() ? " " : "", text);
  const controls = [...at.querySelectorAll(CONTROLS)];
  const holds = (control) => fault.item !== undefined && control.value.includes(fault.item);
  (controls.find(holds) ?? controls[0])?.setAttribute("aria-invalid", "true");
  return true;
}
