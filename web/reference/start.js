// Starts the API reference, a document of its own at `/docs`: loads the description that this instance serves, then
// shows the view of the current address. It needs no session.

import { request, onProofRequired } from "../lib/api.js";
import { h, replaceChildren } from "../lib/dom.js";
import { problemNotice, status } from "../lib/messages.js";
import { kept } from "../lib/kept.js";
import { load, onOtherTab, reload, session } from "../lib/state.js";
import { currentLanguage, preferredLanguage, setLanguage, t } from "../lib/text.js";
import { keptLanguage } from "../frame/preferences.js";
import { prove } from "../proof.js";
import { read } from "./description.js";
import { header } from "./header.js";
import { navigation, searchField } from "./navigation.js";
import { operationView } from "./operation.js";
import { errorsView, overview, resourceView } from "./overview.js";

/** The part of the texts that only this document needs. */
const TEXTS = "reference";

const main = h("main", { id: "main", tabindex: "-1" });
/** @type {import("./description.js").Description} */
let description;
/** @type {(address: string) => void} */
let mark = () => {};

async function begin() {
  const texts = setLanguage(keptLanguage() ?? preferredLanguage(), TEXTS);
  try {
    const [document] = await Promise.all([request("GET", "/openapi.json", { quietly: true }), load(), texts]);
    const wanted = session?.user.locale;
    if (wanted && wanted !== currentLanguage()) await setLanguage(wanted);
    description = read(document);
  } catch (problem) {
    if (!problem.members) throw problem;
    await texts.catch(() => {});
    replaceChildren(
      main,
      problemNotice(problem, () => location.reload()),
    );
    document.body.replaceChildren(main);
    return;
  }
  onProofRequired(prove);
  // Another user signed in, or the user signed out: the page shows what the current user may do.
  onOtherTab(({ data: user }) => {
    if (user !== (session?.user.id ?? null)) location.reload();
  });
  frame();
  window.addEventListener("hashchange", () => show());
  document.addEventListener("keydown", followSlash);
  show({ isFirst: true });
}

/** Draws everything around the view. */
function frame() {
  const redraw = async () => {
    frame();
    show({ isFirst: true });
  };
  const side = navigation(description);
  mark = side.mark;
  const skip = h("a.skip", { href: "#main", onclick: jump }, t("shell.skip"));
  document.body.className = "reference";
  document.body.replaceChildren(skip, header(description, redraw), side.element, main, status);
}

/** @param {Event} event */
function jump(event) {
  event.preventDefault();
  main.focus();
}

/** Shows the view of the current address. The first view of a visit takes no focus. */
function show({ isFirst = false } = {}) {
  const address = location.hash.replace(/^#\/?/, "");
  const { title, body, above } = viewOf(address);
  const heading = h("h1", { tabindex: "-1" }, title);
  const way = h(
    "nav.breadcrumb",
    { "aria-label": t("shell.breadcrumb") },
    h("a", { href: "#/" }, t("reference.title")),
    above
      ? [h("span", { "aria-hidden": "true" }, "/"), h("a", { href: `#/${above.name}`, lang: "en" }, above.title)]
      : null,
  );
  replaceChildren(main, address === "" ? null : way, h("div.heading", {}, heading), body);
  document.title = address === "" ? `${title} · Keyhouse` : `${title} · ${t("reference.title")} · Keyhouse`;
  mark(address);
  if (isFirst) return;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/**
 * @param {string} address
 * @returns {{title: Page.Child, body: Page.Child, above?: import("./description.js").Resource}}
 */
function viewOf(address) {
  const [name, id] = address.split("/");
  if (address === "") return overview(description);
  if (address === "errors") return errorsView(description);
  const resource = description.resources.find((one) => one.name === name);
  const operation = resource?.operations.find((one) => one.id === id);
  if (resource && operation) return { ...operationView(operation, description, refresh), above: resource };
  if (resource && id === undefined) return resourceView(resource);
  return {
    title: t("problems.no_page"),
    body: h(
      "div.card.empty",
      {},
      h("p.soft", {}, t("problems.no_page_hint")),
      h("a.button", { href: "#/" }, t("reference.title")),
    ),
  };
}

/**
 * Reads the session again after an operation that may have begun or ended it. The view stays as it is.
 *
 * @param {import("./description.js").Operation} operation
 */
async function refresh({ resource, method }) {
  if (method === "GET" || !["session", "sessions", "setup", "reset", "invitations"].includes(resource)) return;
  await reload();
  document.querySelector("header.top").replaceWith(
    header(description, async () => {
      frame();
      show({ isFirst: true });
    }),
  );
}

/** @param {KeyboardEvent} event */
function followSlash(event) {
  const isTyping = /** @type {Element} */ (event.target).matches?.("input, select, textarea");
  const isOther = event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  if (isTyping || isOther || kept("shortcuts") === "off" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  const side = document.getElementById("side");
  const field = searchField();
  if (side && !field.checkVisibility()) side.showPopover();
  field.focus();
}

begin();
