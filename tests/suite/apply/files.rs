//! Wrong files change nothing, and each fault names its file, line and field.

use crate::apply::{apply, events, export, file, whole};
use crate::test_server::TestServer;

/// The text of a file, and for each of its faults the line, the field and a part of the detail.
type WrongFile = (&'static str, &'static [(usize, &'static str, &'static str)]);

const KEY: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

const WRONG: &[WrongFile] = &[
    ("plans = [\n", &[(1, "", "is not TOML")]),
    ("{\"plans\": [\n}", &[(2, "", "is not JSON")]),
    ("{\"plans\": [],\n\"plans\": []}", &[(2, "", "plans")]),
    ("[[plan]]\nname = \"pro\"", &[(1, "plan", "is not a known field")]),
    ("[[plans]]\nname = \"gold\"", &[(2, "plans.name", "must be one of free, pro, enterprise")]),
    (
        "[[plans]]\nname = \"pro\"\n[plans.limits]\nkeys = \"many\"\nusers = -1",
        &[(4, "plans.limits.keys", "or \"none\""), (5, "plans.limits.users", "whole number")],
    ),
    ("[[permissions]]\nname = \"keyhouse:keys:read\"", &[(2, "permissions.name", "of Keyhouse")]),
    ("[[permissions]]\nname = \"a\"", &[(2, "permissions.name", "must be 2 to 8 segments")]),
    ("[[gates]]\nname = \"default\"", &[(2, "gates.name", "always exists")]),
    (
        "[[gates]]\nname = \"a\"\n[[gates.routes]]\npath = \"x\"\n[[gates.routes]]\npath = \"/y\"\naccess = \"open\"",
        &[
            (4, "gates.routes.path", "must start with '/'"),
            (7, "gates.routes.access", "must be key, public or denied"),
        ],
    ),
    (
        "[[gates]]\nname = \"a\"\nroutes = [\n{ path = \"/x/{a}\" },\n{ path = \"/x/*\" },\n]",
        &[(5, "gates.routes", "matches the same requests")],
    ),
    (
        "[[gates]]\nname = \"a\"\norganizations = [\"Nowhere\"]",
        &[(3, "gates.organizations", "no organization has the name \"Nowhere\"")],
    ),
    (
        "[[gates]]\nname = \"a\"\n[[gates]]\nname = \"a\"",
        &[(4, "gates.name", "is declared already at")],
    ),
    ("[[organizations]]\ndomains = []", &[(1, "organizations.name", "is required")]),
    ("[[organizations]]\nname = \"New\"", &[(2, "organizations.name", "to create it, add owner")]),
    (
        "[[organizations]]\nname = \"Acme\"\ndomains = [\"@x\"]\nkey_lifetime_days_max = 0",
        &[
            (3, "organizations.domains", "must be a domain name"),
            (4, "organizations.key_lifetime_days_max", "from 1 to 3650"),
        ],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\nsecond_factor_required_of = [\"Missing\"]\n[[organizations.users]]\nemail = \"ada@example.com\"\nrole = \"Missing\"",
        &[
            (3, "organizations.second_factor_required_of", "no role has the name \"Missing\""),
            (6, "organizations.users.role", "no role has the name \"Missing\""),
        ],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.roles]]\nname = \"owner\"\n[[organizations.roles]]\nname = \"x\"\npermissions = [\"keyhouse:instance:manage\"]",
        &[
            (4, "organizations.roles.name", "built-in"),
            (7, "organizations.roles.permissions", "must not contain keyhouse:instance"),
        ],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.teams]]\nname = \"Blue\"\n[[organizations.teams]]\nname = \"blue\"",
        &[(6, "organizations.teams.name", "reads like \"Blue\"")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.teams]]\nname = \"BUILD\"",
        &[(4, "organizations.teams.name", "reads like \"Build\", which exists")],
    ),
    (
        "[[organizations]]\nname = \"New\"\nowner = \"a@new.example\"\ndomains = [\"acme.example\"]",
        &[(4, "organizations.domains", "\"acme.example\" belongs to \"Acme\"")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\ndomains = []\n[[organizations]]\nname = \"Aaa\"\nowner = \"a@new.example\"\ndomains = [\"acme.example\"]",
        &[(7, "organizations.domains", "remove it there with an earlier apply")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\ndomains = [\"new.example\"]\n[[organizations]]\nname = \"New\"\nowner = \"a@new.example\"\ndomains = [\"new.example\"]",
        &[(7, "organizations.domains", "is also declared for \"Acme\"")],
    ),
    (
        "[[organizations]]\nname = \"New\"\nowner = \"a@new.example\"\n[[organizations.teams]]\nname = \"T\"",
        &[(5, "organizations.teams.name", "the plan \"free\" includes no teams")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"k\"\ndigest = \"md5:00\"",
        &[(5, "organizations.keys.digest", "the part before the colon must be blake3, sha256")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"k\"\n[[organizations.keys]]\nname = \"m\"\nsecret_file = \"missing.txt\"",
        &[(3, "organizations.keys.digest", "is required, or secret_file")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"m\"\nsecret_file = \"missing.txt\"",
        &[(5, "organizations.keys.secret_file", "could not read")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"k\"\ndigest = \"KEY\"\nteams = { Nowhere = \"read\" }\n",
        &[(6, "organizations.keys.teams", "no team has the name \"Nowhere\"")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"k\"\ndigest = \"KEY\"\nenvironment = \"test\"\n",
        &[(6, "organizations.keys.environment", "is \"live\" and cannot be changed")],
    ),
    (
        "[[organizations]]\nname = \"Acme\"\n[[organizations.keys]]\nname = \"k\"\ndigest = \"blake3:0000000000000000000000000000000000000000000000000000000000000001\"\nexpires_at = 2001-01-01T00:00:00Z\n",
        &[(5, "organizations.keys.digest", "expires_at must be in the future")],
    ),
];

#[test]
fn a_wrong_file_changes_nothing_and_names_file_line_and_field() {
    let instance = TestServer::start();
    let home = instance.home();
    apply(home, &[&whole(home)]);
    let (before, written) = (events(home), export(home));
    let right = "\n[[permissions]]\nname = \"never:created\"\n";
    let right = file(home, "right.toml", right);
    for (text, faults) in WRONG {
        let path = file(home, "wrong", &text.replace("KEY", KEY));
        let ended = home.run_cli(&["apply", &right, &path], "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{text}: {ended:?}");
        let lines: Vec<&str> = ended.stderr.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines.len(), faults.len(), "{text}: {ended:?}");
        for (line, (number, field, detail)) in lines.iter().zip(*faults) {
            let place = if field.is_empty() {
                format!("{path}:{number}: ")
            } else {
                format!("{path}:{number}: {field}: ")
            };
            assert!(
                line.starts_with(&place) && line.contains(detail),
                "{text}: {line} {place} {detail}"
            );
        }
    }
    assert_eq!(events(home), before);
    assert_eq!(export(home), written);
}

#[test]
fn a_field_that_two_files_set_is_a_fault() {
    let instance = TestServer::start();
    let home = instance.home();
    let text = "[[organizations]]\nname = \"Acme\"\nfirst = true\nsuspended = false\n";
    let (one, two) = (file(home, "one.toml", text), file(home, "two.toml", text));
    let ended = home.run_cli(&["apply", &one, &two], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let claim = format!("{two}:4: organizations.suspended: is declared already at {one}:");
    assert!(ended.stderr.contains(&claim), "{ended:?}");
}

#[test]
fn a_secret_in_a_file_is_never_printed() {
    let instance = TestServer::start();
    let home = instance.home();
    let secret = "a secret with spaces 0123456789";
    file(home, "secret.txt", secret);
    let text = "[[organizations]]\nname = \"Acme\"\nfirst = true\n[[organizations.keys]]\nname = \"k\"\nsecret_file = \"secret.txt\"\n";
    let ended = home.run_cli(&["apply", &file(home, "a.toml", text)], "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("printable characters without spaces"), "{ended:?}");
    assert!(!ended.stderr.contains("a secret"), "{ended:?}");
}
