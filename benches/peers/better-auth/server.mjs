// Better Auth with its plugin for API keys and SQLite: creates keys, then answers 200 or 401 to X-Api-Key.
// Usage: node server.mjs PORT FOLDER, where FOLDER has texts.txt with a key on each line.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";

const [port, folder] = process.argv.slice(2);
const database = new Database(`${folder}/auth.db`);
database.pragma("journal_mode = WAL");
const options = {
    database,
    baseURL: `http://127.0.0.1:${port}`,
    secret: "a bench needs no secret, but this has to be long 17",
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    // The default is 10 checks of a key a day.
    plugins: [apiKey({ rateLimit: { enabled: false } })],
};
const auth = betterAuth(options);

await (await getMigrations(options)).runMigrations();
const account = { name: "Owner", email: "owner@example.com", password: "a bench needs no secret 17" };
const { user } = await auth.api.signUpEmail({ body: account });
await auth.api.createApiKey({ body: { userId: user.id, name: "build bot" } });

// The other keys are copies of the first one's row, with their own digests: creating each takes a request.
const first = database.prepare("select * from apikey").get();
const columns = Object.keys(first);
const insert = database.prepare(
    `insert into apikey (${columns.map((name) => `"${name}"`)}) values (${columns.map((name) => `@${name}`)})`,
);
database.transaction(() => {
    const texts = readFileSync(`${folder}/texts.txt`, "utf8").trim().split("\n");
    for (const [number, text] of texts.entries()) {
        const key = createHash("sha256").update(text).digest("base64url");
        insert.run({ ...first, id: `copy-${number}`, key, start: text.slice(0, 6) });
    }
})();

createServer(async (request, response) => {
    const key = request.headers["x-api-key"] ?? "";
    const { valid } = await auth.api.verifyApiKey({ body: { key } });
    response.writeHead(valid ? 200 : 401, { "Content-Length": 0 }).end();
}).listen(Number(port), "127.0.0.1");
