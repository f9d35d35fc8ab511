// Plans by the names that people know them by.

import { known } from "./text.js";

/** The name of a plan. */
export const planName = (id) => known(`plans.name_${id}`) ?? id; // plans.name_free, .name_pro, .name_enterprise
