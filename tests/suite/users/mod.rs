//! `/v1/users` lists the users and changes them, within the rights of the caller.

mod addresses;
mod removal;
pub(crate) mod resets;
mod sessions;

use std::thread;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD as THEIRS, Person, acceptance, invitation, token_in};
use crate::server::wire::Answer;
use crate::shape::assert_shape;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

fn path(person: &Person) -> String {
    format!("/v1/users/{}", person.id)
}

fn patch(person: &Person, change: &Value) -> Ask {
    Ask::patch(&path(person), change)
}

fn is_in(instance: &TestServer, person: &Person) -> bool {
    instance.ask_as(person, &Ask::get("/v1/session")).status == 200
}

#[test]
fn users_are_listed_newest_first_in_pages_and_by_address() {
    let instance = TestServer::start();
    let ada = instance.owner();
    let (bo, cy) = (instance.join("bo", "user"), instance.join("cy", "guest"));
    let page = |query: &str| instance.ask(&Ask::get(&format!("/v1/users{query}"))).expect(200);
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = page("");
    assert_eq!(ids(&all), [&*cy.id, &*bo.id, &*ada.id]);
    assert!(all["next_cursor"].is_null());
    let first = page("?limit=2");
    assert_eq!(ids(&first), [&*cy.id, &*bo.id]);
    let rest = page(&format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap()));
    assert_eq!(ids(&rest), [&*ada.id]);
    assert!(rest["next_cursor"].is_null());
    assert_eq!(ids(&page(&format!("?email={}", bo.email.to_uppercase()))), [&*bo.id]);
    assert!(ids(&page("?email=unknown@example.com")).is_empty());

    let answer = instance.ask(&Ask::get(&path(&bo)));
    let shown = answer.expect(200);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_shape!("user", &shown);
    assert_eq!(shown["id"], bo.id.as_str());
    assert_eq!(shown["organization"], instance.organization());
    assert_shape!("users", &first);
    assert!(!all.to_string().contains("argon2"), "{all}");
}

#[test]
fn plain_users_see_only_themselves() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    assert_eq!(instance.ask_as(&bo, &Ask::get(&path(&bo))).expect(200)["email"], *bo.email);
    let missing = "/v1/users/usr_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
    for target in ["/v1/users", &path(&instance.owner()), missing] {
        instance.ask_as(&bo, &Ask::get(target)).problem(403, "permission_required");
    }
    instance
        .ask_as(&bo, &patch(&bo, &json!({"role": "owner"})))
        .problem(403, "permission_required");
    instance.ask(&Ask::get(missing)).problem(404, "not_found");
    // A key does not have the rights of its owner's session.
    let key = instance.create(&json!({"name": "reader", "permissions": ["diagrams:read"]}));
    let ask = Ask::get(&path(&instance.owner())).bearer(&key.secret);
    instance.bare(&ask).problem(403, "permission_required");
}

#[test]
fn an_administrator_cannot_change_a_higher_ranked_user() {
    let instance = TestServer::start();
    let admin = instance.join("admin", "administrator");
    let (owner, operator) = (instance.join("owner", "owner"), instance.join("operator", "user"));
    instance.ask(&patch(&operator, &json!({"operator": true}))).expect(200);
    let before = |person: &Person| instance.ask(&Ask::get(&path(person))).expect(200);
    for above in [&owner, &operator] {
        let was = before(above);
        for (claim, ask) in [
            ("renames", patch(above, &json!({"name": "Renamed"}))),
            ("disables", patch(above, &json!({"disabled": true}))),
            ("demotes", patch(above, &json!({"role": "guest"}))),
            ("takes the instance from", patch(above, &json!({"operator": false}))),
            ("resets", Ask::post(&format!("{}/reset", path(above)), &json!({}))),
            ("resets wholly", Ask::post(&format!("{}/reset", path(above)), &json!({"totp": true}))),
            ("removes", Ask::new("DELETE", &path(above))),
        ] {
            let answer = instance.ask_as(&admin, &ask);
            assert_eq!(
                answer.status, 403,
                "an administrator {claim} {}: {}",
                above.email, answer.body
            );
            answer.problem(403, "permission_required");
        }
        assert_eq!(before(above), was);
        assert!(is_in(&instance, above));
    }
    let user = instance.join("user", "user");
    for (change, status) in [
        (json!({"role": "owner"}), 403),
        (json!({"operator": true}), 403),
        (json!({"role": "administrator"}), 200),
        (json!({"role": "guest", "name": "Cy"}), 200),
        (json!({"disabled": true}), 200),
        (json!({"disabled": false}), 200),
    ] {
        let answer = instance.ask_as(&admin, &patch(&user, &change));
        assert_eq!(answer.status, status, "{change}: {}", answer.body);
    }
    // An owner who is not an operator cannot change operators either.
    for change in [json!({"operator": false}), json!({"disabled": true}), json!({"role": "guest"})]
    {
        instance.ask_as(&owner, &patch(&operator, &change)).problem(403, "permission_required");
    }
    instance
        .ask_as(&owner, &patch(&user, &json!({"operator": true})))
        .problem(403, "permission_required");
}

#[test]
fn disabling_a_user_ends_their_sessions_and_blocks_their_keys() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let key = crate::test_server::made(
        &instance.ask_as(&bo, &Ask::post("/v1/keys", &json!({"name": "theirs"}))).expect(201),
    );
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
    instance.ask(&patch(&bo, &json!({"disabled": true}))).expect(200);
    let refused = instance.bare(&Ask::forward_auth(&key.secret));
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("x-keyhouse-code"), Some("OWNER_DISABLED"));
    assert!(!is_in(&instance, &bo));
    let sign_in = Ask::post("/v1/session", &json!({"email": bo.email, "password": THEIRS}));
    instance.bare(&sign_in).problem(401, "sign_in_failed");

    instance.ask(&patch(&bo, &json!({"disabled": false}))).expect(200);
    assert!(!is_in(&instance, &bo), "a session that was ended stays so");
    instance.bare(&sign_in).expect(201);
    assert_eq!(instance.bare(&Ask::forward_auth(&key.secret)).status, 200);
}

#[test]
fn a_new_role_ends_sessions_and_a_new_name_does_not() {
    let instance = TestServer::start();
    for (change, ends) in [
        (json!({"name": "Bo", "locale": "fr"}), false),
        (json!({"role": "user"}), false),
        (json!({"role": "guest"}), true),
        (json!({"role": "administrator"}), true),
        (json!({"operator": true}), false),
    ] {
        let bo = instance.join(&format!("bo{}", change.to_string().len()), "user");
        let changed = instance.ask(&patch(&bo, &change)).expect(200);
        for (field, value) in change.as_object().unwrap() {
            assert_eq!(changed[field], *value, "{changed}");
        }
        assert_eq!(is_in(&instance, &bo), !ends, "{change}");
    }
    let boss = instance.join("boss", "administrator");
    instance.ask(&patch(&boss, &json!({"operator": true}))).expect(200);
    instance.ask(&patch(&boss, &json!({"operator": false}))).expect(200);
    assert!(!is_in(&instance, &boss));
}

#[test]
fn a_change_for_an_older_version_is_rejected() {
    let instance = TestServer::start();
    let bo = instance.join("bo", "user");
    let ask = |tag: &str| patch(&bo, &json!({"name": "Bo"})).header("If-Match", tag);
    assert_eq!(instance.ask(&ask("\"7\"")).problem(412, "version_conflict")["current_version"], 1);
    let answer = instance.ask(&ask("\"1\""));
    assert_eq!(answer.expect(200)["version"], 2);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(instance.ask(&ask("*")).expect(200)["version"], 2, "nothing changed");
    for (change, pointer) in [
        (json!({"role": "king"}), "/role"),
        (json!({"locale": "de"}), "/locale"),
        (json!({"disabled": "yes"}), "/disabled"),
        (json!({"name": ""}), "/name"),
        (json!({"email": "x@example\u{e9}.com"}), "/email"),
        (json!({"password": "a new password of another user"}), "/password"),
    ] {
        let problem = instance.ask(&patch(&bo, &change)).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[test]
fn the_last_owner_and_the_last_operator_cannot_be_removed() {
    let instance = TestServer::start();
    let ada = instance.owner();
    for change in [json!({"role": "administrator"}), json!({"disabled": true})] {
        instance.ask(&patch(&ada, &change)).problem(409, "last_owner");
    }
    instance.ask(&Ask::new("DELETE", &path(&ada))).problem(409, "last_owner");
    instance.ask(&patch(&ada, &json!({"operator": false}))).problem(409, "last_operator");

    // A handover: another user becomes owner, then the first owner gives up the role.
    let bo = instance.join("bo", "user");
    instance.ask(&patch(&bo, &json!({"role": "owner"}))).expect(200);
    instance.ask(&patch(&ada, &json!({"disabled": true}))).problem(409, "last_operator");
    instance.ask(&patch(&ada, &json!({"role": "administrator"}))).expect(200);
    let signed_in = Ask::post("/v1/session", &json!({"email": bo.email, "password": THEIRS}));
    let cookie = instance.bare(&signed_in).header("set-cookie").unwrap().to_owned();
    let bo = Person { cookie: cookie.split(';').next().unwrap().to_owned(), ..bo };
    instance.ask_as(&bo, &patch(&bo, &json!({"role": "user"}))).problem(409, "last_owner");
    // A disabled owner does not count as an owner.
    let cy = instance.join_by(&bo, "cy", "owner");
    instance.ask_as(&bo, &patch(&cy, &json!({"disabled": true}))).expect(200);
    instance.ask_as(&bo, &patch(&bo, &json!({"role": "user"}))).problem(409, "last_owner");
}

#[test]
fn concurrent_mutual_demotions_leave_an_owner() {
    let mut instance = TestServer::start();
    for round in 0..8 {
        instance.sign_in();
        let ada = instance.owner();
        let bo = instance.join(&format!("bo{round}"), "owner");
        // Both users are operators, so each may change the other.
        instance.ask(&patch(&bo, &json!({"operator": true}))).expect(200);
        let demote = |by: &Person, user: &Person| -> Answer {
            instance.ask_as(by, &patch(user, &json!({"role": "user"})))
        };
        let (one, other) = thread::scope(|scope| {
            let one = scope.spawn(|| demote(&ada, &bo));
            let other = scope.spawn(|| demote(&bo, &ada));
            (one.join().unwrap(), other.join().unwrap())
        });
        let left = owners(&instance);
        assert_eq!(left.len(), 1, "round {round}: {one:?} {other:?} {left:?}");
        let (first, second) = if left == [bo.email.clone()] { (other, one) } else { (one, other) };
        first.expect(200);
        // The first change removed the rights of the other user and ended their sessions. Where
        // the second change stops depends on what it had read before: its session, its rights, or
        // only the list of owners.
        match second.status {
            401 => second.problem(401, "session_ended"),
            409 => second.problem(409, "last_owner"),
            _ => second.problem(403, "permission_required"),
        };
        if left == [bo.email.clone()] {
            instance.ask_as(&bo, &patch(&ada, &json!({"role": "owner"}))).expect(200);
            instance.sign_in();
            instance.ask(&patch(&bo, &json!({"role": "user"}))).expect(200);
        }
    }
}

fn owners(instance: &TestServer) -> Vec<String> {
    let said = instance.server().run_cli(&["user", "list", "--json"], "");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let users: Value = serde_json::from_str(&said.stdout).unwrap();
    let owners = users.as_array().unwrap().iter().filter(|user| user["role"] == "owner");
    owners.map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn links_of_a_former_administrator_are_invalid() {
    let instance = TestServer::start();
    for (change, alive) in [
        (Some(json!({"disabled": true})), false),
        (Some(json!({"role": "user"})), false),
        (Some(json!({"name": "Still here"})), true),
        (None, false),
    ] {
        let name = format!("admin{}", change.as_ref().map_or(0, |it| it.to_string().len()));
        let (admin, bo) =
            (instance.join(&name, "administrator"), instance.join(&format!("bo-{name}"), "user"));
        let new = format!("new-{name}@example.com");
        let invited = instance.ask_as(&admin, &invitation(&new, "user")).expect(201);
        let reset =
            instance.ask_as(&admin, &Ask::post(&format!("{}/reset", path(&bo)), &json!({})));
        let reset = token_in(&reset.expect(201));
        match &change {
            Some(change) => drop(instance.ask(&patch(&admin, change)).expect(200)),
            None => assert_eq!(instance.ask(&Ask::new("DELETE", &path(&admin))).status, 204),
        }
        let listed = instance.ask(&Ask::get("/v1/invitations")).expect(200);
        let status = if alive { "pending" } else { "void" };
        assert_eq!(listed["items"][0]["status"], status, "{change:?} {listed}");
        let accepted = instance.bare(&acceptance(&token_in(&invited)));
        let used =
            Ask::post("/v1/reset", &json!({"token": reset, "password": "an other old sentence"}));
        let used = instance.bare(&used);
        if alive {
            accepted.expect(201);
            assert_eq!(used.status, 204, "{}", used.body);
        } else {
            accepted.problem(403, "link_invalid");
            used.problem(403, "link_invalid");
            let sign_in = Ask::post("/v1/session", &json!({"email": bo.email, "password": THEIRS}));
            instance.bare(&sign_in).expect(201);
        }
        let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
        instance.ask(&Ask::new("DELETE", &format!("/v1/invitations/{id}")));
    }
    instance
        .bare(&Ask::post("/v1/session", &json!({"email": EMAIL, "password": PASSWORD})))
        .expect(201);
}
