//! Each test is an attempt to escalate privileges, which must fail.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD, Person, acceptance, token_in};
use crate::server::wire::Answer;
use crate::test_server::TestServer;

/// A change that requires permission to manage keys.
fn manages(instance: &TestServer, secret: &str) -> Answer {
    let body = json!({"name": "more", "kind": "service", "permissions": ["diagrams:read"]});
    instance.bare(&Ask::post("/v1/keys", &body).bearer(secret))
}

fn may(instance: &TestServer, secret: &str, permission: &str) -> Value {
    let body = json!({"key": secret, "permissions": permission});
    instance.ask(&Ask::post("/v1/verify", &body)).expect(200)["code"].clone()
}

#[test]
fn a_wildcard_never_grants_management_of_keyhouse() {
    let instance = TestServer::start();
    let role = instance.role("everything", &["*", "*:*", "*:*:*"]);
    let star = instance.join("star", &role);
    let own = ["keyhouse:keys:manage", "keyhouse:users:manage", "keyhouse:instance:manage"];
    for path in ["/v1/users", "/v1/audit", "/v1/invitations", "/v1/organizations"] {
        star.ask(&instance, Ask::get(path)).problem(403, "permission_required");
    }
    star.ask(&instance, Ask::post("/v1/keys", &json!({}))).problem(403, "permission_required");
    let personal = instance.create(&json!({"permissions": ["*", "*:*:*"]}));
    let service = instance.create(&json!({"kind": "service", "permissions": ["*", "*:*:*"]}));
    for made in [&personal, &service] {
        manages(&instance, &made.secret).problem(403, "permission_required");
        assert_eq!(may(&instance, &made.secret, "diagrams:read"), "VALID");
        for permission in own {
            assert_eq!(may(&instance, &made.secret, permission), "INSUFFICIENT_PERMISSIONS");
        }
    }
    // A role may name management permissions, but no permissions for the instance, which require
    // operator status.
    let body = json!({"name": "instance", "permissions": ["keyhouse:*", "keyhouse:instance:*"]});
    instance.ask(&Ask::post("/v1/roles", &body)).problem(400, "invalid_input");
    let managing = instance.role("managing", &["keyhouse:*"]);
    let manager = instance.join("manager", &managing);
    manager.ask(&instance, Ask::get("/v1/users")).expect(200);
    manager.ask(&instance, Ask::get("/v1/organizations")).problem(403, "permission_required");
}

#[test]
fn an_administrator_cannot_change_owners_or_operators() {
    let instance = TestServer::start();
    let founder = instance.owner();
    let administrator = instance.join("admin", "administrator");
    let owner = instance.join("second-owner", "owner");
    let operator = instance.join("plain-operator", "user");
    instance.change_user(&operator, &json!({"operator": true}));
    for person in [&founder, &owner, &operator] {
        let path = format!("/v1/users/{}", person.id);
        for change in [json!({"role": "guest"}), json!({"disabled": true}), json!({"name": "x"})] {
            administrator
                .ask(&instance, Ask::patch(&path, &change))
                .problem(403, "permission_required");
        }
        let reset = Ask::post(&format!("{path}/reset"), &json!({}));
        administrator.ask(&instance, reset).problem(403, "permission_required");
        administrator.ask(&instance, Ask::new("DELETE", &path)).problem(403, "permission_required");
    }
    // An administrator cannot promote themselves either.
    let own = format!("/v1/users/{}", administrator.id);
    for change in [json!({"role": "owner"}), json!({"operator": true})] {
        administrator.ask(&instance, Ask::patch(&own, &change)).problem(403, "permission_required");
    }
    let invitation = json!({"email": "friend@example.com", "role": "owner"});
    let invited = administrator.ask(&instance, Ask::post("/v1/invitations", &invitation));
    invited.problem(403, "permission_required");
    // An administrator cannot do so with a key of the founder that has all possible permissions
    // either.
    let strong = instance.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    let demote = Ask::patch(&format!("/v1/users/{}", owner.id), &json!({"role": "guest"}));
    instance.bare(&demote.bearer(&strong.secret)).problem(403, "permission_required");
}

#[test]
fn an_invitation_of_a_former_administrator_is_invalid() {
    let instance = TestServer::start();
    for (name, dismissal) in
        [("demoted", json!({"role": "user"})), ("disabled", json!({"disabled": true}))]
    {
        let administrator = instance.join(name, "administrator");
        let friend = format!("friend-of-{name}@example.com");
        let invitation = json!({"email": friend, "role": "administrator"});
        let invited =
            administrator.ask(&instance, Ask::post("/v1/invitations", &invitation)).expect(201);
        instance.change_user(&administrator, &dismissal);
        instance.bare(&acceptance(&token_in(&invited))).problem(403, "link_invalid");
        let sign_in = json!({"email": friend, "password": PASSWORD});
        instance.bare(&Ask::post("/v1/session", &sign_in)).problem(401, "sign_in_failed");
    }
    let administrator = instance.join("removed", "administrator");
    let invitation = json!({"email": "late@example.com", "role": "user"});
    let invited =
        administrator.ask(&instance, Ask::post("/v1/invitations", &invitation)).expect(201);
    instance.ask(&Ask::new("DELETE", &format!("/v1/users/{}", administrator.id))).expect(204);
    instance.bare(&acceptance(&token_in(&invited))).problem(403, "link_invalid");
}

#[test]
fn a_team_member_with_write_access_gets_no_secret() {
    let instance = TestServer::start();
    let (maker, mate) = (instance.join("maker", "user"), instance.join("mate", "user"));
    let team = instance.team("builders", "visible", &[&maker, &mate]);
    let body = json!({"name": "bot", "permissions": ["diagrams:read"],
        "teams": [{"id": team, "access": "write"}]});
    let key = maker.make(&instance, &body);
    let at = |rest: &str| format!("/v1/keys/{}{rest}", key.id);
    for refused in [
        Ask::post(&at("/rotate"), &json!({})),
        Ask::post(&at("/rotate"), &json!({"overlap": "1h"})),
        Ask::patch(&at(""), &json!({"permissions": ["*"]})),
        Ask::patch(&at(""), &json!({"ip_rules": null, "expires_at": null, "not_before": null})),
        Ask::patch(&at(""), &json!({"rate_limits": []})),
        Ask::new("PUT", &at(&format!("/teams/{team}"))).json(&json!({"access": "read"})),
        Ask::new("DELETE", &at(&format!("/teams/{team}"))),
    ] {
        let target = format!("{} {}", refused.method, refused.target);
        let answer = mate.ask(&instance, refused);
        assert_eq!(answer.status, 403, "{target}: {}", answer.body);
        assert!(!answer.body.contains("\"secret\""), "{target}: {}", answer.body);
    }
    mate.ask(&instance, Ask::patch(&at(""), &json!({"name": "renamed"}))).expect(200);
    mate.ask(&instance, Ask::post(&at("/disable"), &json!({}))).expect(200);
    let enable = Ask::post(&at("/enable"), &json!({}));
    assert_eq!(mate.ask(&instance, enable.clone()).status, 403);
    maker.ask(&instance, enable).expect(200);
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");
    mate.ask(&instance, Ask::post(&at("/revoke"), &json!({}))).expect(200);
    assert_eq!(instance.verify(&key.secret)["code"], "REVOKED");
}

#[test]
fn a_transferred_key_of_a_removed_user_gains_no_permission() {
    let instance = TestServer::start();
    let reader = instance.role("reader", &["diagrams:read", "keyhouse:keys:create"]);
    for disposition in ["organization", "administrator"] {
        let leaver = instance.join(&format!("leaver-to-{disposition}"), &reader);
        let key = leaver.make(&instance, &json!({"name": "left behind"}));
        assert_eq!(may(&instance, &key.secret, "diagrams:read"), "VALID");
        assert_eq!(may(&instance, &key.secret, "diagrams:write"), "INSUFFICIENT_PERMISSIONS");
        let administrator = instance.join(&format!("receiver-for-{disposition}"), "administrator");
        let to = if disposition == "organization" { disposition } else { &administrator.id };
        let removal = format!("/v1/users/{}?keys=transfer&to={to}", leaver.id);
        instance.ask(&Ask::new("DELETE", &removal)).expect(204);
        assert_eq!(may(&instance, &key.secret, "diagrams:read"), "VALID", "{disposition}");
        let stronger = |permission| may(&instance, &key.secret, permission);
        for permission in ["diagrams:write", "keyhouse:keys:create", "keyhouse:users:manage"] {
            assert_eq!(
                stronger(permission),
                "INSUFFICIENT_PERMISSIONS",
                "{disposition} {permission}"
            );
        }
        // The new owner cannot widen the key's permissions either.
        let widen = json!({"permissions": ["*", "diagrams:*"]});
        let owner: &Person =
            if disposition == "organization" { &instance.owner() } else { &administrator };
        let answer = owner.ask(&instance, Ask::patch(&format!("/v1/keys/{}", key.id), &widen));
        let problem = answer.problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/permissions", "{problem}");
        assert_eq!(problem["errors"][0]["code"], "beyond_ceiling", "{problem}");
        assert_eq!(stronger("diagrams:write"), "INSUFFICIENT_PERMISSIONS", "{disposition}");
    }
}

#[test]
fn an_importer_cannot_create_a_stronger_key() {
    let instance = TestServer::start();
    let role = instance.role("weak", &["diagrams:read"]);
    let operator = instance.join("importer", &role);
    instance.change_user(&operator, &json!({"operator": true}));
    let operator = Person { cookie: sign_in(&instance, &operator.email), ..operator };
    let import = |permissions: &[&str], digit: &str| {
        let digest = digit.repeat(64);
        let key = json!({"algorithm": "sha256", "digest": digest, "name": "old",
            "permissions": permissions});
        operator.ask(&instance, Ask::post("/v1/keys/import", &json!({"keys": [key]})))
    };
    for stronger in [&["diagrams:*"][..], &["*"], &["keyhouse:keys:manage"], &["diagrams:write"]] {
        let problem = import(stronger, "a").problem(403, "permission_required");
        assert_eq!(problem["permission"], stronger[0], "{problem}");
    }
    import(&["diagrams:read"], "b").expect(201);
    assert_eq!(instance.all_keys().len(), 1);
}

#[test]
fn a_key_of_another_organization_gets_no_information() {
    let instance = TestServer::start();
    let key = instance.create(&json!({"permissions": ["diagrams:read"],
        "rate_limits": [{"name": "a", "limit": 2, "window_seconds": 60}]}));
    let (_, stranger) = instance.neighbour("acme");
    let spy = stranger.make(
        &instance,
        &json!({"kind": "service", "permissions": ["keyhouse:keys:verify", "keyhouse:keys:read",
            "keyhouse:keys:manage", "keyhouse:users:read"]}),
    );
    let nothing = json!({"valid": false, "code": "NOT_FOUND"});
    for _ in 0..4 {
        for explain in [false, true] {
            let body = json!({"key": key.secret, "explain": explain});
            let reported =
                instance.bare(&Ask::post("/v1/verify", &body).bearer(&spy.secret)).expect(200);
            assert_eq!(
                (&reported["valid"], &reported["code"]),
                (&nothing["valid"], &nothing["code"])
            );
            assert!(
                reported.get("key").is_none() && !reported.to_string().contains("org_"),
                "{reported}"
            );
        }
        let batch = json!({"requests": [{"key": key.secret}, {"key": spy.secret}]});
        let reported =
            instance.bare(&Ask::post("/v1/verify/batch", &batch).bearer(&spy.secret)).expect(200);
        assert_eq!(reported["results"][0], nothing);
        assert_eq!(reported["results"][1]["code"], "VALID");
    }
    for ask in [
        Ask::get(&format!("/v1/keys/{}", key.id)),
        Ask::post(&format!("/v1/keys/{}/explain", key.id), &json!({})),
        Ask::post(&format!("/v1/keys/{}/revoke", key.id), &json!({})),
        Ask::get(&format!("/v1/users/{}", instance.owner().id)),
    ] {
        instance.bare(&ask.clone().bearer(&spy.secret)).problem(404, "not_found");
        stranger.ask(&instance, ask).problem(404, "not_found");
    }
    let listed = stranger.ask(&instance, Ask::get("/v1/keys?status=all")).expect(200);
    assert!(!listed.to_string().contains(&key.id), "{listed}");
    // The check neither counted against the key's limit nor updated its last use.
    assert_eq!(instance.key(&key.id)["last_used"], Value::Null);
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");
    assert_eq!(instance.verify(&key.secret)["code"], "VALID");
}

#[test]
fn sharing_with_a_team_of_another_organization_is_rejected() {
    let instance = TestServer::start();
    let (maker, other) = (instance.join("maker", "user"), instance.join("other", "user"));
    let theirs = instance.team("theirs", "visible", &[&other]);
    let key = maker.make(&instance, &json!({"name": "mine"}));
    let (_, stranger) = instance.neighbour("acme");
    let body = json!({"name": "abroad", "visibility": "visible"});
    let abroad = stranger.ask(&instance, Ask::post("/v1/teams", &body)).expect(201);
    let abroad = abroad["id"].as_str().unwrap();
    let share = |person: &Person, team: &str| {
        let path = format!("/v1/keys/{}/teams/{team}", key.id);
        person.ask(&instance, Ask::new("PUT", &path).json(&json!({"access": "write"})))
    };
    share(&maker, &theirs).problem(403, "permission_required");
    // A manager of all teams cannot reach a team of another organization either.
    for person in [&maker, &instance.owner()] {
        share(person, abroad).problem(404, "not_found");
        let body = json!({"name": "x", "teams": [{"id": abroad, "access": "read"}]});
        let answer = person.ask(&instance, Ask::post("/v1/keys", &body));
        let problem = answer.problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/teams/0/id", "{problem}");
        assert_eq!(problem["errors"][0]["code"], "unknown_team", "{problem}");
    }
    assert_eq!(instance.key(&key.id)["teams"], json!([]));
}

#[test]
fn a_custom_role_cannot_take_a_built_in_name() {
    let instance = TestServer::start();
    for name in ["owner", "Owner", "ADMINISTRATOR", " user ", "guest"] {
        let body = json!({"name": name, "permissions": ["diagrams:read"]});
        assert_is_reserved(&instance.ask(&Ask::post("/v1/roles", &body)));
    }
    let role = instance.role("ownership", &["diagrams:read"]);
    let renamed = Ask::patch(&format!("/v1/roles/{role}"), &json!({"name": "owner"}));
    assert_is_reserved(&instance.ask(&renamed));
}

fn assert_is_reserved(answer: &Answer) {
    let problem = answer.problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["pointer"], "/name", "{problem}");
    assert_eq!(problem["errors"][0]["code"], "reserved_name", "{problem}");
}

fn sign_in(instance: &TestServer, email: &str) -> String {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = instance.bare(&Ask::post("/v1/session", &body));
    answer.expect(201);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// An upstream that trusts the forwarded permissions must not allow what a check would reject.
#[test]
fn reported_permissions_never_exceed_current_grants() {
    let instance = TestServer::start();
    let role = instance.role("readers", &["*:read", "files:*"]);
    let person = instance.join("member", "user");
    let own = instance.organization();
    let open = person.make(&instance, &json!({}));
    let listed = json!({"permissions": ["diagrams:*", "files:page:write", "a:b"]});
    let listed = person.make(&instance, &listed);
    let service = instance.create(&json!({"kind": "service", "permissions": ["*", "a:b"]}));
    let reported = |made: &crate::test_server::Made| {
        let secret = made.secret.as_str();
        let answer = instance.bare(&Ask::forward_auth(secret));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let header = answer.header("X-Keyhouse-Permissions").unwrap().to_owned();
        let who = instance.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
        let verdict = instance.verify(secret);
        assert_eq!(who["permissions"], verdict["permissions"]);
        let list = verdict["permissions"].as_array().unwrap().iter();
        let list: Vec<_> = list.map(|name| name.as_str().unwrap().to_owned()).collect();
        let joined = if list.is_empty() { "-".to_owned() } else { list.join(",") };
        assert_eq!(joined, header);
        header
    };
    assert_eq!(reported(&open), "*");
    assert_eq!(reported(&listed), "diagrams:*,files:page:write,a:b");
    // The owner's new role limits a personal key from the next check on.
    instance.change_user(&person, &json!({"role": role}));
    assert_eq!(reported(&open), "*:read,files:*");
    assert_eq!(reported(&listed), "diagrams:read,files:page:write");
    instance.change_user(&person, &json!({"role": "guest"}));
    assert_eq!((reported(&open), reported(&listed)), ("-".to_owned(), "-".to_owned()));
    assert_eq!(reported(&service), "*,a:b");
    // The organization's maximum limits personal and service keys.
    let path = format!("/v1/organizations/{own}");
    instance.change_user(&person, &json!({"role": "user"}));
    instance.ask(&Ask::patch(&path, &json!({"permissions": ["diagrams:*", "a:*"]}))).expect(200);
    assert_eq!(reported(&open), "diagrams:*,a:*");
    assert_eq!(reported(&listed), "diagrams:*,a:b");
    assert_eq!(reported(&service), "diagrams:*,a:*");
}

/// In an earlier version, a user manager who could not see a secret team could reset the password
/// of one of its members, sign in as the member, and read the team and its keys.
#[test]
fn a_manager_outside_a_secret_team_cannot_take_over_its_members() {
    let instance = TestServer::start();
    let role = instance.role("people", &["keyhouse:users:manage", "keyhouse:users:read"]);
    let manager = instance.join("manager", &role);
    let member = instance.join("member", "guest");
    let other = instance.join("other", "guest");
    instance.put_on_plan(&instance.organization(), "enterprise");
    let team = instance.team("Vault", "secret", &[&member]);
    instance.team("Visible", "visible", &[&other]);
    manager.ask(&instance, Ask::get(&format!("/v1/teams/{team}"))).problem(404, "not_found");
    let path = format!("/v1/users/{}", member.id);
    for ask in [
        Ask::post(&format!("{path}/reset"), &json!({})),
        Ask::patch(&path, &json!({"disabled": true})),
        Ask::patch(&path, &json!({"email": "eve@example.com"})),
        Ask::new("DELETE", &path),
    ] {
        let what = format!("{} {}", ask.method, ask.target);
        let problem = manager.ask(&instance, ask).problem(403, "permission_required");
        assert_eq!(problem["permission"], "keyhouse:teams:read", "{what}");
    }
    // A second invitation of the same address would take over the pending link, and with it the
    // membership in the team.
    let email = "new@example.com";
    let body = json!({"email": email, "role": "guest", "teams": [team]});
    let invited = instance.ask(&Ask::post("/v1/invitations", &body)).expect(201);
    let again = Ask::post("/v1/invitations", &json!({"email": email, "role": "guest"}));
    manager.ask(&instance, again).problem(403, "permission_required");
    let id = invited["invitation"]["id"].as_str().unwrap();
    let withdraw = Ask::new("DELETE", &format!("/v1/invitations/{id}"));
    manager.ask(&instance, withdraw).problem(403, "permission_required");
    // The manager can still reset other users. A link made before the member joined the team is
    // invalid.
    let path = format!("/v1/users/{}/reset", other.id);
    let link = manager.ask(&instance, Ask::post(&path, &json!({}))).expect(201);
    let join = Ask::new("PUT", &format!("/v1/teams/{team}/members/{}", other.id));
    instance.ask(&join).expect(204);
    let body = json!({"token": token_in(&link), "password": "a lighthouse made of salt"});
    instance.bare(&Ask::post("/v1/reset", &body)).problem(403, "link_invalid");
    // A member of the team can see the team.
    let join = Ask::new("PUT", &format!("/v1/teams/{team}/members/{}", manager.id));
    instance.ask(&join).expect(204);
    manager.ask(&instance, Ask::post(&path, &json!({}))).expect(201);
}
