//! An email address belongs to one user in each organization. It is an identity only where the
//! organization vouches for it.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::house::{EMAIL, House, PASSWORD};
use crate::people::{PASSWORD as THEIRS, Person, acceptance, invitation, token_in};
use crate::resets::protect;
use crate::server::wire::Answer;

/// Adds a user to an organization through its owner; returns the user and their session.
fn let_in(house: &House, owner: &Person, email: &str, password: &str) -> Person {
    let invited = owner.ask(house, invitation(email, "user")).expect(201);
    let body = json!({"token": token_in(&invited), "name": "Somebody", "password": password});
    let answer = house.bare(&Ask::post("/v1/invitations/accept", &body));
    let id = answer.expect(201)["user"]["id"].as_str().unwrap().to_owned();
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    Person { id, email: email.to_owned(), cookie }
}

fn sign_in(house: &House, email: &str, password: &str, organization: Option<&str>) -> Answer {
    let mut body = json!({"email": email, "password": password});
    if let Some(organization) = organization {
        body["organization"] = organization.into();
    }
    house.bare(&Ask::post("/v1/session", &body))
}

fn assign(house: &House, organization: &str, domains: &Value) -> Answer {
    let path = format!("/v1/organizations/{organization}");
    house.ask(&Ask::patch(&path, &json!({"domains": domains})))
}

/// The address that each way to check a key returns; all ways must agree.
fn reported_email(house: &House, secret: &str) -> Option<String> {
    let answer = house.bare(&Ask::forward_auth(secret));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let header = answer.header("x-keyhouse-email").unwrap().to_owned();
    let reported = (header != "-").then(|| header.clone());
    let whoami = house.bare(&Ask::get("/v1/whoami").bearer(secret)).expect(200);
    assert_eq!(whoami["owner"]["email"], json!(reported), "{whoami}");
    assert_eq!(house.verify(secret)["owner"]["email"], json!(reported));
    let asker = house.create(&json!({"permissions": ["keyhouse:instance:verify"]}));
    let form = json!({"token": secret});
    let active = house.bare(&Ask::new("POST", "/v1/introspect").form(&form).bearer(&asker.secret));
    let active = active.expect(200);
    assert_eq!(active["active"], true, "{active}");
    assert_eq!(active.get("username").cloned(), reported.clone().map(Value::from), "{active}");
    reported
}

/// The owner of another organization invited `ceo@a-corp.example`, accepted and made a key, and a
/// gate forwarded `X-Keyhouse-Email: ceo@a-corp.example`.
#[test]
fn an_unvouched_address_is_not_forwarded_as_identity() {
    let house = House::start();
    let own = house.create(&json!({"permissions": ["diagrams:read"]}));
    assert_eq!(reported_email(&house, &own.secret).as_deref(), Some(EMAIL));
    let (organization, owner) = house.neighbour("b");
    let ceo = let_in(&house, &owner, "ceo@a-corp.example", THEIRS);
    let key = ceo.make(&house, &json!({"permissions": ["diagrams:read"]}));
    let verified = || {
        let shown = owner.ask(&house, Ask::get(&format!("/v1/users/{}", ceo.id))).expect(200);
        assert_eq!(shown["email"], "ceo@a-corp.example");
        let me = ceo.ask(&house, Ask::get("/v1/me")).expect(200);
        assert_eq!(me["email_verified"], shown["email_verified"]);
        let session = ceo.ask(&house, Ask::get("/v1/session")).expect(200);
        assert_eq!(session["user"]["email_verified"], shown["email_verified"]);
        shown["email_verified"].as_bool().unwrap()
    };
    assert_eq!(reported_email(&house, &key.secret), None);
    assert!(!verified());
    for (domains, counts) in [
        (json!(["corp.example", "b.example"]), false),
        (json!(["mail.a-corp.example"]), false),
        (json!(["A-Corp.example"]), true),
        (json!([]), false),
    ] {
        assign(&house, &organization, &domains).expect(200);
        let expected = counts.then(|| "ceo@a-corp.example".to_owned());
        assert_eq!(reported_email(&house, &key.secret), expected, "{domains}");
        assert_eq!(verified(), counts, "{domains}");
    }
}

#[test]
fn only_operators_assign_a_domain_and_to_one_organization() {
    let house = House::start();
    let (one, owner) = house.neighbour("one");
    let (other, _) = house.neighbour("other");
    let changed = assign(&house, &one, &json!(["b.example", "A.example", "a.example"])).expect(200);
    assert_eq!(changed["domains"], json!(["a.example", "b.example"]));
    let own = owner.ask(&house, Ask::get("/v1/organization")).expect(200);
    assert_eq!(own["domains"], json!(["a.example", "b.example"]));
    assign(&house, &other, &json!(["b.example"])).problem(409, "domain_taken");
    let change = json!({"domains": ["c.example"]});
    let problem = owner.ask(&house, Ask::patch("/v1/organization", &change));
    let problem = problem.problem(400, "invalid_input");
    assert_eq!(problem["errors"][0]["code"], "unknown_field");
    let path = format!("/v1/organizations/{one}");
    owner.ask(&house, Ask::patch(&path, &change)).problem(403, "permission_required");
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
        let problem = assign(&house, &one, &domains).problem(400, "invalid_input");
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)));
    }
    assign(&house, &one, &json!(["a.example"])).expect(200);
    assign(&house, &other, &json!(["b.example"])).expect(200);
    let events = owner.ask(&house, Ask::get("/v1/audit?action=organization.update")).expect(200);
    let newest = &events["items"][0];
    assert_eq!(newest["before"]["domains"], json!(["a.example", "b.example"]), "{newest}");
    assert_eq!(newest["after"]["domains"], json!(["a.example"]), "{newest}");
}

/// An organization could block an address for all others, and `email_taken` revealed which
/// addresses have an account anywhere in the instance.
#[test]
fn an_address_is_unique_within_each_organization() {
    let house = House::start();
    let (_, owner) = house.neighbour("b");
    let_in(&house, &owner, EMAIL, THEIRS);
    let body = json!({"name": "c", "owner_email": EMAIL});
    house.ask(&Ask::post("/v1/organizations", &body)).expect(201);
    let here = let_in(&house, &house.owner(), &owner.email, THEIRS);
    owner.ask(&house, invitation(EMAIL, "user")).problem(409, "email_taken");
    house.ask(&invitation(&owner.email, "user")).problem(409, "email_taken");
    // Two invitations of one address: the second acceptance in this organization is rejected.
    let late = house.ask(&invitation("late@example.com", "user")).expect(201);
    let path = format!("/v1/users/{}", here.id);
    house.ask(&Ask::patch(&path, &json!({"email": "late@example.com"}))).expect(200);
    house.bare(&acceptance(&token_in(&late))).problem(409, "email_taken");
    house.ask(&invitation(&owner.email, "user")).expect(201);
}

#[test]
fn a_sign_in_asks_for_the_organization_only_after_the_password() {
    let house = House::start();
    let first = house.organization();
    let (second, owner) = house.neighbour("b");
    let (third, other) = house.neighbour("c");
    let (fourth, _) = house.neighbour("d");
    let_in(&house, &owner, EMAIL, PASSWORD);
    let_in(&house, &other, EMAIL, THEIRS);
    sign_in(&house, EMAIL, "wrong password altogether", None).problem(401, "sign_in_failed");
    // A password that fits one account only signs in without the question.
    let reported = sign_in(&house, EMAIL, THEIRS, None).expect(201);
    assert_eq!(reported["organization"]["id"], json!(third));
    let problem = sign_in(&house, EMAIL, PASSWORD, None).problem(409, "organization_required");
    let name = house.ask(&Ask::get("/v1/organization")).expect(200)["name"].clone();
    let offered = json!([{"id": first, "name": name}, {"id": second, "name": "b"}]);
    assert_eq!(problem["organizations"], offered);
    for id in [&first, &second] {
        let reported = sign_in(&house, EMAIL, PASSWORD, Some(id)).expect(201);
        assert_eq!(reported["organization"]["id"], json!(id));
    }
    for id in [&third, &fourth] {
        sign_in(&house, EMAIL, PASSWORD, Some(id)).problem(401, "sign_in_failed");
    }
    let garbled = sign_in(&house, EMAIL, PASSWORD, Some("b")).problem(400, "invalid_input");
    assert_eq!(garbled["errors"][0]["pointer"], "/organization");
}

#[test]
fn a_code_is_requested_once_the_organization_is_known() {
    let house = House::start();
    let (second, owner) = house.neighbour("b");
    let theirs = let_in(&house, &owner, EMAIL, PASSWORD);
    let codes = protect(&house, &theirs, PASSWORD);
    let with = |organization: Option<&str>, code: &str| {
        let mut body = json!({"email": EMAIL, "password": PASSWORD, "code": code});
        if let Some(organization) = organization {
            body["organization"] = organization.into();
        }
        house.bare(&Ask::post("/v1/session", &body))
    };
    sign_in(&house, EMAIL, PASSWORD, None).problem(409, "organization_required");
    with(None, &codes[0]).problem(409, "organization_required");
    sign_in(&house, EMAIL, PASSWORD, Some(&second)).problem(401, "code_required");
    with(Some(&second), "000000").problem(401, "sign_in_failed");
    with(Some(&second), &codes[0]).expect(201);
    sign_in(&house, EMAIL, PASSWORD, Some(&house.organization())).expect(201);
}

/// Accounts with one address in many organizations must not block the account in the organization
/// that owns the domain.
#[test]
fn an_organization_cannot_make_an_account_of_another_unreachable() {
    let house = House::start();
    let email = "ada@acme.example";
    for name in ["s1", "s2", "s3", "s4"] {
        let (_, squatter) = house.neighbour(name);
        let_in(&house, &squatter, email, "a squatter sits on this one");
    }
    let (acme, owner) = house.neighbour("acme");
    let_in(&house, &owner, email, THEIRS);
    // Four accounts are tried, the oldest first; a named organization is tried alone.
    sign_in(&house, email, THEIRS, None).problem(401, "sign_in_failed");
    sign_in(&house, email, THEIRS, Some(&acme)).expect(201);
    assign(&house, &acme, &json!(["acme.example"])).expect(200);
    let reported = sign_in(&house, email, THEIRS, None).expect(201);
    assert_eq!(reported["organization"]["id"], json!(acme));
}

#[test]
fn the_command_line_asks_for_the_organization_of_an_ambiguous_address() {
    let house = House::start();
    let (second, owner) = house.neighbour("b");
    let theirs = let_in(&house, &owner, EMAIL, THEIRS);
    let cli = |args: &[&str]| house.server().run_cli(args, "");
    let unclear = cli(&["user", "reset", EMAIL]);
    assert_eq!(unclear.code, Some(2), "{}", unclear.stderr);
    for said in [&theirs.id, &second, &house.organization(), &house.owner().id] {
        assert!(unclear.stderr.contains(said), "{}", unclear.stderr);
    }
    let shown = cli(&["user", "show", EMAIL, "--organization", &second, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["id"], &shown["organization"]), (&json!(theirs.id), &json!(second)));
    assert_eq!(shown["email_verified"], false);
    let made = cli(&["user", "reset", EMAIL, "--organization", &second]);
    let token = token_in(&json!({"url": made.stdout.trim()}));
    let new = json!({"token": token, "password": "a lighthouse made of salt"});
    assert_eq!(house.bare(&Ask::post("/v1/reset", &new)).status, 204);
    sign_in(&house, EMAIL, PASSWORD, None).expect(201);

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
    let house = House::start();
    let bo = house.join("bo", "user");
    let admin = house.join("admin", "administrator");
    let path = format!("/v1/users/{}", bo.id);
    let to = |email: &str| Ask::patch(&path, &json!({"email": email}));
    bo.ask(&house, to("bo@new.example")).problem(403, "permission_required");
    admin.ask(&house, to(EMAIL)).problem(409, "email_taken");
    admin.ask(&house, to("no address")).problem(400, "invalid_input");
    let changed = admin.ask(&house, to(" Bo@New.example")).expect(200);
    assert_eq!(changed["email"], "bo@new.example");
    assert_eq!(changed["email_verified"], true);
    bo.ask(&house, Ask::get("/v1/session")).problem(401, "session_ended");
    sign_in(&house, "bo@example.com", THEIRS, None).problem(401, "sign_in_failed");
    let reported = sign_in(&house, "bo@new.example", THEIRS, None).expect(201);
    assert_eq!(reported["notices"][0]["kind"], "email_changed", "{reported}");
    let by_old = house.ask(&Ask::get("/v1/users?email=bo@example.com")).expect(200);
    assert_eq!(by_old["items"], json!([]));
    let events = house.ask(&Ask::get("/v1/audit?action=user.update&limit=1")).expect(200);
    let event = &events["items"][0];
    assert_eq!(event["before"]["email"], "bo@example.com", "{event}");
    assert_eq!(event["after"]["email"], "bo@new.example", "{event}");
    // The old address is free again, the new one is not.
    house.join("bo", "user");
    // Only an owner ranks as high as an owner, and changing one's own address takes the password.
    let founder = format!("/v1/users/{}", house.owner().id);
    let change = json!({"email": "eve@example.com"});
    admin.ask(&house, Ask::patch(&founder, &change)).problem(403, "permission_required");
    house.ask(&Ask::patch(&founder, &change)).problem(409, "own_account");
    let key = house.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    house.bare(&Ask::patch(&founder, &change).bearer(&key.secret)).problem(409, "own_account");
}

/// Users could give themselves any address, and upstreams would have trusted it.
#[test]
fn changing_ones_own_address_takes_the_password_and_a_confirmation() {
    let house = House::start();
    let bo = house.join("bo", "user");
    let key = bo.make(&house, &json!({"permissions": ["diagrams:read"]}));
    let other = sign_in(&house, &bo.email, THEIRS, None);
    let other = other.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let to = |fields: Value| bo.ask(&house, Ask::patch("/v1/me", &fields));
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
    bo.ask(&house, Ask::get("/v1/session")).expect(200);
    house.bare(&Ask::get("/v1/session").header("Cookie", &other)).problem(401, "session_ended");
    assert_eq!(reported_email(&house, &key.secret), None);
    sign_in(&house, new, THEIRS, None).expect(201);
    let path = format!("/v1/users/{}", bo.id);
    let confirmed = house.ask(&Ask::patch(&path, &json!({"email": new}))).expect(200);
    assert_eq!(confirmed["email_verified"], true);
    assert_eq!(reported_email(&house, &key.secret).as_deref(), Some(new));
    // A user manager may vouch for addresses anyway, so also for their own once they have that
    // permission.
    let later = "bo@later.example";
    let me = to(json!({"email": later, "current_password": THEIRS})).expect(200);
    assert_eq!(me["email_verified"], false, "{me}");
    house.change_user(&bo, &json!({"role": "administrator"}));
    let answer = sign_in(&house, later, THEIRS, None);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let bo = Person { cookie, ..bo.clone() };
    let own = Ask::patch("/v1/me", &json!({"email": later, "current_password": THEIRS}));
    assert_eq!(bo.ask(&house, own).expect(200)["email_verified"], true);
    let own = json!({"email": "ada@new.example", "current_password": PASSWORD});
    let me = house.ask(&Ask::patch("/v1/me", &own)).expect(200);
    assert_eq!(me["email_verified"], true, "{me}");
}

#[test]
fn changing_ones_own_address_takes_a_code_with_a_second_factor() {
    let house = House::start();
    let bo = house.join("bo", "user");
    let codes = protect(&house, &bo, THEIRS);
    let to = |code: Option<&str>| {
        let mut fields = json!({"email": "bo@new.example", "current_password": THEIRS});
        if let Some(code) = code {
            fields["code"] = code.into();
        }
        bo.ask(&house, Ask::patch("/v1/me", &fields))
    };
    for code in [None, Some("000000")] {
        let problem = to(code).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], "/code", "{problem}");
    }
    to(Some(&codes[0])).expect(200);
    // The code is used up, for sign-in too.
    let body = json!({"email": "bo@new.example", "password": THEIRS, "code": codes[0]});
    house.bare(&Ask::post("/v1/session", &body)).problem(401, "sign_in_failed");
    let body = json!({"email": "bo@new.example", "password": THEIRS, "code": codes[1]});
    house.bare(&Ask::post("/v1/session", &body)).expect(201);
}
