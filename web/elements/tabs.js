// Tabs as in the ARIA Authoring Practices: arrow keys move the focus, Enter and Space choose. A panel is made when its
// tab is chosen for the first time. Each tab has an address.

import { freshId, h, replaceChildren } from "../lib/dom.js";
import { skeleton } from "../lib/list.js";
import { problemNotice } from "../lib/messages.js";

/** A panel that is there sooner shows no skeleton. */
const SKELETON_AFTER_MS = 150;

/**
 * @typedef {{name: string, title: string, panel: () => Promise<HTMLElement>}} Tab
 * @typedef {{link: HTMLAnchorElement, panel: HTMLElement, isMade: boolean, tab: Tab}} Part
 */

/**
 * `label` names the list of tabs, `addressOf(name)` is the address of a tab. Returns the elements, and `show(name)`,
 * which shows a tab and resolves when its panel is there.
 *
 * @param {string} label
 * @param {Tab[]} tabs
 * @param {(name: string) => string} addressOf
 */
export function tabbed(label, tabs, addressOf) {
  let current = "";
  const parts = tabs.map((tab) => partOf(tab, addressOf(tab.name)));
  const show = async (/** @type {string} */ name) => {
    current = name;
    const chosen = parts.find((part) => part.tab.name === name) ?? parts[0];
    // The focus may be in the panel that is hidden now.
    const isLeft = parts.some((part) => part !== chosen && part.panel.contains(document.activeElement));
    for (const part of parts) mark(part, part === chosen);
    if (isLeft) chosen.link.focus();
    await filled(chosen);
  };
  const onclick = (/** @type {MouseEvent} */ event) => {
    const chosen = parts.find((part) => part.link === event.currentTarget);
    // The browser opens a new tab or window.
    if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (chosen.tab.name !== current) history.pushState(null, "", chosen.link.href);
    show(chosen.tab.name);
  };
  for (const { link } of parts) link.addEventListener("click", onclick);
  const list = h(
    "div.tabs",
    { role: "tablist", "aria-label": label, onkeydown: moveFocus },
    parts.map(({ link }) => link),
  );
  return { list, panels: parts.map(({ panel }) => panel), show };
}

/**
 * @param {Tab} tab
 * @param {string} href
 * @returns {Part}
 */
function partOf(tab, href) {
  const [id, panelId] = [freshId("tab"), freshId("panel")];
  const link = h("a", { id, href, role: "tab", "aria-controls": panelId }, tab.title);
  const panel = h("div.panel", { id: panelId, role: "tabpanel", "aria-labelledby": id, tabindex: "0" });
  return { link, panel, isMade: false, tab };
}

/**
 * @param {Part} part
 * @param {boolean} isChosen
 */
function mark({ link, panel }, isChosen) {
  link.setAttribute("aria-selected", String(isChosen));
  // The Tab key reaches only the chosen tab.
  link.setAttribute("tabindex", isChosen ? "0" : "-1");
  panel.hidden = !isChosen;
  if (isChosen) link.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** @param {Part} part */
async function filled(part) {
  if (part.isMade) return;
  part.isMade = true;
  const { panel } = part;
  panel.setAttribute("aria-busy", "true");
  const timer = setTimeout(() => replaceChildren(panel, skeleton()), SKELETON_AFTER_MS);
  try {
    const content = await part.tab.panel();
    clearTimeout(timer);
    replaceChildren(panel, content);
  } catch (problem) {
    if (!problem.members) throw problem;
    part.isMade = false;
    clearTimeout(timer);
    replaceChildren(
      panel,
      problemNotice(problem, () => filled(part)),
    );
  } finally {
    panel.removeAttribute("aria-busy");
  }
}

/**
 * Moves the focus between the tabs, and chooses the focused tab.
 *
 * @param {KeyboardEvent} event
 */
function moveFocus(event) {
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const links = [...list.querySelectorAll("[role=tab]")];
  const at = links.indexOf(/** @type {any} */ (document.activeElement));
  const { length } = links;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + length, Home: 0, End: length - 1, " ": at }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const link = links[to % length];
  link.focus();
  if (event.key === " ") link.click();
}
