// A small chart of calls over time without axes: allowed calls, and refused calls above them.

import { h, svg } from "../lib/dom.js";

const WIDTH = 120;
const HEIGHT = 28;
/** A single call among thousands must be visible. */
const LEAST = 1.5;

/**
 * @param {{calls: number, allowed: number}[]} buckets
 * @param {string} label
 */
export function sparkline(buckets, label) {
  const top = Math.max(1, ...buckets.map((bucket) => bucket.calls));
  const step = WIDTH / buckets.length;
  const bar = (/** @type {string} */ look, /** @type {number} */ at, /** @type {number} */ from, calls = 0) => {
    if (calls === 0) return null;
    const height = Math.max((HEIGHT * calls) / top, LEAST);
    return svg(`rect.${look}`, { x: at * step + 0.5, y: HEIGHT - from - height, width: step - 1, height });
  };
  const bars = buckets.map(({ calls, allowed }, at) => [
    bar("allowed", at, 0, allowed),
    bar("refused", at, (HEIGHT * allowed) / top, calls - allowed),
  ]);
  const line = svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, line, bars);
  return h("span.sparkline", {}, drawing);
}
