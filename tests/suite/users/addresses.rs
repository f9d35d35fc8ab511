//! An email address belongs to one user in each organization. The address is an identity only if
//! the organization vouches for it.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD as THEIRS, Person, acceptance, invitation, token_in};
use crate::server::wire::Answer;
use crate::test_server::{EMAIL, PASSWORD, TestServer};
use crate::users::resets::protect;

/// Adds a user to an organization through its owner; returns the user and their session.
fn let_in(instance: &TestServer, owner: &Person, email: &str, password: &str) -> Person {
    let invited = owner.ask(instance, invitation(email, "user")).expect(201);
    let body = json!({"token": token_in(&invited), "name": "Somebody", "password": password});
    let answer = instance.bare(&Ask::post("/v1/invitations/accept", &body));
    let id = answer.expect(201)["user"]["id"].as_str().unwrap().to_owned();
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    Person { id, email: email.to_owned(), cookie }
}

fn sign_in(
    instance: &TestServer,
    email: &str,
    password: &str,
    organization: Option<&str>,
) -> Answer {
    let mut body = json!({"email": email, "password": password});
    if let Some(organization) = organization {
        body["organization"] = organization.into();
    }
    instance.bare(&Ask::post("/v1/session", &body))
}

fn assign(instance: &TestServer, organization: &str, domains: &Value) -> Answer {
    let path = format!("/v1/organizations/{organization}");
    instance.ask(&Ask::patch(&path, &json!({"domains": domains})))
}

/// Returns the email address in the responses of all check endpoints, which must be equal.
fn reported_email(instance: &TestServer, secret: &str) -> Option<String> {
    let answer = instance.bare(&Ask::forward_auth(secret));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let header = answer.header("x-keyhouse-email").unwrap().to_owned();
    let reported = (header != "-").then(|| header.clone());
    let whoami = instance.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
    assert_eq!(whoami["owner"]["email"], json!(reported), "{whoami}");
    assert_eq!(instance.verify(secret)["owner"]["email"], json!(reported));
    let asker = instance.create(&json!({"permissions": ["keyhouse:instance:verify"]}));
    let form = json!({"token": secret});
    let active =
        instance.bare(&Ask::new("POST", "/v1/introspect").form(&form).bearer(&asker.secret));
    let active = active.expect(200);
    assert_eq!(active["active"], true, "{active}");
    assert_eq!(active.get("username").cloned(), reported.clone().map(Value::from), "{active}");
    reported
}

/// In an earlier version, the owner of another organization could invite `ceo@a-corp.example`,
/// accept the invitation and create a key, for which a gate forwarded `X-Keyhouse-Email:
/// ceo@a-corp.example`.
#[test]
fn an_unvouched_address_is_not_forwarded_as_identity() {
    let instance = TestServer::start();
    let own = instance.create(&json!({"permissions": ["diagrams:read"]}));
    assert_eq!(reported_email(&instance, &own.secret).as_deref(), Some(EMAIL));
    let (organization, owner) = instance.neighbour("b");
    let ceo = let_in(&instance, &owner, "ceo@a-corp.example", THEIRS);
    let key = ceo.make(&instance, &json!({"permissions": ["diagrams:read"]}));
    let verified = || {
        let shown = owner.ask(&instance, Ask::get(&format!("/v1/users/{}", ceo.id))).expect(200);
        assert_eq!(shown["email"], "ceo@a-corp.example");
        let me = ceo.ask(&instance, Ask::get("/v1/me")).expect(200);
        assert_eq!(me["email_verified"], shown["email_verified"]);
        let session = ceo.ask(&instance, Ask::get("/v1/session")).expect(200);
        assert_eq!(session["user"]["email_verified"], shown["email_verified"]);
        shown["email_verified"].as_bool().unwrap()
    };
    assert_eq!(reported_email(&instance, &key.secret), None);
    assert!(!verified());
    for (domains, counts) in [
        (json!(["corp.example", "b.example"]), false),
        (json!(["mail.a-corp.example"]), false),
        (json!(["A-Corp.example"]), true),
        (json!([]), false),
    ] {
        assign(&instance, &organization, &domains).expect(200);
        let expected = counts.then(|| "ceo@a-corp.example".to_owned());
        assert_eq!(reported_email(&instance, &key.secret), expected, "{domains}");
        assert_eq!(verified(), counts, "{domains}");
    }
}

#[test]
fn only_operators_assign_a_domain_and_to_one_organization() {
    let instance = TestServer::start();
    let (one, owner) = instance.neighbour("one");
    let (other, _) = instance.neighbour("other");
    let changed =
        assign(&instance, &one, &json!(["b.example", "A.example", "a.example"])).expect(200);
    assert_eq!(changed["domains"], json!(["a.example", "b.example"]));
    let own = owner.ask(&instance, Ask::get("/v1/organization")).expect(200);
    assert_eq!(own["domains"], json!(["a.example", "b.example"]));
    assign(&instance, &other, &json!(["b.example"])).problem(409, "domain_taken");
    let change = json!({"domains": ["c.example"]});
    let problem = owner.ask(&instance, Ask::patch("/v1/organization", &change));
    let problem = problem.problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "unknown_field");
    let path = format!("/v1/organizations/{one}");
    owner.ask(&instance, Ask::patch(&path, &change)).problem(403, "permission_required");
    for (domains, pointer, code) in [
        (json!(["*.example"]), "/domains/0", "invalid_domain"),
        (json!(["a.example", "b\u{fc}cher.example"]), "/domains/1", "invalid_domain"),
        (json!("a.example"), "/domains", "wrong_type"),
        (
            json!((0..21).map(|n| format!("d{n}.example")).collect::<Vec<_>>()),
            "/domains",
            "too_many",
        ),
    ] {
        let problem = assign(&instance, &one, &domains).problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)));
    }
    assign(&instance, &one, &json!(["a.example"])).expect(200);
    assign(&instance, &other, &json!(["b.example"])).expect(200);
    let events = owner.ask(&instance, Ask::get("/v1/audit?action=organization.update")).expect(200);
    let newest = &events["items"][0];
    assert_eq!(newest["before"]["domains"], json!(["a.example", "b.example"]), "{newest}");
    assert_eq!(newest["after"]["domains"], json!(["a.example"]), "{newest}");
}

/// In an earlier version, an organization could block an address for all other organizations, and
/// `email_taken` revealed which addresses have an account in the instance.
#[test]
fn an_address_is_unique_within_each_organization() {
    let instance = TestServer::start();
    let (_, owner) = instance.neighbour("b");
    let_in(&instance, &owner, EMAIL, THEIRS);
    let body = json!({"name": "c", "owner_email": EMAIL});
    instance.ask(&Ask::post("/v1/organizations", &body)).expect(201);
    let here = let_in(&instance, &instance.owner(), &owner.email, THEIRS);
    owner.ask(&instance, invitation(EMAIL, "user")).problem(409, "email_taken");
    instance.ask(&invitation(&owner.email, "user")).problem(409, "email_taken");
    // Two invitations for one address: the second acceptance in this organization is rejected.
    let late = instance.ask(&invitation("late@example.com", "user")).expect(201);
    let path = format!("/v1/users/{}", here.id);
    instance.ask(&Ask::patch(&path, &json!({"email": "late@example.com"}))).expect(200);
    instance.bare(&acceptance(&token_in(&late))).problem(409, "email_taken");
    instance.ask(&invitation(&owner.email, "user")).expect(201);
}

#[test]
fn a_sign_in_asks_for_the_organization_only_after_the_password() {
    let instance = TestServer::start();
    let first = instance.organization();
    let (second, owner) = instance.neighbour("b");
    let (third, other) = instance.neighbour("c");
    let (fourth, _) = instance.neighbour("d");
    let_in(&instance, &owner, EMAIL, PASSWORD);
    let_in(&instance, &other, EMAIL, THEIRS);
    sign_in(&instance, EMAIL, "wrong password altogether", None).problem(401, "sign_in_failed");
    // A password that fits only one account signs in without a choice of the organization.
    let reported = sign_in(&instance, EMAIL, THEIRS, None).expect(201);
    assert_eq!(reported["organization"]["id"], json!(third));
    let problem = sign_in(&instance, EMAIL, PASSWORD, None).problem(409, "organization_required");
    let name = instance.ask(&Ask::get("/v1/organization")).expect(200)["name"].clone();
    let offered = json!([{"id": first, "name": name}, {"id": second, "name": "b"}]);
    assert_eq!(problem["organizations"], offered);
    for id in [&first, &second] {
        let reported = sign_in(&instance, EMAIL, PASSWORD, Some(id)).expect(201);
        assert_eq!(reported["organization"]["id"], json!(id));
    }
    for id in [&third, &fourth] {
        sign_in(&instance, EMAIL, PASSWORD, Some(id)).problem(401, "sign_in_failed");
    }
    let garbled = sign_in(&instance, EMAIL, PASSWORD, Some("b")).problem(400, "invalid_input");
    assert_eq!(garbled["errors"][0]["pointer"], "/organization");
}

#[test]
fn a_code_is_requested_once_the_organization_is_known() {
    let instance = TestServer::start();
    let (second, owner) = instance.neighbour("b");
    let theirs = let_in(&instance, &owner, EMAIL, PASSWORD);
    let codes = protect(&instance, &theirs, PASSWORD);
    let with = |organization: Option<&str>, code: &str| {
        let mut body = json!({"email": EMAIL, "password": PASSWORD, "code": code});
        if let Some(organization) = organization {
            body["organization"] = organization.into();
        }
        instance.bare(&Ask::post("/v1/session", &body))
    };
    sign_in(&instance, EMAIL, PASSWORD, None).problem(409, "organization_required");
    with(None, &codes[0]).problem(409, "organization_required");
    sign_in(&instance, EMAIL, PASSWORD, Some(&second)).problem(401, "code_required");
    with(Some(&second), "000000").problem(401, "sign_in_failed");
    with(Some(&second), &codes[0]).expect(201);
    sign_in(&instance, EMAIL, PASSWORD, Some(&instance.organization())).expect(201);
}

/// Accounts with one address in many organizations must not block the account in the organization
/// that owns the domain.
#[test]
fn an_organization_cannot_make_an_account_of_another_unreachable() {
    let instance = TestServer::start();
    let email = "ada@acme.example";
    for name in ["s1", "s2", "s3", "s4"] {
        let (_, squatter) = instance.neighbour(name);
        let_in(&instance, &squatter, email, "a squatter sits on this one");
    }
    let (acme, owner) = instance.neighbour("acme");
    let_in(&instance, &owner, email, THEIRS);
    // Four accounts are tried, the oldest first; a named organization is tried alone.
    sign_in(&instance, email, THEIRS, None).problem(401, "sign_in_failed");
    sign_in(&instance, email, THEIRS, Some(&acme)).expect(201);
    assign(&instance, &acme, &json!(["acme.example"])).expect(200);
    let reported = sign_in(&instance, email, THEIRS, None).expect(201);
    assert_eq!(reported["organization"]["id"], json!(acme));
}

#[test]
fn the_command_line_asks_for_the_organization_of_an_ambiguous_address() {
    let instance = TestServer::start();
    let (second, owner) = instance.neighbour("b");
    let theirs = let_in(&instance, &owner, EMAIL, THEIRS);
    let cli = |args: &[&str]| instance.server().run_cli(args, "");
    let unclear = cli(&["user", "reset", EMAIL]);
    assert_eq!(unclear.code, Some(2), "{}", unclear.stderr);
    for said in [&theirs.id, &second, &instance.organization(), &instance.owner().id] {
        assert!(unclear.stderr.contains(said), "{}", unclear.stderr);
    }
    let shown = cli(&["user", "show", EMAIL, "--organization", &second, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["id"], &shown["organization"]), (&json!(theirs.id), &json!(second)));
    assert_eq!(shown["email_verified"], false);
    let made = cli(&["user", "reset", EMAIL, "--organization", &second]);
    let token = token_in(&json!({"url": made.stdout.trim()}));
    let new = json!({"token": token, "password": "a lighthouse made of salt"});
    assert_eq!(instance.bare(&Ask::post("/v1/reset", &new)).status, 204);
    sign_in(&instance, EMAIL, PASSWORD, None).expect(201);

    let domains = "acme.example,b.example";
    let said = cli(&["org", "change", &second, "--domains", domains, "--json"]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["domains"], json!(["acme.example", "b.example"]));
    let said = cli(&["org", "change", &second, "--domains", "", "--json"]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["domains"], json!([]));
    assert_eq!(cli(&["org", "change", &second]).code, Some(2));
    let changed = cli(&["user", "change-email", &theirs.id, "new@b.example", "--json"]);
    let changed: Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(changed["email"], "new@b.example");
}

#[test]
fn a_higher_ranked_user_can_change_an_address_and_sessions_end() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let admin = instance.join("admin", "administrator");
    let path = format!("/v1/users/{}", bo.id);
    let to = |email: &str| Ask::patch(&path, &json!({"email": email}));
    bo.ask(&instance, to("bo@new.example")).problem(403, "permission_required");
    admin.ask(&instance, to(EMAIL)).problem(409, "email_taken");
    admin.ask(&instance, to("no address")).problem(400, "invalid_input");
    let changed = admin.ask(&instance, to(" Bo@New.example")).expect(200);
    assert_eq!(changed["email"], "bo@new.example");
    assert_eq!(changed["email_verified"], true);
    bo.ask(&instance, Ask::get("/v1/session")).problem(401, "session_ended");
    sign_in(&instance, "bo@example.com", THEIRS, None).problem(401, "sign_in_failed");
    let reported = sign_in(&instance, "bo@new.example", THEIRS, None).expect(201);
    assert_eq!(reported["notices"][0]["kind"], "email_changed", "{reported}");
    let by_old = instance.ask(&Ask::get("/v1/users?email=bo@example.com")).expect(200);
    assert_eq!(by_old["items"], json!([]));
    let events = instance.ask(&Ask::get("/v1/audit?action=user.update&limit=1")).expect(200);
    let event = &events["items"][0];
    assert_eq!(event["before"]["email"], "bo@example.com", "{event}");
    assert_eq!(event["after"]["email"], "bo@new.example", "{event}");
    // The old address is free again, and the new address is in use.
    instance.join("bo", "user");
    // Only an owner may change an owner's address, and a change of the caller's own address
    // requires the password.
    let founder = format!("/v1/users/{}", instance.owner().id);
    let change = json!({"email": "eve@example.com"});
    admin.ask(&instance, Ask::patch(&founder, &change)).problem(403, "permission_required");
    instance.ask(&Ask::patch(&founder, &change)).problem(409, "own_account");
    let key = instance.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    instance.bare(&Ask::patch(&founder, &change).bearer(&key.secret)).problem(409, "own_account");
}

/// In an earlier version, users could give themselves any address, and upstreams trusted this
/// address.
#[test]
fn changing_ones_own_address_takes_the_password_and_a_confirmation() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let key = bo.make(&instance, &json!({"permissions": ["diagrams:read"]}));
    let other = sign_in(&instance, &bo.email, THEIRS, None);
    let other = other.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let to = |fields: Value| bo.ask(&instance, Ask::patch("/v1/me", &fields));
    let new = "ceo@example.com";
    for (fields, pointer) in [
        (json!({"email": new}), "/current_password"),
        (json!({"email": new, "current_password": "not my password"}), "/current_password"),
        (json!({"email": "ceo", "current_password": THEIRS}), "/email"),
    ] {
        let problem = to(fields).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    to(json!({"email": EMAIL, "current_password": THEIRS})).problem(409, "email_taken");
    let me = to(json!({"email": new, "current_password": THEIRS})).expect(200);
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(new), &json!(false)));
    bo.ask(&instance, Ask::get("/v1/session")).expect(200);
    instance.bare(&Ask::get("/v1/session").header("Cookie", &other)).problem(401, "session_ended");
    assert_eq!(reported_email(&instance, &key.secret), None);
    sign_in(&instance, new, THEIRS, None).expect(201);
    let path = format!("/v1/users/{}", bo.id);
    let confirmed = instance.ask(&Ask::patch(&path, &json!({"email": new}))).expect(200);
    assert_eq!(confirmed["email_verified"], true);
    assert_eq!(reported_email(&instance, &key.secret).as_deref(), Some(new));
    // A user manager may confirm addresses, and therefore also their own address.
    let later = "bo@later.example";
    let me = to(json!({"email": later, "current_password": THEIRS})).expect(200);
    assert_eq!(me["email_verified"], false, "{me}");
    instance.change_user(&bo, &json!({"role": "administrator"}));
    let answer = sign_in(&instance, later, THEIRS, None);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let bo = Person { cookie, ..bo.clone() };
    let own = Ask::patch("/v1/me", &json!({"email": later, "current_password": THEIRS}));
    assert_eq!(bo.ask(&instance, own).expect(200)["email_verified"], true);
    let own = json!({"email": "ada@new.example", "current_password": PASSWORD});
    let me = instance.ask(&Ask::patch("/v1/me", &own)).expect(200);
    assert_eq!(me["email_verified"], true, "{me}");
}

#[test]
fn changing_ones_own_address_takes_a_code_with_a_second_factor() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let codes = protect(&instance, &bo, THEIRS);
    let to = |code: Option<&str>| {
        let mut fields = json!({"email": "bo@new.example", "current_password": THEIRS});
        if let Some(code) = code {
            fields["code"] = code.into();
        }
        bo.ask(&instance, Ask::patch("/v1/me", &fields))
    };
    for code in [None, Some("000000")] {
        let problem = to(code).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/code", "{problem}");
    }
    to(Some(&codes[0])).expect(200);
    // The code is used up, also for sign-in.
    let body = json!({"email": "bo@new.example", "password": THEIRS, "code": codes[0]});
    instance.bare(&Ask::post("/v1/session", &body)).problem(401, "sign_in_failed");
    let body = json!({"email": "bo@new.example", "password": THEIRS, "code": codes[1]});
    instance.bare(&Ask::post("/v1/session", &body)).expect(201);
}
