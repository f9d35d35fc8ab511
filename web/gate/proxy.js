// The proxy configuration of a gate: the path of the check, lines that hide the key from the service, and the
// complete files.

import { replaceChildren, h } from "../lib/dom.js";
import { copyButton } from "../elements/copy-button.js";
import { field, select } from "../lib/form.js";
import { card } from "../key/parts.js";
import { problemNotice } from "../lib/messages.js";
import { instance } from "../lib/state.js";
import { formatList, t } from "../lib/text.js";
import { configuration } from "./configuration.js";
import { DEFAULT_GATE } from "./words.js";

/** The check paths of a gate: for most proxies, and for Envoy. */
export const pathsOf = (/** @type {{name: string}} */ { name }) => [
  `/v1/forward-auth/${name}`,
  `/v1/ext-authz/${name}`,
];

/**
 * A path with a copy button.
 *
 * @param {string} path
 */
export function pathLine(path) {
  const shown = h("code", {}, path);
  return h(
    "div.row.path",
    {},
    shown,
    copyButton(
      () => path,
      () => shown,
      t("gates.copy_path", { path }),
    ),
  );
}

/** The headers of credential sources, each once. `authorization:token` is in the header `authorization`. */
const headersIn = (/** @type {string[]} */ sources) => [...new Set(sources.map((source) => source.split(":")[0]))];

/** Sources inside a header with other content, which removing the header would remove too. */
const isPartOfHeader = (/** @type {string} */ source) => /^(cookie|websocket-protocol):/.test(source);

/** The header that a proxy must forward to Keyhouse for a source. */
const headerOf = (/** @type {string} */ source) =>
  source.replace(/^websocket-protocol:.*/, "sec-websocket-protocol").split(":")[0];

/** A header in its usual spelling: `X-Api-Key`. */
const titled = (/** @type {string} */ header) => header.replaceAll(/(^|-)[a-z]/g, (first) => first.toUpperCase());

/** Proxies by name: index of their check path, and the lines that remove these headers. */
const PROXIES = /** @type {Record<string, Page.Proxy>} */ ({
  nginx: {
    label: "nginx",
    strip: (headers) => headers.map((header) => `proxy_set_header ${titled(header)} "";`),
  },
  caddy: {
    label: "Caddy",
    strip: (headers) => headers.map((header) => `header_up -${titled(header)}`),
  },
  traefik: {
    label: "Traefik",
    strip: (headers) => [
      "without-key:",
      "  headers:",
      "    customRequestHeaders:",
      ...headers.map((header) => `      ${titled(header)}: ""`),
    ],
  },
  haproxy: {
    label: "HAProxy",
    strip: (headers) => headers.map((header) => `http-request del-header ${header}`),
  },
  envoy: {
    label: "Envoy",
    repeats: true,
    strip: (headers) => ["request_headers_to_remove:", ...headers.map((header) => `- ${header}`)],
  },
});

/** The proxy that was selected last. */
let chosen = "nginx";

/** @param {Page.GateSettings} gate */
export function proxyCard(gate) {
  const advice = h("div.stack", {});
  const files = h("div.stack", {});
  const showOpen = () => whole.open && showFiles(files, gate);
  // The files are loaded when the part is opened.
  const whole = h("details", { ontoggle: showOpen }, h("summary", {}, t("gate.whole_files")), files);
  const choice = proxyChoice(() => {
    replaceChildren(advice, adviceFor(gate, PROXIES[chosen]));
    showOpen();
  });
  return card(t("gate.proxy"), null, choice, advice, whole);
}

/**
 * The field that selects a proxy. Calls `show` now, and after each selection.
 *
 * @param {() => unknown} show
 */
export function proxyChoice(show) {
  const onchange = (/** @type {Page.ControlEvent} */ event) => {
    chosen = event.target.value;
    show();
  };
  const choices = Object.entries(PROXIES).map(([name, { label }]) => [name, label]);
  show();
  return field(t("gate.which_proxy"), select("proxy", choices, chosen, { class: "short", onchange }));
}

/**
 * Shows the files of the selected proxy.
 *
 * @param {HTMLElement} place
 * @param {Page.GateSettings} gate
 */
export async function showFiles(place, gate) {
  const wanted = `${chosen} ${gate.name}`;
  place.dataset.wanted = wanted;
  try {
    const files = await configuration(chosen, gate.name, instance.public_url);
    // Meanwhile the user may have selected another proxy or gate.
    if (place.dataset.wanted === wanted) replaceChildren(place, files);
  } catch (problem) {
    if (!problem.members) throw problem;
    if (place.dataset.wanted !== wanted) return;
    replaceChildren(
      place,
      problemNotice(problem, () => showFiles(place, gate)),
    );
  }
}

/**
 * What the files of a proxy need for credentials in other headers than those of the examples.
 *
 * @param {Page.GateSettings} gate
 */
export function headerNotes(gate) {
  const inside = gate.credentials.filter(isPartOfHeader);
  const passed = [...new Set(gate.credentials.map(headerOf))];
  const own = passed.filter((header) => !DEFAULT_GATE.credentials.includes(header));
  return [
    own.length > 0 ? h("p.small", {}, t("gate.forward_headers", { headers: formatList(own) })) : null,
    inside.length > 0 ? h("p.small", {}, t("gate.strip_inside", { sources: formatList(inside) })) : null,
  ];
}

/**
 * @param {Page.GateSettings} gate
 * @param {Page.Proxy} proxy
 */
function adviceFor(gate, proxy) {
  const [byHeaders, byLine] = pathsOf(gate);
  const whole = headersIn(gate.credentials.filter((source) => !isPartOfHeader(source)));
  const lines = proxy.strip(whole).join("\n");
  const shown = h("pre", {}, h("code", {}, lines));
  return [
    h("div.stack.tight", {}, h("h3", {}, t("gate.check_path")), pathLine(proxy.repeats ? byLine : byHeaders)),
    headerNotes(gate),
    whole.length === 0
      ? null
      : h(
          "div.stack.tight",
          {},
          h("h3", {}, t("gate.strip")),
          // gate.strip_nginx, .strip_caddy, .strip_traefik, .strip_haproxy, .strip_envoy
          h("p.small.soft", {}, t(`gate.strip_${chosen}`)),
          shown,
          h(
            "div",
            {},
            copyButton(
              () => lines,
              () => shown,
              t("gate.copy_lines"),
            ),
          ),
        ),
  ];
}
