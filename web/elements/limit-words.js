// Rate limits and quotas in words.

import { number, t } from "../lib/text.js";

/**
 * A rate limit, such as "100 calls in 10 seconds".
 *
 * @param {{limit: number, window_seconds: number}} rate
 */
export const rateText = ({ limit, window_seconds }) =>
  t("key.rate", { count: limit, seconds: seconds(window_seconds) });

/**
 * A quota, such as "1,000 calls a day (UTC)".
 *
 * @param {Api.Quota} quota
 */
export const quotaText = ({ period, limit, timezone }) =>
  // key.quota_day, key.quota_week, key.quota_month
  t(`key.quota_${period}`, { count: limit, zone: timezone });

/**
 * A number of seconds in the largest fitting unit: `10 seconds`, `1 hour`.
 *
 * @param {number} span
 */
export function seconds(span) {
  /** @type {[number, string][]} */
  const units = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const [size, unit] = units.find(([size]) => span % size === 0) ?? [1, "second"];
  return number(span / size, { style: "unit", unit, unitDisplay: "long" });
}
