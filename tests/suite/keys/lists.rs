//! `GET /v1/keys` in other orders and with filters, page by page; and a key's own audit trail.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::test_server::{Made, TestServer};

const ORDERS: [&str; 8] = [
    "created_at",
    "-created_at",
    "name",
    "-name",
    "last_used",
    "-last_used",
    "expires_at",
    "-expires_at",
];

/// More calls than a millisecond has time for.
const CALLS_MAX: usize = 1_000;

fn names(listed: &Value) -> Vec<String> {
    let items = listed["items"].as_array().unwrap();
    items.iter().map(|key| key["name"].as_str().unwrap_or("-").to_owned()).collect()
}

/// Returns the names of the keys whose replaced secret is in use.
fn rotated(instance: &TestServer) -> Vec<String> {
    names(&instance.ask(&Ask::get("/v1/keys?old_secret=used")).expect(200))
}

/// Returns the items of all pages of a list.
fn pages(instance: &TestServer, person: &Person, query: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/keys?limit={limit}&{query}{cursor}");
        let page = person.ask(instance, Ask::get(&path)).expect(200);
        all.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Creates five keys: some used, some expiring, with names in both cases.
fn furnished(instance: &TestServer) -> Vec<Made> {
    let owner = instance.owner();
    let drafts = [
        json!({"name": "beta", "expires_in": "5d"}),
        json!({"name": "Alpha"}),
        json!({"name": "delta", "expires_in": "30d"}),
        json!({"name": "Gamma", "kind": "service", "permissions": ["a:b"], "expires_in": "6d"}),
        json!({"name": "alpha 2"}),
    ];
    let keys: Vec<Made> = drafts.iter().map(|draft| owner.make(instance, draft)).collect();
    let used = |at: usize| instance.key(&keys[at].id)["last_used"]["at"].clone();
    let call = |at: usize| {
        assert_eq!(instance.bare(&Ask::forward_auth(&keys[at].secret)).status, 200);
    };
    call(3);
    call(0);
    // Times have milliseconds: two uses in one millisecond would be equal.
    let is_later = |_| {
        call(0);
        used(0) != used(3)
    };
    assert!((0..CALLS_MAX).any(is_later), "all calls were in one millisecond");
    keys
}

#[test]
fn keys_are_listed_in_the_requested_order() {
    let instance = TestServer::start();
    furnished(&instance);
    for (order, expected) in [
        ("-created_at", ["alpha 2", "Gamma", "delta", "Alpha", "beta"]),
        ("created_at", ["beta", "Alpha", "delta", "Gamma", "alpha 2"]),
        ("name", ["Alpha", "alpha 2", "beta", "delta", "Gamma"]),
        ("-name", ["Gamma", "delta", "beta", "alpha 2", "Alpha"]),
        ("last_used", ["Gamma", "beta", "alpha 2", "delta", "Alpha"]),
        ("-last_used", ["beta", "Gamma", "alpha 2", "delta", "Alpha"]),
        ("expires_at", ["beta", "Gamma", "delta", "alpha 2", "Alpha"]),
        ("-expires_at", ["delta", "Gamma", "beta", "alpha 2", "Alpha"]),
    ] {
        let listed = instance.ask(&Ask::get(&format!("/v1/keys?sort={order}"))).expect(200);
        assert_eq!(names(&listed), expected, "{order}");
    }
    for (query, expected) in [
        ("used=never", &["alpha 2", "delta", "Alpha"][..]),
        ("expires_within=7d", &["Gamma", "beta"]),
        ("expires_within=7d&used=never", &[]),
        ("expires=never", &["alpha 2", "Alpha"]),
        ("expires=never&expires_within=7d", &[]),
        ("unused_for=1h", &[]),
        ("unused_for=0s&used=never", &["alpha 2", "delta", "Alpha"]),
        ("old_secret=used", &[]),
        ("kind=service&expires_within=7d", &["Gamma"]),
        ("owner=me&used=never&sort=name", &["Alpha", "alpha 2", "delta"]),
        ("search=ALPHA&sort=-name", &["alpha 2", "Alpha"]),
    ] {
        let listed = instance.ask(&Ask::get(&format!("/v1/keys?{query}"))).expect(200);
        assert_eq!(names(&listed), expected, "{query}");
    }
}

#[test]
fn keys_of_an_environment_are_listed_to_users_who_see_them() {
    let instance = TestServer::start();
    let mate = instance.join("mate", "user");
    for key in [json!({"name": "one"}), json!({"name": "two", "environment": "test"})] {
        instance.create(&key);
    }
    for (environment, expected) in [("live", &["one"][..]), ("test", &["two"]), ("stage", &[])] {
        let ask = Ask::get(&format!("/v1/keys?environment={environment}"));
        let listed = instance.ask(&ask).expect(200);
        assert_eq!(names(&listed), expected, "{environment}");
        assert_eq!(listed["total"], expected.len(), "{environment}");
        assert_eq!(instance.ask_as(&mate, &ask).expect(200)["total"], 0, "{environment}");
    }
}

#[test]
fn active_keys_whose_replaced_secret_is_in_use_are_found() {
    let instance = TestServer::start();
    let [busy, calm] = ["busy", "calm"].map(|name| instance.create(&json!({"name": name})));
    let rotate = |key: &Made, overlap: &str| {
        let path = format!("/v1/keys/{}/rotate", key.id);
        instance.ask(&Ask::post(&path, &json!({"overlap": overlap}))).expect(200);
    };
    rotate(&busy, "24h");
    rotate(&calm, "24h");
    assert!(rotated(&instance).is_empty());
    // Times have milliseconds: the first call may be in that of the rotation.
    let is_found = |_| {
        assert_eq!(instance.bare(&Ask::forward_auth(&busy.secret)).status, 200);
        !rotated(&instance).is_empty()
    };
    assert!((0..CALLS_MAX).any(is_found), "the use of the old secret is not found");
    assert_eq!(rotated(&instance), ["busy"]);
    instance.act(&busy.id, "disable").expect(200);
    assert!(rotated(&instance).is_empty());
    instance.act(&busy.id, "enable").expect(200);
    assert_eq!(rotated(&instance), ["busy"]);
    rotate(&busy, "0s");
    assert!(rotated(&instance).is_empty());
}

#[test]
fn joined_pages_of_every_order_are_the_whole_list() {
    let instance = TestServer::start();
    furnished(&instance);
    let owner = instance.owner();
    for number in 0..7 {
        // Keys with equal names, without expiry and use.
        owner.make(&instance, &json!({"name": format!("same {}", number % 2)}));
    }
    // A user who sees some keys in full, and other keys without details.
    let plain = instance.join("plain", "user");
    plain.make(&instance, &json!({"name": "mine", "expires_in": "1d"}));
    for person in [&owner, &plain] {
        for order in ORDERS {
            let whole = pages(&instance, person, &format!("sort={order}"), 100);
            assert_eq!(whole.len(), 13, "{order}");
            for limit in [1, 2, 5, 12, 13] {
                let joined = pages(&instance, person, &format!("sort={order}"), limit);
                assert_eq!(joined, whole, "{order} by {limit}");
            }
        }
    }
    // Keys that the user sees without details are last in every order, by time of creation.
    let by_name = pages(&instance, &plain, "sort=name", 100);
    assert_eq!(by_name[0]["name"], "mine");
    let backward = pages(&instance, &plain, "sort=-name", 100);
    assert_eq!(by_name[1..], backward[1..]);
    assert!(by_name[1..].iter().all(|key| key.get("name").is_none()), "{by_name:?}");
    assert_eq!(pages(&instance, &plain, "used=never", 100).len(), 1);
}

#[test]
fn a_cursor_works_only_in_its_own_order() {
    let instance = TestServer::start();
    furnished(&instance);
    let first = instance.ask(&Ask::get("/v1/keys?limit=2&sort=name")).expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    for (query, pointer) in [
        (format!("sort=-name&cursor={cursor}"), "?cursor"),
        (format!("cursor={cursor}"), "?cursor"),
        ("sort=name&cursor=bm9uZQ".to_owned(), "?cursor"),
        ("sort=color".to_owned(), "?sort"),
        ("used=often".to_owned(), "?used"),
        ("expires_within=soon".to_owned(), "?expires_within"),
        ("expires=soon".to_owned(), "?expires"),
        ("unused_for=1mo".to_owned(), "?unused_for"),
        ("environment=Test".to_owned(), "?environment"),
        ("old_secret=any".to_owned(), "?old_secret"),
    ] {
        let refused = instance.ask(&Ask::get(&format!("/v1/keys?{query}")));
        assert_eq!(
            refused.problem(400, "invalid_input")["errors"][0]["pointer"],
            pointer,
            "{query}"
        );
    }
}

#[test]
fn a_key_has_the_names_of_its_owner_and_creator() {
    let instance = TestServer::start();
    let owner = instance.ask(&Ask::get("/v1/session")).expect(200)["user"]["name"].clone();
    let (user, boss) = (instance.join("ursula", "user"), instance.join("bob", "administrator"));
    let name = user.ask(&instance, Ask::get("/v1/session")).expect(200)["user"]["name"].clone();
    let of = |key: &str| {
        let key = instance.key(key);
        (key["owner_name"].clone(), key["created_by_name"].clone())
    };
    let service = json!({"kind": "service", "permissions": []});
    let key = user.make(&instance, &json!({"name": "hers"}));
    assert_eq!(of(&key.id), (name.clone(), name.clone()));
    let theirs = boss.make(&instance, &service);
    assert_eq!(of(&theirs.id), (Value::Null, name));
    // Neither a key nor the operator on the host is a user.
    let manager = instance.manager();
    assert_eq!(of(&manager.id), (Value::Null, owner));
    let by_key =
        instance.bare(&Ask::post("/v1/keys", &service).bearer(&manager.secret)).expect(201);
    let by_host = instance.server().run_cli(&["key", "create", "--name", "n", "--json"], "");
    let by_host: Value = serde_json::from_str(&by_host.stdout).unwrap();
    for made in [by_key, by_host] {
        assert_eq!(of(made["key"]["id"].as_str().unwrap()), (Value::Null, Value::Null));
    }
    // A removed user has no name.
    for person in [&boss, &user] {
        let path = format!("/v1/users/{}", person.id);
        assert_eq!(instance.ask(&Ask::new("DELETE", &path)).status, 204);
    }
    for key in [&theirs, &key] {
        assert_eq!(of(&key.id), (Value::Null, Value::Null));
    }
}

/// A user who sees a key in full sees its changes: without the source addresses, and without the
/// secret teams it was shared with.
#[test]
fn the_trail_of_a_key_is_visible_to_users_who_see_all_of_it() {
    let instance = TestServer::start();
    let (user, mate, outsider) = (
        instance.join("user", "user"),
        instance.join("mate", "user"),
        instance.join("outsider", "user"),
    );
    let team = instance.team("makers", "visible", &[&user, &mate]);
    let key =
        user.make(&instance, &json!({"name": "hers", "teams": [{"id": team, "access": "read"}]}));
    instance.ask(&Ask::post(&format!("/v1/keys/{}/disable", key.id), &json!({}))).expect(200);
    let trail = Ask::get(&format!("/v1/audit?target={}", key.id));
    for person in [&user, &mate] {
        let listed = person.ask(&instance, trail.clone()).expect(200);
        let events = listed["items"].as_array().unwrap();
        let actions: Vec<_> =
            events.iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["key.disable", "key.create"]);
        for event in events {
            assert_eq!(event["address"], Value::Null, "{event}");
            assert_eq!((&event["before"], &event["after"]), (&json!({}), &json!({})), "{event}");
            assert!(event["actor"]["name"].is_string(), "{event}");
        }
    }
    // Readers of the log see everything; other users see nothing.
    let whole = instance.ask(&trail).expect(200);
    assert!(whole["items"][0]["address"].is_string(), "{whole}");
    assert!(whole["items"][1]["after"]["name"].is_string(), "{whole}");
    outsider.ask(&instance, trail).problem(403, "permission_required");
    for path in
        ["/v1/audit", "/v1/audit?action=key.create", &format!("/v1/audit?target={}", user.id)]
    {
        user.ask(&instance, Ask::get(path)).problem(403, "permission_required");
    }
    let nothing = "/v1/audit?target=key_0199f3a2-6f1e-7cc3-98c4-dc0c0c07398f";
    user.ask(&instance, Ask::get(nothing)).problem(404, "not_found");
}

/// An audit trail names no team that is hidden from its reader, not even in a past change.
#[test]
fn a_trail_does_not_reveal_secret_teams() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let [user, mate] = ["user", "mate"].map(|name| instance.join(name, "user"));
    let makers = instance.team("makers", "visible", &[&user, &mate]);
    let secret = instance.team("secret", "secret", &[&user]);
    let key = user.make(&instance, &json!({"name": "hers"}));
    instance.share(&user, &key.id, &secret, "read");
    instance.share(&user, &key.id, &makers, "read");
    instance.share(&user, &key.id, &secret, "write");
    let unshare = Ask::new("DELETE", &format!("/v1/keys/{}/teams/{secret}", key.id));
    assert_eq!(user.ask(&instance, unshare).status, 204);
    let trail = Ask::get(&format!("/v1/audit?target={}", key.id));
    for (person, expected) in [
        (&user, &["key.unshare", "key.share", "key.share", "key.share", "key.create"][..]),
        (&mate, &["key.share", "key.create"]),
        (&instance.owner(), &["key.unshare", "key.share", "key.share", "key.share", "key.create"]),
    ] {
        let listed = person.ask(&instance, trail.clone()).expect(200);
        let events = listed["items"].as_array().unwrap();
        let actions: Vec<_> =
            events.iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, expected, "{}", person.email);
    }
}

/// Creates forty keys of all kinds, of the owner and another user, some shared with a team, with
/// similar and unusual names.
fn crowd(instance: &TestServer, bo: &Person, team: &str, random: &mut StdRng) {
    let long = "\u{1f511}".repeat(250);
    let names = ["Bot", "bot", "api", "\u{130}|\u{c9}", &long];
    let owner = instance.owner();
    for _ in 0..40 {
        let name = names[random.random_range(0..names.len())];
        let mut key = json!({"name": format!("{name} {}", random.random_range(0..6))});
        if random.random_bool(0.5) {
            key["expires_in"] = json!(format!("{}d", random.random_range(1..12)));
        }
        if random.random_bool(0.3) {
            (key["kind"], key["permissions"]) = (json!("service"), json!(["a:b"]));
        }
        if random.random_bool(0.4) {
            key["teams"] = json!([{"id": team, "access": "read"}]);
        }
        let is_bos = random.random_bool(0.4) && key.get("kind").is_none();
        let made = if is_bos { bo.make(instance, &key) } else { owner.make(instance, &key) };
        if random.random_bool(0.4) {
            assert_eq!(instance.bare(&Ask::forward_auth(&made.secret)).status, 200);
        }
        if random.random_bool(0.2) {
            instance.act(&made.id, "disable").expect(200);
        } else if random.random_bool(0.1) {
            instance.act(&made.id, "revoke").expect(200);
        }
    }
}

/// For every combination of filters, each order lists exactly the matching keys, in that order and
/// once each, with every page size.
#[test]
fn filters_and_orders_can_be_combined() {
    let instance = TestServer::start();
    instance.put_on_plan(&instance.organization(), "enterprise");
    let (bo, owner) = (instance.join("bo", "user"), instance.owner());
    let team = instance.team("makers", "visible", &[&bo]);
    let mut random = StdRng::seed_from_u64(7);
    crowd(&instance, &bo, &team, &mut random);
    let last = owner.make(&instance, &json!({"name": "bot", "expires_in": "7d"}));
    let week = last.key["expires_at"].as_str().unwrap();
    let by_bo = format!("owner={}", bo.id);
    let by_team = format!("team={team}");
    let filters: [(&str, &dyn Fn(&Value) -> bool); 9] = [
        ("kind=service", &|key| key["kind"] == "service"),
        ("kind=personal", &|key| key["kind"] == "personal"),
        ("owner=me", &|key| key["owner"] == owner.id.as_str()),
        (&by_bo, &|key| key["owner"] == bo.id.as_str()),
        (&by_team, &|key| key["teams"].as_array().is_some_and(|teams| !teams.is_empty())),
        ("used=never", &|key| key["last_used"].is_null()),
        ("expires_within=7d", &|key| key["expires_at"].as_str().is_some_and(|end| end <= week)),
        ("search=BOT", &|key| key["name"].as_str().unwrap().to_lowercase().contains("bot")),
        ("status=active", &|key| key["status"] == "active"),
    ];
    let all = pages(&instance, &owner, "status=all", 100);
    assert_eq!(all.len(), 41);
    for round in 0..60 {
        let mut chosen: Vec<_> = filters.iter().filter(|_| random.random_bool(0.25)).collect();
        chosen.dedup_by_key(|(query, _)| query.split('=').next());
        let wanted: Vec<_> = chosen.iter().map(|(query, _)| *query).collect();
        let order = ORDERS[round % ORDERS.len()];
        let is_listed =
            |key: &&Value| key["status"] != "revoked" && chosen.iter().all(|(_, fits)| fits(key));
        let mut expected: Vec<&Value> = all.iter().filter(is_listed).collect();
        sort(&mut expected, order);
        let query = format!("{}&sort={order}", wanted.join("&"));
        let limit = random.random_range(1..8);
        let listed = pages(&instance, &owner, &query, limit);
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{query} by {limit}");
    }
}

/// A second implementation of the order, from the documentation.
fn sort(keys: &mut [&Value], order: &str) {
    let (name, descending) = order.strip_prefix('-').map_or((order, false), |name| (name, true));
    let value = |key: &Value| match name {
        "last_used" => key["last_used"]["at"].as_str().map(str::to_owned),
        _ => key[name].as_str().map(str::to_lowercase),
    };
    keys.sort_by(|one, other| {
        let newest = other["id"].as_str().cmp(&one["id"].as_str());
        match (value(one), value(other)) {
            (Some(one), Some(other)) if descending => other.cmp(&one).then(newest),
            (Some(one), Some(other)) => one.cmp(&other).then(newest),
            (one, other) => one.is_none().cmp(&other.is_none()).then(newest),
        }
    });
}

/// Regression: the description gave the cursors of all orders the pattern of those of the default order.
#[test]
fn the_description_of_cursors_fits_every_order() {
    let instance = TestServer::start();
    let document = instance.bare(&Ask::get("/openapi.json")).expect(200);
    let list = &document["paths"]["/v1/keys"]["get"];
    let parameters = list["parameters"].as_array().unwrap();
    let sent = parameters.iter().find(|parameter| parameter["name"] == "cursor").unwrap();
    let page = &list["responses"]["200"]["content"]["application/json"]["schema"];
    for schema in [&sent["schema"], &page["properties"]["next_cursor"]] {
        assert_eq!(schema["format"], "key-cursor", "{schema}");
        assert_eq!(schema["pattern"], Value::Null, "{schema}");
    }
}
