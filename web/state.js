// What the page knows of whoever sits before it, and of the instance.

import { get, request } from "./api.js";

/** `GET /v1/instance`. */
export let instance = {};
/** `GET /v1/session`, or `null` where nobody is signed in. */
export let session = null;

const channel = new BroadcastChannel("keyhouse");

/** Asks who is there, and where. */
export async function load() {
  [instance, session] = await Promise.all([get("/v1/instance"), whoIsThere()]);
}

/** Asks again who is there. */
export async function reload() {
  session = await whoIsThere();
}

/** Somebody signed in, or out (`null`): other tabs are told. */
export function become(somebody) {
  session = somebody;
  channel.postMessage(session?.user.id ?? null);
}

/** Told when another tab signs in or out. */
export function whenElsewhere(handler) {
  channel.addEventListener("message", handler);
}

/** Whether the person holds one of Keyhouse's own permissions. */
export const may = (permission) => session?.permissions.includes(permission) ?? false;

/** Whether the person runs the instance. */
export const isOperator = () => session?.user.operator ?? false;

async function whoIsThere() {
  try {
    return await request("GET", "/v1/session", { quietly: true });
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}
