// Checks whether the key on stdin has the permission in the first argument.
// Exit status 0: yes. 4: no; stdout has the code. Any other: the check failed.
import { text } from "node:stream/consumers";

const { KEYHOUSE_URL, KEYHOUSE_KEY } = process.env;
const response = await fetch(`${KEYHOUSE_URL}/v1/verify`, {
  method: "POST",
  headers: { authorization: `Bearer ${KEYHOUSE_KEY}`, "content-type": "application/json" },
  body: JSON.stringify({ key: (await text(process.stdin)).trim(), permissions: process.argv[2] }),
  redirect: "error",
  signal: AbortSignal.timeout(2000),
});
if (!response.ok) throw new Error(`Keyhouse answered ${response.status}`);
const verdict = await response.json();
console.log(verdict.code);
process.exitCode = verdict.valid === true ? 0 : 4;
