// <usage-chart>: calls over time as stacked bars. The chart is redrawn when its width changes, so that its text
// keeps its size. Each outcome has a colour and a pattern. The numbers are also available as a table.

import { replaceChildren, freshId, h, svg } from "../lib/dom.js";
import { formatDate, optionalText, number, t } from "../lib/text.js";

const HEIGHT = 190;
const TOP = 10;
const FOOT = 24;
/** Maximum width of a character of the axis labels. */
const LETTER_PX = 7;
/** Number of looks (colour and pattern). Further outcomes share the last look. */
export const LOOKS = 6;
/** The pattern of each look. */
const PATTERNS = [null, "M0,6 L6,0", "M0,0 L6,6", "M0,3 L6,3", "M3,0 L3,6", "M0,3 L6,3 M3,0 L3,6"];

// codes.VALID, codes.RATE_LIMITED, ...
/** The name of an outcome; its API code if there is no text for it. */
export const codeName = (/** @type {string} */ code) => optionalText(`codes.${code}`) ?? code;

/** The look of each outcome. The first look is reserved for allowed calls. */
export const looksOf = (/** @type {string[]} */ codes) =>
  codes.map((code, at) => (codes.includes("VALID") ? at : at + 1));

/**
 * A small square with the look of an outcome, for the legend.
 *
 * @param {number} at
 */
export function swatch(at) {
  const id = freshId("look");
  return svg(
    "svg.swatch",
    { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" },
    svg("defs", {}, look(id, at)),
    svg("rect", { width: 14, height: 14, rx: 3, fill: `url(#${id})` }),
  );
}

/**
 * The chart of `buckets` (`{start, calls, codes}`), stacked by `codes`, which `nameOf` names and which have these
 * `looks`. `label` is its accessible name.
 *
 * @param {Page.Chart} shown
 */
export function usageChart(shown) {
  const element = /** @type {UsageChart} */ (h("usage-chart", {}));
  element.shown = shown;
  return element;
}

class UsageChart extends HTMLElement {
  watcher = new ResizeObserver(() => this.draw());
  drawnAt = 0;
  /** @type {Page.Chart | null} */
  shown = null;

  connectedCallback() {
    this.watcher.observe(this);
  }

  disconnectedCallback() {
    this.watcher.disconnect();
  }

  draw() {
    const width = Math.floor(this.clientWidth);
    if (!this.shown || width === 0 || width === this.drawnAt) return;
    this.drawnAt = width;
    replaceChildren(this, drawing(this.shown, width));
  }
}
customElements.define("usage-chart", UsageChart);

/**
 * @param {Page.Chart} options
 * @param {number} width
 */
function drawing({ buckets, codes, interval, label, looks, nameOf }, width) {
  const top = niceTop(Math.max(...buckets.map((bucket) => bucket.calls)));
  const ticks = top === 1 ? [0, 1] : [0, top / 2, top];
  const compact = (/** @type {number} */ value) => number(value, { notation: "compact" });
  const left = Math.max(...ticks.map((tick) => compact(tick).length)) * LETTER_PX + 10;
  const room = { left, width: width - left, height: HEIGHT - TOP - FOOT };
  const y = (/** @type {number} */ value) => TOP + room.height * (1 - value / top);
  const ids = codes.map(() => freshId("look"));
  const lines = ticks.map((tick) => [
    svg("line.grid", { x1: left, x2: width, y1: y(tick), y2: y(tick) }),
    svg("text.tick", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, compact(tick)),
  ]);
  const step = room.width / buckets.length;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
    svg(
      "defs",
      {},
      looks.map((at, index) => look(ids[index], at)),
    ),
    lines,
    buckets.map((bucket, at) => column(bucket, { x: left + at * step, step, y, codes, ids, interval, nameOf })),
    timeTicks(buckets, { left, step, interval }),
  );
}

/**
 * @param {Page.Bucket} bucket
 * @param {Page.Scale} options
 */
function column(bucket, { x, step, y, codes, ids, interval, nameOf }) {
  const gap = Math.min(4, step / 5);
  let below = 0;
  const bars = codes.map((code, at) => {
    const calls = bucket.codes[code] ?? 0;
    if (calls === 0) return null;
    const [from, to] = [y(below), y((below += calls))];
    // A single call among thousands must be visible.
    const height = Math.max(from - to, 1.5);
    return svg("rect", { x: x + gap / 2, y: from - height, width: step - gap, height, fill: `url(#${ids[at]})` });
  });
  return svg(
    "g.bucket",
    {},
    svg("title", {}, bucketText(bucket, codes, interval, nameOf)),
    svg("rect.reach", { x, y: TOP, width: step, height: HEIGHT - TOP - FOOT }),
    bars,
  );
}

/**
 * The tooltip of a column.
 *
 * @param {Page.Bucket} bucket
 * @param {string[]} codes
 * @param {"hour" | "day"} interval
 * @param {(code: string) => string} nameOf
 */
function bucketText(bucket, codes, interval, nameOf) {
  const counted = codes.filter((code) => bucket.codes[code]);
  const lines = counted.map((code) => t("usage.of_code", { code: nameOf(code), count: bucket.codes[code] }));
  return [startOf(bucket, interval), t("usage.count", { count: bucket.calls }), ...lines].join("\n");
}

/**
 * @param {Page.Bucket[]} buckets
 * @param {{left: number, step: number, interval: "hour" | "day"}} options
 */
function timeTicks(buckets, { left, step, interval }) {
  /** @type {Intl.DateTimeFormatOptions} */
  const hour = { hour: "numeric", minute: "2-digit" };
  /** @type {Intl.DateTimeFormatOptions} */
  const short = interval === "hour" ? hour : { day: "numeric", month: "short", timeZone: "UTC" };
  const texts = buckets.map((bucket) => formatDate(bucket.start, short));
  const longest = Math.max(...texts.map((text) => text.length)) * LETTER_PX + 14;
  const every = Math.max(1, Math.ceil(longest / step));
  // Counted backwards, so that the newest bucket always has a label.
  return texts.map((text, at) => {
    if ((texts.length - 1 - at) % every !== 0 || (at + 0.5) * step < longest / 2 - left) return null;
    const isLast = at === texts.length - 1;
    const x = isLast ? left + (at + 1) * step : left + (at + 0.5) * step;
    return svg("text.tick", { x, y: HEIGHT - 6, "text-anchor": isLast ? "end" : "middle" }, text);
  });
}

/**
 * The start of a bucket. Days are in UTC.
 *
 * @param {Page.Bucket} bucket
 * @param {"hour" | "day"} interval
 */
export function startOf(bucket, interval) {
  /** @type {Intl.DateTimeFormatOptions} */
  const hour = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
  return formatDate(bucket.start, interval === "hour" ? hour : { dateStyle: "medium", timeZone: "UTC" });
}

/**
 * @param {string} id
 * @param {number} at
 */
function look(id, at) {
  const number = Math.min(at, LOOKS - 1);
  const lines = PATTERNS[number];
  return svg(
    "pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
    svg(`rect.tone-${number}`, { width: 6, height: 6 }),
    lines ? svg("path.hatch", { d: lines }) : null,
  );
}

/**
 * A round number of at least `most` whose half is a whole number too.
 *
 * @param {number} most
 */
function niceTop(most) {
  if (most <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 6, 8, 10].map((times) => times * power).find((top) => top >= most && top % 2 === 0) ?? most;
}
