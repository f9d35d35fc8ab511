// May a key, read from stdin, do what the first argument names? Exit status 0: yes; 4: no, and why; else: nobody knows.
import { text } from "node:stream/consumers";

const { KEYHOUSE_URL, KEYHOUSE_KEY } = process.env;
const answer = await fetch(`${KEYHOUSE_URL}/v1/verify`, {
  method: "POST",
  headers: { authorization: `Bearer ${KEYHOUSE_KEY}`, "content-type": "application/json" },
  body: JSON.stringify({ key: (await text(process.stdin)).trim(), permissions: process.argv[2] }),
  redirect: "error",
  signal: AbortSignal.timeout(2000),
});
if (!answer.ok) throw new Error(`Keyhouse answered ${answer.status}`);
const verdict = await answer.json();
console.log(verdict.code);
process.exitCode = verdict.valid === true ? 0 : 4;
