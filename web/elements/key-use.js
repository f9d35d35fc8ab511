// A key and its part of all calls, in lists of the busiest keys.

import { h, svg } from "../lib/dom.js";
import { t } from "../lib/text.js";

/** @typedef {NonNullable<Api.Usage["keys"]>[number]} KeyUse */

/** @param {KeyUse} use */
export const keyLink = ({ key, name }) =>
  h("a.key-name", { href: `#/keys/${key}`, dir: "auto", title: name }, name ?? t("overview.hidden_key"));

/**
 * A bar of this part of the width.
 *
 * @param {number} part
 */
export const share = (part) =>
  svg(
    "svg.share",
    { viewBox: "0 0 100 2", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100 * part, height: 2 }),
  );
