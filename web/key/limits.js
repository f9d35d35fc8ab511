// The limits of a key in words, and its networks.

import { quotaText, rateText } from "../elements/limit-words.js";

/**
 * The rate limits and the quota of a key, each as a text.
 *
 * @param {Api.Key} key
 */
export const limitTexts = ({ rate_limits, quota }) => [
  ...rate_limits.map(rateText),
  ...(quota ? [quotaText(quota)] : []),
];

/**
 * The networks of a key. The API always returns both lists.
 *
 * @param {Api.Key} key
 * @returns {Page.Networks}
 */
export const networksOf = ({ ip_rules: { allow, deny } }) => ({ allow: allow ?? [], deny: deny ?? [] });
