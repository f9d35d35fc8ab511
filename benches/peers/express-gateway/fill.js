// Creates keys of Express Gateway in Redis, and prints each.
// Usage: node fill.js FOLDER COUNT, where FOLDER has the configuration.

const [folder, count] = process.argv.slice(2);
process.env.EG_CONFIG_DIR = folder;
process.env.LOG_LEVEL = "error";
const services = require("express-gateway/lib/services");
const BATCH = 100;

async function main() {
    const user = await services.user.insert({ username: "owner", firstname: "Owner", lastname: "Example" });
    for (let made = 0; made < Number(count); made += BATCH) {
        const creations = Array.from({ length: BATCH }, () =>
            services.credential.insertCredential(user.id, "key-auth", {}),
        );
        for (const [key] of (await Promise.all(creations)).map((key) => [key])) {
            console.log(`apiKey ${key.keyId}:${key.keySecret}`);
        }
    }
    process.exit(0);
}

main();
