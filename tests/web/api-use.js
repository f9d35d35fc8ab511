// How the functions of web/lib/api.js are typed. `tsc` reads this file; nothing runs it. An expected error that does
// not occur is an error.

import { all, get, patch, post } from "../../web/lib/api.js";

const [id, whole] = ["key_1", "/v1/keys"];

/** @type {string | null} */
export const cursor = (await get("/v1/keys", { limit: 10 })).next_cursor;
/** @type {"personal" | "service"} */
export const kind = (await get(`/v1/keys/${id}`)).kind;
/** @type {Api.Team[]} */
export const teams = await all("/v1/teams");
/** @type {number} */
export const count = (await get(`/v1/keys/${id}/descendants`)).count;

// @ts-expect-error -- no such path
await get("/v1/kez");
// @ts-expect-error -- no such method
await patch("/v1/keys", {});
// @ts-expect-error -- a path that is any text has no response
await get(whole);
// @ts-expect-error -- no such field of the query
await get("/v1/keys", { limits: 10 });
// @ts-expect-error -- no such field of the body
await post("/v1/teams", { nam: "Operations" });
// @ts-expect-error -- no such field of the response
export const title = (await get(`/v1/keys/${id}`)).title;
