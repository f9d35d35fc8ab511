//! `/v1/keys` creates, finds and lists keys.

mod bounded_key;
mod changes;
mod crossing_patterns;
mod explain;
mod export;
mod exports;
mod foreign_texts;
mod import;
mod importers;
mod input;
mod key_bounds;
mod lists;
mod quota;
mod requests;
mod revocation;
mod rotation;
mod sharing;
mod unreachable;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{TestServer, made};

#[test]
fn the_secret_of_a_new_key_is_returned_only_once() {
    let instance = TestServer::start();
    let answer = instance.ask(&Ask::post("/v1/keys", &json!({"name": "deploy"})));
    let created = answer.expect(201);
    let (key, secret) = (&created["key"], created["secret"].as_str().unwrap());
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    assert_eq!(secret.len(), 57);
    assert!(secret.starts_with("kh_live_"));
    let hint = key["hint"].as_str().unwrap();
    assert!(secret.starts_with(hint) && hint.len() == "kh_live_".len() + 4, "{key}");
    let body = secret.rsplit('_').next().unwrap();
    assert!(body.len() == 49 && body.bytes().all(|it| it.is_ascii_alphanumeric()));

    assert_shape!("new_key", &created);

    let found = instance.ask(&Ask::get(&format!("/v1/keys/{}", key["id"].as_str().unwrap())));
    let again = found.expect(200);
    assert_eq!(&again, key, "the key that is read equals the key in the response");
    assert_eq!(found.header("etag").unwrap(), format!("\"{}\"", key["version"]));
    assert!(!found.body.contains(body), "the secret is shown again");
    assert!(!instance.ask(&Ask::get("/v1/keys")).body.contains(body));
}

#[test]
fn every_given_field_is_stored_unchanged() {
    let instance = TestServer::start();
    let fields = json!({
        "name": "  Café \u{1f511} „deploy“  ", "description": "What it is for.", "kind": "service",
        "environment": "test", "permissions": ["diagrams:read", "files:*:list"],
        "ip_rules": {"allow": ["10.0.0.0/8", "2001:db8::/32"], "deny": ["10.9.0.0/16"]},
        "rate_limits": [{"name": "burst", "limit": 5, "window_seconds": 10}],
        "metadata": {"ticket": "OPS-7"},
        "not_before": "2020-01-01T00:00:00Z", "expires_at": "2999-12-31T23:59:59.999+02:00",
    });
    let made = instance.create(&fields);
    for field in ["description", "kind", "environment", "permissions", "rate_limits", "metadata"] {
        assert_eq!(made.key[field], fields[field], "{field}");
    }
    assert_eq!(made.key["ip_rules"]["allow"], fields["ip_rules"]["allow"]);
    assert_eq!(made.key["ip_rules"]["deny"], fields["ip_rules"]["deny"]);
    assert_eq!(made.key["name"], "Café \u{1f511} „deploy“");
    assert_eq!(made.key["not_before"], "2020-01-01T00:00:00.000Z");
    assert_eq!(made.key["expires_at"], "2999-12-31T21:59:59.999Z");
    assert!(made.secret.starts_with("kh_test_"));
    assert_shape!("key_with_every_field", &made.key);
    assert_eq!(instance.key(&made.id), made.key);
}

#[test]
fn a_key_without_a_name_gets_a_readable_one() {
    let instance = TestServer::start();
    let made = instance.create(&json!({}));
    let name = made.key["name"].as_str().unwrap();
    assert!(name.len() >= 5 && name.is_ascii(), "{name}");
    assert_ne!(instance.create(&json!({})).key["name"], name);
}

#[test]
fn expires_in_counts_from_now() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"expires_in": "90d"})).key;
    let (from, to) = (key["created_at"].as_str().unwrap(), key["expires_at"].as_str().unwrap());
    let seconds = |text: &str| {
        let date = Command::new("date").args(["-d", text, "+%s"]).output().unwrap().stdout;
        String::from_utf8(date).unwrap().trim().parse::<i64>().unwrap()
    };
    assert_eq!(seconds(to) - seconds(from), 90 * 86_400, "{from} {to}");
}

#[test]
fn permissions_default_to_all_of_the_owner_or_none_for_a_service() {
    let instance = TestServer::start();
    let personal = instance.create(&json!({"name": "mine"}));
    let service = instance.create(&json!({"name": "ours", "kind": "service"}));
    let may = |secret: &str, permission: &str| {
        let ask = json!({"key": secret, "permissions": [permission]});
        instance.ask(&Ask::post("/v1/verify", &ask)).expect(200)["code"].clone()
    };
    assert_eq!(may(&personal.secret, "diagrams:read"), "VALID");
    assert_eq!(may(&personal.secret, "keyhouse:keys:read"), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(may(&service.secret, "diagrams:read"), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(service.key["permissions"], json!([]));
    assert!(personal.key["owner"].to_string().contains("usr_"), "{}", personal.key);
}

#[test]
fn pages_list_every_key_once_newest_first() {
    let instance = TestServer::start();
    let mut ids: Vec<String> =
        (0..23).map(|at| instance.create(&json!({"name": format!("n{at}")})).id).collect();
    ids.reverse();
    for limit in [1, 5, 23, 100] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                instance.ask(&Ask::get(&format!("/v1/keys?limit={limit}{cursor}"))).expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit, "{limit}: {}", items.len());
            seen.extend(items.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            assert!(!items.is_empty(), "an empty page with a cursor");
            assert!(
                next.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it)),
                "{next}"
            );
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ids, "pages of {limit}");
    }
}

#[test]
fn pages_continue_correctly_while_keys_are_added_and_removed() {
    let instance = TestServer::start();
    let old: Vec<String> = (0..6).map(|_| instance.create(&json!({})).id).collect();
    let first = instance.ask(&Ask::get("/v1/keys?limit=3")).expect(200);
    instance.create(&json!({"name": "newer than the page"}));
    // The last key of the page, to which the cursor may point, is removed.
    assert_eq!(instance.ask(&Ask::new("DELETE", &format!("/v1/keys/{}", old[3]))).status, 204);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = instance.ask(&Ask::get(&format!("/v1/keys?limit=3&cursor={cursor}"))).expect(200);
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), [old[5].clone(), old[4].clone(), old[3].clone()]);
    assert_eq!(ids(&second), [old[2].clone(), old[1].clone(), old[0].clone()]);
}

#[test]
fn search_matches_name_description_and_hint() {
    let instance = TestServer::start();
    let deploy =
        instance.create(&json!({"name": "Deploy prod", "description": "the Big pipeline"}));
    instance.create(&json!({"name": "Reader of plots"}));
    instance.create(&json!({"name": "100% _odd_"}));
    let found = |search: &str| -> BTreeSet<String> {
        let page = instance.ask(&Ask::get(&format!("/v1/keys?search={search}"))).expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items.map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    // The texts are long and have letters that ids do not have, so that no random hint or id
    // contains them.
    assert_eq!(found("deploy"), set(&["Deploy prod"]));
    assert_eq!(found("PROD"), set(&["Deploy prod"]));
    assert_eq!(found("Deploy%20p"), set(&["Deploy prod"]));
    assert_eq!(found("Deploy+p"), set(&["Deploy prod"]));
    assert_eq!(found("BIG+pipe"), set(&["Deploy prod"]));
    assert_eq!(found("plo"), set(&["Deploy prod", "Reader of plots"]));
    assert_eq!(found("%25"), set(&["100% _odd_"]), "no wildcard of some database");
    assert_eq!(found("_odd"), set(&["100% _odd_"]));
    assert_eq!(found(deploy.key["hint"].as_str().unwrap()), set(&["Deploy prod"]));
    assert_eq!(found(&deploy.id), set(&["Deploy prod"]));
    assert_eq!(found("nothing-like-it"), set(&[]));
    // Beyond the hint, a search must not reveal whether a guess at the secret was right.
    let beyond = deploy.secret.get(..20).unwrap();
    assert_eq!(found(beyond), set(&[]));
}

#[test]
fn lists_omit_revoked_keys_by_default() {
    let instance = TestServer::start();
    let [active, disabled, revoked] =
        ["active", "disabled", "revoked"].map(|name| instance.create(&json!({"name": name})));
    instance.act(&disabled.id, "disable").expect(200);
    instance.act(&revoked.id, "revoke").expect(200);
    let later = instance.create(&json!({"name": "later", "not_before": "2999-01-01T00:00:00Z"}));
    let listed = |query: &str| -> BTreeSet<String> {
        let page = instance.ask(&Ask::get(&format!("/v1/keys{query}"))).expect(200);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let set = |of: &[&crate::test_server::Made]| {
        of.iter().map(|made| made.id.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(listed(""), set(&[&active, &disabled, &later]));
    assert_eq!(listed("?status=active"), set(&[&active]));
    assert_eq!(listed("?status=disabled"), set(&[&disabled]));
    assert_eq!(listed("?status=revoked"), set(&[&revoked]));
    assert_eq!(listed("?status=not_yet_valid"), set(&[&later]));
    assert_eq!(listed("?status=expired"), set(&[]));
    assert_eq!(listed("?status=all"), set(&[&active, &disabled, &revoked, &later]));
}

#[test]
fn a_management_key_acts_within_its_permissions() {
    let instance = TestServer::start();
    let manager = instance.manager();
    let creator = instance.create(&json!({
        "name": "creator", "permissions": ["keyhouse:keys:create", "diagrams:read"],
    }));
    let anonymous = instance.create(&json!({"name": "anonymous"}));
    let ask =
        |secret: &str, body: Value| instance.bare(&Ask::post("/v1/keys", &body).bearer(secret));

    let service = json!({"kind": "service", "permissions": ["diagrams:read"]});
    let created = made(&ask(&manager.secret, service.clone()).expect(201));
    assert!(created.key["created_by"].to_string().contains(&manager.id), "{}", created.key);
    // A service key has no user, so it cannot own a personal key.
    let personal = ask(&manager.secret, json!({"kind": "personal"})).problem(400, "invalid_input");
    assert_eq!(personal["errors"][0]["pointer"], "/kind", "{personal}");
    assert_eq!(personal["errors"][0]["code"], "no_owner", "{personal}");
    ask(&manager.secret, json!({"kind": "service", "permissions": ["keyhouse:users:manage"]}))
        .problem(403, "permission_required");
    ask(&manager.secret, json!({"kind": "service", "permissions": ["keyhouse:*"]}))
        .problem(403, "permission_required");

    ask(&creator.secret, service).problem(403, "permission_required");
    ask(&creator.secret, json!({"permissions": ["diagrams:read"]})).expect(201);
    ask(&creator.secret, json!({"permissions": ["diagrams:write"]}))
        .problem(403, "permission_required");
    // A key without a list has the permissions of its owner, which may exceed those of the key that
    // creates it.
    ask(&creator.secret, json!({"name": "all of the owner's"})).problem(403, "permission_required");
    ask(&anonymous.secret, json!({})).problem(403, "permission_required");

    // A wildcard never includes management permissions.
    let star = instance.create(&json!({"permissions": ["*", "*:*:*"]}));
    ask(&star.secret, json!({})).problem(403, "permission_required");
    let answer = instance.bare(&Ask::get("/v1/keys").bearer("kh_live_nothing"));
    answer.problem(401, "NOT_FOUND");
    assert!(answer.challenges().contains("error=\"invalid_token\""));
    instance.act(&manager.id, "revoke").expect(200);
    instance.bare(&Ask::get("/v1/keys").bearer(&manager.secret)).problem(401, "REVOKED");
}

#[test]
fn an_operator_can_grant_permissions_for_the_instance() {
    let instance = TestServer::start();
    // The first owner is operator, and therefore has the permissions for the instance.
    for (permission, allowed) in
        [("keyhouse:keys:read", true), ("keyhouse:*", true), ("keyhouse:instance:verify", true)]
    {
        let ask = Ask::post("/v1/keys", &json!({"permissions": [permission]}));
        let status = instance.ask(&ask).status;
        assert_eq!(status == 201, allowed, "{permission}: {status}");
    }
}

/// A leaked key must not remove the restrictions of its owner's other keys.
#[test]
fn a_key_cannot_change_a_stronger_key_of_its_owner() {
    let instance = TestServer::start();
    let weak = instance.create(&json!({"permissions": ["keyhouse:keys:create", "a:b"]}));
    let rules = json!({"allow": ["10.0.0.0/8"], "deny": []});
    let limits = json!([{"name": "calls", "limit": 1, "window_seconds": 60}]);
    let strong =
        instance.create(&json!({"ip_rules": rules, "rate_limits": limits, "expires_in": "1h"}));
    let path = format!("/v1/keys/{}", strong.id);
    for change in [
        json!({"ip_rules": {"allow": [], "deny": []}}),
        json!({"rate_limits": []}),
        json!({"expires_at": null}),
        json!({"not_before": null, "expires_at": "2999-01-01T00:00:00Z"}),
    ] {
        let answer = instance.bare(&Ask::patch(&path, &change).bearer(&weak.secret));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "permission_required"),
            "{change}"
        );
    }
    instance.act(&strong.id, "disable").expect(200);
    let enable = Ask::post(&format!("{path}/enable"), &json!({})).bearer(&weak.secret);
    instance.bare(&enable).problem(403, "permission_required");
    let now = instance.key(&strong.id);
    assert_eq!((&now["ip_rules"], &now["rate_limits"]), (&rules, &limits));
    assert_eq!(now["status"], "disabled");
}

/// A key's list must name management permissions explicitly, and reading keys is a management
/// permission.
#[test]
fn a_key_without_management_permissions_cannot_see_other_keys() {
    let instance = TestServer::start();
    let plain = instance.create(&json!({"permissions": ["a:b"]}));
    let other = instance
        .create(&json!({"name": "what the owner calls it", "metadata": {"host": "db-seven"}}));
    for path in ["/v1/keys".to_owned(), format!("/v1/keys/{}", other.id)] {
        let answer = instance.bare(&Ask::get(&path).bearer(&plain.secret));
        let problem = answer.problem(403, "permission_required");
        assert_eq!(problem["permission"], "keyhouse:keys:read", "{path}");
        assert!(!answer.body.contains("db-seven"), "{path}: {}", answer.body);
    }
}

#[test]
fn a_key_cannot_remove_its_own_bounds() {
    let instance = TestServer::start();
    let permissions = json!(["keyhouse:keys:create", "keyhouse:keys:manage", "a:b"]);
    let key = instance.create(&json!({"permissions": permissions, "expires_in": "1h"}));
    let path = format!("/v1/keys/{}", key.id);
    let bearer = format!("Bearer {}", key.secret);
    let free = Ask::new("PATCH", &path).json(&json!({"expires_at": null}));
    instance.bare(&free.header("Authorization", &bearer)).problem(409, "own_key");
    let rename = Ask::new("PATCH", &path).json(&json!({"name": "still me"}));
    instance.bare(&rename.header("Authorization", &bearer)).expect(200);
    instance
        .bare(&Ask::get("/v1/session").header("Authorization", &bearer))
        .problem(403, "session_required");
}

#[test]
fn a_service_key_creates_keys_of_the_organization() {
    let instance = TestServer::start();
    let permissions = json!(["keyhouse:keys:manage", "keyhouse:keys:create", "a:*"]);
    let manager = instance.create(&json!({"kind": "service", "permissions": permissions}));
    let bearer = format!("Bearer {}", manager.secret);
    let ask = |fields: Value| Ask::post("/v1/keys", &fields).header("Authorization", &bearer);
    let made = instance.bare(&ask(json!({"permissions": ["a:b"]}))).expect(201);
    assert_eq!((&made["key"]["kind"], &made["key"]["owner"]), (&json!("service"), &json!(null)));
    assert_eq!(made["key"]["created_by"], manager.id);
    instance.bare(&ask(json!({"kind": "personal"}))).problem(400, "invalid_input");
    instance.bare(&ask(json!({"permissions": ["b:c"]}))).problem(403, "permission_required");
}

#[test]
fn start_and_expiry_accept_durations_on_create_and_update() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"not_before_in": "1h", "expires_in": "2h"}));
    assert_eq!(key.key["status"], "not_yet_valid");
    assert_eq!(instance.verify(&key.secret)["code"], "NOT_YET_VALID");
    let path = format!("/v1/keys/{}", key.id);
    let change = json!({"not_before": null, "expires_in": "90d"});
    let changed = instance.ask(&Ask::patch(&path, &change)).expect(200);
    assert_eq!(changed["status"], "active");
    assert!(changed["expires_at"].as_str() > key.key["expires_at"].as_str(), "{changed}");
    for (fields, pointer, code) in [
        (json!({"expires_in": "1h", "expires_at": null}), "/expires_in", "contradiction"),
        (json!({"not_before_in": "soon"}), "/not_before_in", "invalid_duration"),
        (json!({"not_before_in": "3d", "expires_in": "2d"}), "/expires_at", "out_of_range"),
    ] {
        let problem = instance.ask(&Ask::patch(&path, &fields)).problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)));
    }
}

/// In an earlier version, `"description": null` returned 200 and changed nothing.
#[test]
fn null_clears_a_description() {
    let instance = TestServer::start();
    for (path, draft) in [
        ("/v1/keys", json!({"name": "a", "description": "x"})),
        ("/v1/teams", json!({"name": "a", "description": "x"})),
        ("/v1/roles", json!({"name": "a", "description": "x", "permissions": []})),
        ("/v1/gates", json!({"name": "a", "description": "x"})),
    ] {
        let made = instance.ask(&Ask::post(path, &draft)).expect(201);
        let made = made.get("key").unwrap_or(&made);
        let id = made["id"].as_str().unwrap();
        let target = format!("{path}/{}", if path == "/v1/gates" { "a" } else { id });
        let changed = instance.ask(&Ask::patch(&target, &json!({"description": null}))).expect(200);
        assert_eq!(changed["description"], "", "{path}");
    }
}

#[test]
fn an_expiry_can_be_given_in_months_and_years() {
    let instance = TestServer::start();
    let made = instance.ask(&Ask::post("/v1/keys", &json!({"expires_in": "1y6mo"}))).expect(201);
    let moment = |field: &str| {
        let moment: jiff::Timestamp = made["key"][field].as_str().unwrap().parse().unwrap();
        moment.to_zoned(jiff::tz::TimeZone::UTC)
    };
    let months = jiff::Span::new().months(18);
    // The server reads the expiry before it creates the key: some milliseconds may pass between
    // these times.
    let late =
        moment("created_at").checked_add(months).unwrap().duration_since(&moment("expires_at"));
    assert!((0..1_000).contains(&late.as_millis()), "{late:?}: {made}");
    let listed = instance.ask(&Ask::get("/v1/keys?expires_within=2y")).expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
