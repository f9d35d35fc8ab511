// Display names of plans.

import { optionalText } from "./text.js";

/** @param {string} id */
export const planName = (id) => optionalText(`plans.name_${id}`) ?? id; // plans.name_free, .name_pro, .name_enterprise
