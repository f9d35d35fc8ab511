//! `/v1/audit` lists and filters events for users who may read them.

mod events;
mod seals;

use keyhouse::model::id::{EventId, OrganizationId};
use keyhouse::model::moment::Moment;
use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::audit::seals::{insert, opened};
use crate::shape::assert_shape;
use crate::test_server::TestServer;

fn items(instance: &TestServer, query: &str) -> Vec<Value> {
    let page = instance.ask(&Ask::get(&format!("/v1/audit{query}"))).expect(200);
    page["items"].as_array().unwrap().clone()
}

fn actions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["action"].as_str().unwrap()).collect()
}

#[test]
fn events_are_listed_newest_first_with_actor_and_address() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "bot", "kind": "service"}));
    let path = format!("/v1/keys/{}", made.id);
    instance.ask(&Ask::patch(&path, &json!({"name": "robot"}))).expect(200);
    let events = items(&instance, "");
    assert_eq!(actions(&events), ["key.update", "key.create", "session.begin", "instance.setup"]);
    let (renamed, user) = (&events[0], instance.ask(&Ask::get("/v1/session")).expect(200));
    assert_shape!("audit_event", renamed);
    let owner = json!({"kind": "user", "id": user["user"]["id"], "name": user["user"]["name"]});
    assert_eq!(renamed["actor"], owner);
    assert_eq!(renamed["target"], made.id.as_str());
    assert_eq!(renamed["organization"], user["organization"]["id"]);
}

#[test]
fn keys_and_the_host_are_named_as_actors() {
    let instance = TestServer::start();
    let manager = instance.manager();
    let ask = Ask::post("/v1/keys", &json!({"kind": "service"})).bearer(&manager.secret);
    let made = instance.bare(&ask).expect(201);
    let local =
        instance.server().run_cli(&["key", "revoke", made["key"]["id"].as_str().unwrap()], "");
    assert_eq!(local.code, Some(0), "{local:?}");
    let events = items(&instance, &format!("?target={}", made["key"]["id"].as_str().unwrap()));
    assert_eq!(actions(&events), ["key.revoke", "key.create"]);
    assert_eq!(events[0]["actor"], json!({"kind": "local", "id": null, "name": null}));
    assert_eq!(events[0]["address"], Value::Null);
    assert_eq!(
        events[1]["actor"],
        json!({"kind": "key", "id": manager.id, "name": manager.key["name"]})
    );
}

#[test]
fn events_are_filtered_by_actor_action_target_and_time() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "a"}));
    instance.act(&made.id, "disable").expect(200);
    instance.act(&made.id, "enable").expect(200);
    instance.create(&json!({"name": "b"}));
    let all = items(&instance, "");
    let text = |at: usize, field: &str| all[at][field].as_str().unwrap().to_owned();
    let user = all[0]["actor"]["id"].as_str().unwrap();
    for (query, found) in [
        (format!("?target={}", made.id), 1..4),
        ("?action=key.*".to_owned(), 0..4),
        ("?action=key.enable".to_owned(), 1..2),
        ("?action=key".to_owned(), 0..0),
        (format!("?actor={user}&action=session.*"), 4..5),
        (format!("?since={}", text(4, "at")), 0..5),
        (format!("?until={}", text(5, "at")), 6..6),
        ("?until=2020-01-01T00:00:00Z".to_owned(), 0..0),
        ("?until=2999-01-01T00:00:00Z".to_owned(), 0..6),
        ("?since=2999-01-01T00:00:00Z".to_owned(), 0..0),
        ("?actor=local".to_owned(), 0..0),
        ("?actor=key_0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f".to_owned(), 0..0),
        (format!("?target={}&action=key.disable&actor={user}", made.id), 2..3),
    ] {
        let query = query.replace('+', "%2B");
        assert_eq!(items(&instance, &query), all[found], "{query}");
    }
    for (query, code) in [
        ("?actor=ada", "invalid_actor"),
        ("?action=key*", "invalid_action"),
        ("?since=yesterday", "invalid_time"),
        ("?until=2027", "invalid_time"),
        ("?limit=0", "out_of_range"),
        ("?limit=101", "out_of_range"),
        ("?cursor=x", "invalid_cursor"),
        ("?who=me", "unknown_parameter"),
    ] {
        let problem =
            instance.ask(&Ask::get(&format!("/v1/audit{query}"))).problem(400, "invalid_input");
        assert_eq!(problem["errors"][0]["code"], code, "{query}: {problem}");
    }
}

/// In an earlier version, most events had only the id of their object.
#[test]
fn objects_have_their_current_name_or_the_one_in_the_event() {
    let instance = TestServer::start();
    let made = instance.create(&json!({"name": "courier"}));
    instance.act(&made.id, "disable").expect(200);
    let renamed = json!({"name": "Facteur de l’été"});
    instance.ask(&Ask::patch(&format!("/v1/keys/{}", made.id), &renamed)).expect(200);
    let team = json!({"name": "night watch"});
    let team = instance.ask(&Ask::post("/v1/teams", &team)).expect(201)["id"].clone();
    let team = format!("/v1/teams/{}", team.as_str().unwrap());
    instance.ask(&Ask::new("DELETE", &team)).expect(204);
    let named = |query: &str| -> Vec<(String, Value)> {
        let events = items(&instance, query).into_iter();
        events
            .map(|it| (it["action"].as_str().unwrap().to_owned(), it["target_name"].clone()))
            .collect()
    };
    let of = |action: &str, name: &str| (action.to_owned(), json!(name));
    let of_key = ["key.update", "key.disable", "key.create"].map(|it| of(it, "Facteur de l’été"));
    let of_team = ["team.remove", "team.create"].map(|it| of(it, "night watch"));
    assert_eq!(named("?action=key.*"), of_key);
    assert_eq!(named("?action=team.*"), of_team);

    // A search finds these names, without regard to case and accents, and ids.
    assert_eq!(named("?search=FACTEUR%20de%20l%E2%80%99ete"), of_key);
    assert_eq!(named("?search=watch"), of_team);
    assert_eq!(named(&format!("?search={}", made.id)), of_key);
    // The earlier name is in two events.
    assert_eq!(named("?search=courier"), [of_key[0].clone(), of_key[2].clone()]);
    assert_eq!(named("?search=ada&action=key.create"), of_key[2..]);
    assert_eq!(items(&instance, "?search="), items(&instance, ""));
    // Regression: the log compared the text of addresses, and found no other spelling of an address.
    let created = "?action=key.create&search=";
    assert_eq!(named(&format!("{created}::ffff:127.0.0.1")), of_key[2..]);
    assert_eq!(named(&format!("{created}127.0.0.")), of_key[2..]);
    assert_eq!(named(&format!("{created}127.0.0.12")), []);
    let long = instance.ask(&Ask::get(&format!("/v1/audit?search={}", "x".repeat(101))));
    assert_eq!(long.problem(400, "invalid_input")["errors"][0]["code"], "too_long");
}

#[test]
fn pages_have_no_gap_and_no_repetition() {
    let instance = TestServer::start();
    for number in 0..5 {
        instance.create(&json!({"name": format!("key {number}")}));
    }
    let all = items(&instance, "");
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = instance.ask(&Ask::get(&format!("/v1/audit?limit=3{cursor}"))).expect(200);
        let events = page["items"].as_array().unwrap();
        assert!(events.len() <= 3);
        paged.extend(events.clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
}

#[test]
fn the_log_requires_its_permission_and_its_proof_an_operator() {
    let instance = TestServer::start();
    let service = |permissions: Value| {
        instance.create(&json!({"kind": "service", "permissions": permissions})).secret
    };
    let reader = service(json!(["keyhouse:audit:read"]));
    let other = service(json!(["*", "keyhouse:keys:*"]));
    let operator = service(json!(["keyhouse:instance:manage", "keyhouse:audit:read"]));
    let (list, head) = (Ask::get("/v1/audit"), Ask::get("/v1/audit/head"));
    let check = Ask::post("/v1/audit/check", &json!({}));
    for ask in [&list, &head, &check] {
        instance.bare(ask).problem(401, "NO_CREDENTIAL");
        let refused =
            instance.bare(&ask.clone().bearer(&other)).problem(403, "permission_required");
        assert!(refused["permission"].as_str().unwrap().starts_with("keyhouse:"), "{refused}");
        instance.bare(&ask.clone().bearer(&operator)).expect(200);
        instance.ask(ask).expect(200);
    }
    instance.bare(&list.bearer(&reader)).expect(200);
    instance.bare(&head.bearer(&reader)).expect(200);
    instance.bare(&check.bearer(&reader)).problem(403, "permission_required");
    let wrong = instance.ask(&Ask::post("/v1/audit/check", &json!({"head": "abc"})));
    assert_eq!(wrong.problem(400, "invalid_input")["errors"][0]["code"], "invalid_hash");
}

#[test]
fn other_organizations_are_not_listed_and_the_instance_only_for_operators() {
    let mut instance = TestServer::start();
    let keys: Vec<_> = [json!(["keyhouse:audit:read"]), json!(["keyhouse:audit:*"])]
        .into_iter()
        .map(|permissions| instance.create(&json!({"kind": "service", "permissions": permissions})))
        .collect();
    instance.stop();
    let stranger = OrganizationId::new(Moment::from_milliseconds(1_000), &mut rand::rng());
    let store = opened(instance.home());
    let now = EventId::new(newest(&store), &mut rand::rng());
    insert(&store, now, "plan.update", None);
    insert(&store, EventId::new(now.moment(), &mut rand::rng()), "key.create", Some(stranger));
    drop(store);
    instance.restart();
    let listed = |answer: Value| {
        let events = answer["items"].as_array().unwrap().clone();
        assert!(events.iter().all(|event| event["organization"] != stranger.to_string()));
        events.iter().filter(|event| event["organization"].is_null()).count()
    };
    assert_eq!(listed(instance.ask(&Ask::get("/v1/audit")).expect(200)), 1, "the owner operates");
    for key in keys {
        let answer = instance.bare(&Ask::get("/v1/audit").bearer(&key.secret));
        assert_eq!(listed(answer.expect(200)), 0);
    }
}

fn newest(store: &keyhouse_storage_redb::RedbStore) -> Moment {
    keyhouse::upkeep::audit::latest_moment(store).unwrap().unwrap()
}
