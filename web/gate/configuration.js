// The configuration files of a proxy for a gate. They are those of the examples, without their stand-in for the
// application.

import { file } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { loadStyles } from "../lib/styles.js";
import { t } from "../lib/text.js";
import { copyButton } from "../elements/copy-button.js";
import { DEFAULT_GATE } from "./words.js";

/** From this comment on to the end of the file, or to Envoy's list of clusters. */
const STAND_IN = /\n+( *)# A stand-in for the application[^]*?(\n\n {2}clusters:|$)/;
/** Where the header of a file mentions it. */
const MENTION = / \(a stand-in[^)]*\)/g;
/** What the comment says about the gate `default`. */
const ABOUT_DEFAULT = /([ \t]*(?:#|--) )The gate `default` accepts[^]*?another\s+(?:(?:#|--)\s+)?gate\.([ \n])/;
/** The port of Keyhouse in the examples. */
const PORT = "7117";

/**
 * The text of an example for the gate of this name, with Keyhouse on this port.
 *
 * @param {string} text
 * @param {string} gate
 * @param {string} [port]
 */
export function forGate(text, gate, port = PORT) {
  // In nginx, the stand-in is inside the last block.
  const whole = text.replace(STAND_IN, (_, indent, next) => next || (indent ? "\n}\n" : "\n")).replace(MENTION, "");
  const moved = whole.replaceAll(PORT, port);
  if (gate === DEFAULT_GATE.name) return moved;
  return moved
    .replace(ABOUT_DEFAULT, (_, begin, end) => (end === "\n" ? "" : begin))
    .replaceAll(/(forward-auth|ext-authz)\/default/g, `$1/${gate}`);
}

/**
 * The port at which a proxy on the same host reaches Keyhouse: that of the page, if no proxy is in front of it.
 *
 * @param {string} publicUrl
 */
export function portOf(publicUrl) {
  const { protocol, hostname, port } = new URL(publicUrl);
  const isLocal = protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname);
  return isLocal && port !== "" ? port : PORT;
}

/**
 * The files of a proxy, each with a copy button.
 *
 * @param {string} proxy
 * @param {string} gate
 * @param {string} publicUrl
 */
export async function configuration(proxy, gate, publicUrl) {
  /** @type {[{name: string, text: string}[], unknown]} */
  const [files] = await Promise.all([file(`proxies/${proxy}`), loadStyles("configuration")]);
  return h(
    "div.stack.tight",
    {},
    files.map(({ name, text }) => codeFile(name, forGate(text, gate, portOf(publicUrl)))),
  );
}

/**
 * @param {string} name
 * @param {string} text
 */
function codeFile(name, text) {
  const code = h("code", {}, text);
  const copy = copyButton(
    () => text,
    () => code,
    t("gate.copy_file", { name }),
  );
  const head = h("div.code-file-head", {}, h("span.code", {}, name), copy);
  return h("div.code-file", {}, head, h("pre", { tabindex: "0", role: "region", "aria-label": name }, code));
}
