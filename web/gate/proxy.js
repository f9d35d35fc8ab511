// The proxy configuration of a gate: the path of the check, and lines that hide the key from the service.

import { replaceChildren, h } from "../lib/dom.js";
import { copyButton } from "../elements/copy-button.js";
import { field, select } from "../lib/form.js";
import { card } from "../key/parts.js";
import { formatList, t } from "../lib/text.js";
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
  const show = () => replaceChildren(advice, adviceFor(gate, PROXIES[chosen]));
  const onchange = (/** @type {Page.ControlEvent} */ event) => {
    chosen = event.target.value;
    show();
  };
  const choices = Object.entries(PROXIES).map(([name, { label }]) => [name, label]);
  show();
  return card(
    t("gate.proxy"),
    null,
    field(t("gate.which_proxy"), select("proxy", choices, chosen, { class: "short", onchange })),
    advice,
  );
}

/**
 * @param {Page.GateSettings} gate
 * @param {Page.Proxy} proxy
 */
function adviceFor(gate, proxy) {
  const [byHeaders, byLine] = pathsOf(gate);
  const inside = gate.credentials.filter(isPartOfHeader);
  const whole = headersIn(gate.credentials.filter((source) => !isPartOfHeader(source)));
  const lines = proxy.strip(whole).join("\n");
  const shown = h("pre", {}, h("code", {}, lines));
  const passed = [...new Set(gate.credentials.map(headerOf))];
  const own = passed.filter((header) => !DEFAULT_GATE.credentials.includes(header));
  return [
    h("div.stack.tight", {}, h("h3", {}, t("gate.check_path")), pathLine(proxy.repeats ? byLine : byHeaders)),
    own.length > 0 ? h("p.small", {}, t("gate.forward_headers", { headers: formatList(own) })) : null,
    inside.length > 0 ? h("p.small", {}, t("gate.strip_inside", { sources: formatList(inside) })) : null,
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
