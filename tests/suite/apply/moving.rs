//! An export, applied to an empty instance, gives an instance that answers in the same way.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::apply::{apply, export, file, succeeded, whole};
use crate::ask::{Ask, Expect};
use crate::test_server::TestServer;

const CHECKS: usize = 1_000;
const SEED: u64 = 20_261_129;

/// A reproducible sequence of numbers (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const PERMISSIONS: [&str; 6] =
    ["orders:read", "orders:write", "orders:*", "files:read", "*:read", "files:list"];
const ORGANIZATIONS: [&str; 3] = ["Acme", "Beta", "Lapsed"];
const GATES: [&str; 4] = ["default", "orders", "files", "closed"];
/// The codes that the checks must reach.
const CODES: [&str; 11] = [
    "VALID",
    "DISABLED",
    "QUOTA_EXCEEDED",
    "IP_NOT_ALLOWED",
    "SUBSCRIPTION_REQUIRED",
    "NOT_YET_VALID",
    "NOT_ACCEPTED_HERE",
    "ROUTE_NOT_ALLOWED",
    "INSUFFICIENT_PERMISSIONS",
    "NOT_FOUND",
    "NO_CREDENTIAL",
];
const ADDRESSES: [&str; 2] = ["192.0.2.7", "198.51.100.9"];

fn secret(number: usize) -> String {
    format!("another-system-{number:04}-{:016x}", number * 7_919)
}

/// A file with three organizations, one without API access, and forty keys.
fn sample(dice: &mut Dice) -> String {
    let mut text = String::from(
        r#"
[[permissions]]
name = "orders:read"
[[plans]]
name = "enterprise"
limits = { requests_per_month = 1000000 }
[[gates]]
name = "orders"
routes = [
  { path = "/health", access = "public" },
  { path = "/orders/**", methods = ["GET"], permissions = "orders:read" },
  { path = "/orders/**", permissions = "orders:write OR (orders:read AND files:list)", cost = 3 },
  { host = "files.example.com", path = "/**", permissions = "files:read" },
]
[[gates]]
name = "files"
credentials = ["x-api-key"]
organizations = ["Beta", "Acme"]
environments = ["test"]
routes = [{ path = "/files/{name}", permissions = "files:read" }]
[[gates]]
name = "closed"
"#,
    );
    let mut number = 0;
    for (organization, head) in ORGANIZATIONS.iter().zip([
        "first = true\npermissions = [\"*\"]\nsubscription = { plan = \"enterprise\" }",
        "owner = \"olga@beta.example\"\npermissions = [\"orders:*\", \"files:read\"]\nsubscription = { plan = \"pro\" }",
        "owner = \"lars@lapsed.example\"\nsubscription = { plan = \"free\", status = \"past_due\" }",
    ]) {
        write!(text, "[[organizations]]\nname = \"{organization}\"\n{head}\n").unwrap();
        for role in ["Reader", "Writer"] {
            let pattern = dice.one(&PERMISSIONS);
            write!(text, "[[organizations.roles]]\nname = \"{role}\"\npermissions = [\"{pattern}\"]\n").unwrap();
        }
        for _ in 0..14 {
            let digest = blake3::hash(secret(number).as_bytes());
            let granted = [*dice.one(&PERMISSIONS), *dice.one(&PERMISSIONS)];
            let environment = dice.one(&["live", "test"]);
            write!(
                text,
                "[[organizations.keys]]\nname = \"key {}\"\ndigest = \"blake3:{digest}\"\n\
                 permissions = {granted:?}\nenvironment = \"{environment}\"\n",
                number % 10
            )
            .unwrap();
            text.push_str(match dice.below(6) {
                0 => "disabled = true\n",
                1 => "ip_rules = { allow = [\"192.0.2.0/24\"] }\n",
                2 => "quota = { limit = 4, period = \"month\", timezone = \"UTC\" }\n",
                3 => "not_before = 2099-01-01T00:00:00Z\n",
                4 => "metadata = '{\"empty\": null}'\n",
                _ => "expires_at = 2099-01-01T00:00:00Z\n",
            });
            number += 1;
        }
    }
    text
}

/// One random question, and the part of its answer that must not depend on the instance.
fn answer(instance: &TestServer, dice: &mut Dice, secrets: &[String]) -> String {
    let key = dice.one(secrets);
    let address = dice.one(&ADDRESSES);
    match dice.below(10) {
        0..=6 => {
            let gate = dice.one(&GATES);
            let method = dice.one(&["GET", "POST"]);
            let host = dice.one(&["app.example.com", "files.example.com"]);
            let path =
                dice.one(&["/orders/7", "/orders", "/health", "/files/a", "/other", "/a/../b"]);
            let header = dice.one(&["X-API-Key", "Authorization"]);
            let value =
                if *header == "Authorization" { format!("Bearer {key}") } else { key.clone() };
            let ask = Ask::get(&format!("/v1/forward-auth/{gate}"))
                .header("X-Forwarded-Method", method)
                .header("X-Forwarded-Proto", "https")
                .header("X-Forwarded-Host", host)
                .header("X-Forwarded-Uri", path)
                .header("X-Forwarded-For", address)
                .header(header, &value);
            let answer = instance.bare(&ask);
            let code = match &answer.body {
                body if body.is_empty() => Value::Null,
                _ => answer.json()["code"].clone(),
            };
            let permissions = answer.header("x-keyhouse-permissions").unwrap_or("-");
            format!("{gate} {method} {host}{path} {header}: {} {code} {permissions}", answer.status)
        },
        7 | 8 => {
            let wanted = dice.one(&["orders:read", "orders:write AND files:list", "files:read"]);
            let body = json!({"key": key, "permissions": wanted, "ip": address});
            let answer = instance.ask(&Ask::post("/v1/verify", &body)).expect(200);
            let parts =
                ["code", "permissions", "metadata", "environment"].map(|it| answer[it].to_string());
            format!("verify {wanted}: {parts:?}")
        },
        _ => {
            let plan = dice.one(&["free", "pro", "enterprise"]);
            let plan = instance.ask(&Ask::get(&format!("/v1/plans/{plan}"))).expect(200);
            let roles = instance.ask(&Ask::get("/v1/roles")).expect(200);
            let roles = roles["items"].as_array().unwrap();
            let role = &roles[dice.below(roles.len())];
            format!("{}: {} {}", plan["id"], plan["features"], plan["limits"])
                + &format!(" {} {}", role["name"], role["permissions"])
        },
    }
}

#[test]
fn an_export_on_an_empty_instance_gives_equal_answers_and_an_equal_export() {
    let (source, target) = (TestServer::start(), TestServer::start());
    let mut dice = Dice(SEED);
    let path = file(source.home(), "sample.toml", &sample(&mut dice));
    apply(source.home(), &[&path]);
    let mut secrets: Vec<String> = (0..42).map(secret).collect();
    for permissions in [json!(["orders:read"]), json!(["*"])] {
        let key = json!({"kind": "service", "name": "made", "permissions": permissions});
        secrets.push(source.create(&key).secret);
    }
    secrets.push(secret(999));

    let exported = export(source.home());
    let report = succeeded(&target.home().run_cli(&["apply", "-", "--json"], &exported));
    assert_eq!(report["waiting"], json!([]), "{report}");
    assert_eq!(export(target.home()), exported);

    let ended = target.home().run_cli(&["export", "--format", "json"], "");
    let again = succeeded(&target.home().run_cli(&["apply", "-", "--json"], &ended.stdout));
    assert_eq!(again["changes"], json!([]), "the export of the target is what it has");

    let mut codes: BTreeSet<&str> = BTreeSet::new();
    for number in 0..CHECKS {
        let (mut one, mut other) = (Dice(SEED + 1 + number as u64), Dice(SEED + 1 + number as u64));
        for _ in 0..8 {
            assert_eq!(one.below(2), other.below(2));
        }
        let expected = answer(&source, &mut one, &secrets);
        assert_eq!(answer(&target, &mut other, &secrets), expected, "check {number}");
        codes.extend(CODES.iter().filter(|code| expected.contains(**code)));
    }
    assert_eq!(codes.len(), CODES.len(), "the checks reach every code: {codes:?}");
}

#[test]
fn an_export_is_stable_and_leaves_out_what_no_file_can_describe() {
    let instance = TestServer::start();
    let home = instance.home();
    apply(home, &[&whole(home)]);
    instance.create(&json!({"name": "personal"}));
    let exported = export(home);
    assert_eq!(export(home), exported);
    assert!(!exported.contains("personal"), "{exported}");
    assert!(exported.contains("digest = \"sha256-derived:"), "{exported}");
    assert!(!exported.contains("2c26b46b68ffc68f"), "what is stored is not the SHA-256");
}
