//! Every change writes exactly one event with the actor, the action, the target and the source
//! address. No event contains a secret.

use std::collections::{BTreeSet, HashMap, HashSet};

use keyhouse::records::place::StoreKey;
use keyhouse_storage::{At, Range, Store as _};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::ask::{Ask, Expect};
use crate::audit::seals::opened;
use crate::deadlines::seconds_since_1970;
use crate::people::{self, Person};
use crate::policy::statuses_of_success;
use crate::server::wire::Answer;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

/// Routes that take a body and change nothing, so they write no event.
const NO_CHANGES: [&str; 7] = [
    "POST /v1/introspect",
    "POST /v1/verify",
    "POST /v1/verify/batch",
    "POST /v1/keys/{key}/explain",
    "POST /v1/gates/{gate}/test",
    "POST /v1/audit/check",
    "POST /v1/links",
];
const NEW_PASSWORD: &str = "a longer walk in the snow";
/// A key in the format of another system.
const FOREIGN: &str = "Zm9yZWlnbiBrZXlzIGFyZSBub3QgbGlrZSBvdXIgb3du";

/// The actor of a change.
#[derive(Clone, Debug)]
enum By {
    Anonymous,
    Owner,
    Person(Person),
    Key { id: String, secret: String },
}

/// The expected event of a change: its action, its target and its organization.
type Said<'a> = (&'a str, &'a str, &'a Value);

/// Makes changes and checks the event of each.
struct Record {
    instance: TestServer,
    /// The status of a change through each route.
    statuses: HashMap<String, u16>,
    seen: HashSet<String>,
    /// The user who may list all events.
    readers: Vec<Person>,
    done: BTreeSet<&'static str>,
    secrets: Vec<String>,
}

impl Record {
    fn new() -> Self {
        let instance = TestServer::start_empty();
        let statuses = statuses_of_success(&instance);
        let secrets = [PASSWORD, people::PASSWORD, NEW_PASSWORD].map(str::to_owned).to_vec();
        let (seen, readers, done) = (HashSet::new(), Vec::new(), BTreeSet::new());
        Self { instance, statuses, seen, readers, done, secrets }
    }

    fn asked(&mut self, by: &By, ask: &Ask) -> Answer {
        let ask = match by {
            By::Anonymous => ask.clone(),
            By::Owner => self.instance.as_owner(ask.clone()),
            By::Person(person) => person.asks(ask),
            By::Key { secret, .. } => ask.clone().bearer(secret),
        };
        let answer = self.instance.bare(&ask);
        self.keep_secrets(&answer);
        answer
    }

    /// Makes a change through this route and expects exactly one event with the expected content.
    fn does(&mut self, route: &'static str, by: &By, ask: &Ask, said: Said<'_>) -> Value {
        let done = self.asked(by, ask).expect(self.statuses[route]);
        self.expect_event(route, by, said);
        done
    }

    fn expect_event(&mut self, route: &'static str, by: &By, said: Said<'_>) {
        self.done.insert(route);
        let events = self.new_events();
        let [event] = &events[..] else { panic!("{route}: not one event: {events:?}") };
        self.compare(route, by, event, said);
    }

    fn compare(
        &self,
        route: &str,
        by: &By,
        event: &Value,
        (action, target, organization): Said<'_>,
    ) {
        assert_eq!(event["action"], action, "{route}: {event}");
        assert_eq!(event["target"], target, "{route}: {event}");
        assert_eq!(&event["organization"], organization, "{route}: {event}");
        assert_eq!(event["address"], "127.0.0.1", "{route}: {event}");
        let (kind, id) = match by {
            // The request has no credential, but the event of a sign-in names the user.
            By::Anonymous => ("user", target.to_owned()),
            By::Owner => ("user", self.instance.owner().id),
            By::Person(person) => ("user", person.id.clone()),
            By::Key { id, .. } => ("key", id.clone()),
        };
        assert_eq!(event["actor"]["kind"], kind, "{route}: {event}");
        assert_eq!(event["actor"]["id"], id.as_str(), "{route}: {event}");
    }

    /// A request that changes nothing writes no event.
    fn leaves_nothing(&mut self, by: &By, ask: &Ask, status: u16) {
        let answer = self.asked(by, ask);
        assert_eq!(answer.status, status, "{ask:?}: {}", answer.body);
        assert_eq!(self.new_events(), [] as [Value; 0], "{ask:?}");
    }

    /// Returns the events since the last call, the oldest first.
    fn new_events(&mut self) -> Vec<Value> {
        let mut found = Vec::new();
        for reader in self.readers.clone() {
            let page = self.instance.ask_as(&reader, &Ask::get("/v1/audit?limit=100")).expect(200);
            found.extend(page["items"].as_array().unwrap().clone());
        }
        found.reverse();
        found.retain(|event| self.seen.insert(event["id"].as_str().unwrap().to_owned()));
        found
    }

    fn keep_secrets(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.header("set-cookie") {
            let value = cookie.split(['=', ';']).nth(1).unwrap();
            self.secrets.extend((!value.is_empty()).then(|| value.to_owned()));
        }
        if !answer.body.is_empty() && (200..300).contains(&answer.status) {
            let value = answer.json();
            for name in ["secret", "url"] {
                if let Some(text) = value[name].as_str() {
                    let token = text.split_once("token=").map_or(text, |(_, token)| token);
                    // The start of an invitation's token is the invitation's id, which is not
                    // secret. The rest is secret.
                    let (_, secret) = token.rsplit_once('.').unwrap_or(("", token));
                    self.secrets.push(secret.to_owned());
                }
            }
            let codes = value["backup_codes"].as_array().into_iter().flatten();
            self.secrets.extend(codes.map(|code| code.as_str().unwrap().to_owned()));
        }
    }

    /// No event in the store contains a secret or the digest of a secret.
    fn assert_no_secret(mut self) {
        self.instance.stop();
        let store = opened(self.instance.home());
        let page = store.scan(&Range::prefix(StoreKey::EVENTS), At::Latest).unwrap();
        assert!(!page.more && page.rows.len() >= self.seen.len());
        self.secrets.push(FOREIGN.to_owned());
        for row in page.rows {
            let text = String::from_utf8_lossy(&row.value);
            for secret in &self.secrets {
                let digest = blake3::hash(secret.as_bytes()).to_hex();
                let holds = text.contains(secret.as_str()) || text.contains(digest.as_str());
                assert!(!holds, "{secret:?} in {text}");
                assert!(!text.contains("$argon2"), "{text}");
            }
        }
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

#[test]
fn every_change_writes_one_event_and_no_event_holds_a_secret() {
    let mut record = Record::new();
    let home = come_in(&mut record);
    lead_a_key(&mut record, &home);
    share_a_key(&mut record, &home);
    rule_people(&mut record, &home);
    run_the_instance(&mut record);
    look_after_oneself(&mut record, &home);
    let done: BTreeSet<_> = record.done.iter().map(|&route| route.to_owned()).collect();
    let routes = record.statuses.keys().filter(|route| !route.starts_with("GET "));
    let mut changing: BTreeSet<_> =
        routes.filter(|route| !route.starts_with("HEAD ")).cloned().collect();
    assert!(changing.len() > 20, "{changing:?}");
    for route in NO_CHANGES {
        assert!(changing.remove(route), "{route}");
    }
    let missing: Vec<_> = changing.difference(&done).collect();
    assert_eq!(missing, [] as [&String; 0], "each needs a row here");
    record.assert_no_secret();
}

/// Performs setup, sign-in and sign-out. Returns the organization.
fn come_in(record: &mut Record) -> Value {
    let link = record.instance.setup_link();
    let (_, token) = link.split_once("token=").unwrap();
    let body = json!({"token": token, "name": "Ada", "email": EMAIL, "password": PASSWORD});
    record.secrets.push(token.to_owned());
    record.asked(&By::Anonymous, &Ask::post("/v1/setup", &body)).expect(201);
    record.done.insert("POST /v1/setup");
    record.instance.sign_in();
    record.secrets.push(record.instance.cookie().split_once('=').unwrap().1.to_owned());
    let owner = record.instance.owner();
    record.readers.push(owner.clone());
    let session = record.instance.ask(&Ask::get("/v1/session")).expect(200);
    let home = session["organization"]["id"].clone();
    let begun = record.new_events();
    let actions: Vec<_> = begun.iter().map(|event| text(event, "/action")).collect();
    assert_eq!(actions, ["instance.setup", "session.begin", "session.begin"]);
    for event in &begun {
        record.compare(
            "POST /v1/setup",
            &By::Owner,
            event,
            (text(event, "/action"), &owner.id, &home),
        );
    }
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let begin = Ask::post("/v1/session", &body);
    record.does("POST /v1/session", &By::Anonymous, &begin, ("session.begin", &owner.id, &home));
    let proof = Ask::post("/v1/session/proof", &json!({"password": PASSWORD}));
    let proven = ("session.prove", owner.id.as_str(), &home);
    record.does("POST /v1/session/proof", &By::Owner, &proof, proven);
    let mut again = owner.clone();
    let answer = record.instance.bare(&begin);
    record.keep_secrets(&answer);
    record.new_events();
    answer.header("set-cookie").unwrap().split(';').next().unwrap().clone_into(&mut again.cookie);
    let end = Ask::new("DELETE", "/v1/session");
    let ended = ("session.end", owner.id.as_str(), &home);
    record.does("DELETE /v1/session", &By::Person(again.clone()), &end, ended);
    record.leaves_nothing(&By::Person(again), &end, 204);
    home
}

fn lead_a_key(record: &mut Record, home: &Value) {
    let create = |body: Value| Ask::post("/v1/keys", &body);
    let fields = json!({"name": "bot", "kind": "service", "permissions": ["a:b"]});
    let made = record.asked(&By::Owner, &create(fields)).expect(201);
    let id = text(&made, "/key/id").to_owned();
    let event = record.new_events().pop().unwrap();
    record.compare("POST /v1/keys", &By::Owner, &event, ("key.create", &id, home));
    record.done.insert("POST /v1/keys");
    let path = format!("/v1/keys/{id}");
    let post = |below: &str| Ask::post(&format!("{path}/{below}"), &json!({}));
    let mut does = |route, ask: &Ask, action| {
        record.does(route, &By::Owner, ask, (action, &id, home));
    };
    does("PATCH /v1/keys/{key}", &Ask::patch(&path, &json!({"name": "robot"})), "key.update");
    does("POST /v1/keys/{key}/rotate", &post("rotate"), "key.rotate");
    does("POST /v1/keys/{key}/disable", &post("disable"), "key.disable");
    does("POST /v1/keys/{key}/enable", &post("enable"), "key.enable");
    let overlap = Ask::post(&format!("{path}/rotate"), &json!({"overlap": "1h"}));
    does("POST /v1/keys/{key}/rotate", &overlap, "key.rotate");
    does("POST /v1/keys/{key}/revoke", &post("revoke"), "key.revoke");
    for (ask, status) in [
        (post("revoke"), 200),
        (Ask::new("DELETE", &path), 204),
        (Ask::patch(&path, &json!({"name": ""})), 400),
        (Ask::patch(&path, &json!({"name": "late"})).header("If-Match", "\"1\""), 412),
        (post("enable"), 409),
    ] {
        record.leaves_nothing(&By::Owner, &ask, status);
    }
    record.leaves_nothing(&By::Anonymous, &create(json!({})), 401);
    by_keys(record, home);
    let line = json!({"name": "old", "key": FOREIGN});
    let import = Ask::post("/v1/keys/import", &json!({"keys": [line]}));
    let target = text(home, "").to_owned();
    let said = ("keys.import", target.as_str(), home);
    record.does("POST /v1/keys/import", &By::Owner, &import, said);
}

/// A change by a key names the key as actor.
fn by_keys(record: &mut Record, home: &Value) {
    let manager = record.instance.manager();
    let own = record.instance.create(&json!({"name": "own"}));
    record.secrets.extend([manager.secret.clone(), own.secret.clone()]);
    record.new_events();
    let by = By::Key { id: manager.id, secret: manager.secret };
    let delete = Ask::new("DELETE", &format!("/v1/keys/{}", own.id));
    record.does("DELETE /v1/keys/{key}", &by, &delete, ("key.revoke", &own.id, home));
    let found = record.instance.create(&json!({"name": "found on a wall"}));
    record.secrets.push(found.secret.clone());
    record.new_events();
    let by = By::Key { id: found.id.clone(), secret: found.secret };
    let revoke = Ask::post("/v1/whoami/revoke", &json!({}));
    record.does("POST /v1/whoami/revoke", &by, &revoke, ("key.revoke", &found.id, home));
}

fn share_a_key(record: &mut Record, home: &Value) {
    let by = By::Owner;
    let create = Ask::post("/v1/teams", &json!({"name": "Blue", "visibility": "visible"}));
    let made = record.asked(&by, &create).expect(201);
    let team = text(&made, "/id").to_owned();
    let event = record.new_events().pop().unwrap();
    record.compare("POST /v1/teams", &by, &event, ("team.create", &team, home));
    record.done.insert("POST /v1/teams");
    let path = format!("/v1/teams/{team}");
    let member = format!("{path}/members/{}", record.instance.owner().id);
    let key = record.instance.create(&json!({"name": "shared"}));
    record.secrets.push(key.secret.clone());
    record.new_events();
    let share = format!("/v1/keys/{}/teams/{team}", key.id);
    let read = json!({"access": "read"});
    for (route, ask, action, target) in [
        (
            "PATCH /v1/teams/{team}",
            Ask::patch(&path, &json!({"name": "Green"})),
            "team.update",
            &team,
        ),
        ("PUT /v1/teams/{team}/members/{user}", Ask::new("PUT", &member), "team.add_member", &team),
        (
            "PUT /v1/keys/{key}/teams/{team}",
            Ask::new("PUT", &share).json(&read),
            "key.share",
            &key.id,
        ),
        ("DELETE /v1/keys/{key}/teams/{team}", Ask::new("DELETE", &share), "key.unshare", &key.id),
        (
            "DELETE /v1/teams/{team}/members/{user}",
            Ask::new("DELETE", &member),
            "team.remove_member",
            &team,
        ),
        ("DELETE /v1/teams/{team}", Ask::new("DELETE", &path), "team.remove", &team),
    ] {
        record.does(route, &by, &ask, (action, target, home));
    }
}

fn rule_people(record: &mut Record, home: &Value) {
    let by = By::Owner;
    let role = json!({"name": "Reader", "permissions": ["a:b"]});
    let made = record.asked(&by, &Ask::post("/v1/roles", &role)).expect(201);
    let role = text(&made, "/id").to_owned();
    let event = record.new_events().pop().unwrap();
    record.compare("POST /v1/roles", &by, &event, ("role.create", &role, home));
    record.done.insert("POST /v1/roles");
    let path = format!("/v1/roles/{role}");
    let change = Ask::patch(&path, &json!({"permissions": ["a:c"]}));
    record.does("PATCH /v1/roles/{role}", &by, &change, ("role.update", &role, home));
    let remove = Ask::new("DELETE", &path);
    record.does("DELETE /v1/roles/{role}", &by, &remove, ("role.remove", &role, home));
    invite(record, home);
    let closed = Ask::patch("/v1/organization", &json!({"members_create_keys": false}));
    let target = text(home, "").to_owned();
    let said = ("organization.update", target.as_str(), home);
    record.does("PATCH /v1/organization", &by, &closed, said);
    record.leaves_nothing(&by, &closed, 200);
}

fn invite(record: &mut Record, home: &Value) {
    let by = By::Owner;
    for email in ["eve@example.com", "bob@example.com"] {
        let made = record.asked(&by, &people::invitation(email, "user")).expect(201);
        let id = text(&made, "/invitation/id").to_owned();
        let event = record.new_events().pop().unwrap();
        record.compare("POST /v1/invitations", &by, &event, ("invitation.create", &id, home));
        record.done.insert("POST /v1/invitations");
        if email.starts_with("eve") {
            let delete = Ask::new("DELETE", &format!("/v1/invitations/{id}"));
            let said = ("invitation.delete", id.as_str(), home);
            record.does("DELETE /v1/invitations/{invitation}", &by, &delete, said);
            continue;
        }
        let accept = people::acceptance(&people::token_in(&made));
        let session = record.asked(&By::Anonymous, &accept).expect(201);
        let user = text(&session, "/user/id").to_owned();
        let events = record.new_events();
        let [accepted, begun] = &events[..] else { panic!("{events:?}") };
        let route = "POST /v1/invitations/accept";
        record.compare(route, &By::Anonymous, accepted, ("invitation.accept", &user, home));
        record.compare(route, &By::Anonymous, begun, ("session.begin", &user, home));
        record.done.insert(route);
        change_a_user(record, &user, home);
    }
}

fn change_a_user(record: &mut Record, user: &str, home: &Value) {
    let (by, anonymous, path) = (By::Owner, By::Anonymous, format!("/v1/users/{user}"));
    let change = Ask::patch(&path, &json!({"role": "guest"}));
    record.does("PATCH /v1/users/{user}", &by, &change, ("user.update", user, home));
    record.leaves_nothing(&by, &change, 200);
    let reset = Ask::post(&format!("{path}/reset"), &json!({}));
    let said = ("reset.create", user, home);
    let made = record.does("POST /v1/users/{user}/reset", &by, &reset, said);
    let body = json!({"token": people::token_in(&made), "password": NEW_PASSWORD});
    let renew = Ask::post("/v1/reset", &body);
    record.does("POST /v1/reset", &anonymous, &renew, ("reset.use", user, home));
    record.leaves_nothing(&anonymous, &renew, 403);
    end_sessions(record, user, home);
    let remove = Ask::new("DELETE", &path);
    record.does("DELETE /v1/users/{user}", &by, &remove, ("user.remove", user, home));
}

/// Signs a user in twice, ends one session and then all sessions; the user acknowledges the
/// notices.
fn end_sessions(record: &mut Record, user: &str, home: &Value) {
    let (by, path) = (By::Owner, format!("/v1/users/{user}"));
    let email = record.asked(&by, &Ask::get(&path)).expect(200)["email"].clone();
    let begin = Ask::post("/v1/session", &json!({"email": email, "password": NEW_PASSWORD}));
    let sign_in = |record: &mut Record| {
        let answer = record.asked(&By::Anonymous, &begin);
        answer.expect(201);
        record.new_events();
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Person { id: user.to_owned(), email: email.as_str().unwrap().to_owned(), cookie }
    };
    sign_in(record);
    sign_in(record);
    let all = Ask::get(&format!("{path}/sessions"));
    let listed = record.asked(&by, &all).expect(200);
    let session = text(&listed, "/items/0/id").to_owned();
    let one = Ask::new("DELETE", &format!("{path}/sessions/{session}"));
    let said = ("session.end", session.as_str(), home);
    record.does("DELETE /v1/users/{user}/sessions/{session}", &by, &one, said);
    let rest = Ask::new("DELETE", &format!("{path}/sessions"));
    let said = ("session.end", user, home);
    record.does("DELETE /v1/users/{user}/sessions", &by, &rest, said);
    record.leaves_nothing(&by, &rest, 204);
    let by = By::Person(sign_in(record));
    let seen = Ask::new("DELETE", "/v1/me/notices");
    let said = ("notice.acknowledge", user, home);
    record.does("DELETE /v1/me/notices", &by, &seen, said);
    record.leaves_nothing(&by, &seen, 204);
}

/// Locks the owner's account out from another network, and lifts the lockout.
fn lift_a_lockout(record: &mut Record, owner: &str, home: &Value) {
    let wrong = Ask::post("/v1/session", &json!({"email": EMAIL, "password": "not it"}));
    let wrong = wrong.header("X-Forwarded-For", "203.0.113.9");
    // On a slow machine a wait may end before the next attempt.
    assert!((0..20).any(|_| record.asked(&By::Anonymous, &wrong).status == 429));
    let lift = Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{owner}"));
    let route = "DELETE /v1/sign-in-lockouts/{lockout}";
    record.does(route, &By::Owner, &lift, ("lockout.lift", owner, home));
    record.leaves_nothing(&By::Owner, &lift, 404);
}

fn run_the_instance(record: &mut Record) {
    let (by, nowhere) = (By::Owner, Value::Null);
    let (email, name) = ("owner@b.example", "diagrams:read");
    let body = json!({"name": "B", "plan": "pro", "owner_email": email});
    let made = record.asked(&by, &Ask::post("/v1/organizations", &body)).expect(201);
    record.done.insert("POST /v1/organizations");
    let (organization, id) =
        (made["organization"]["id"].clone(), text(&made, "/organization/id").to_owned());
    let accepted = record.instance.bare(&people::acceptance(&people::token_in(&made)));
    record.keep_secrets(&accepted);
    let cookie = accepted.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let user = text(&accepted.expect(201), "/user/id").to_owned();
    record.readers.push(Person { id: user, email: email.to_owned(), cookie });
    let events = record.new_events();
    let created: Vec<_> =
        events.iter().filter(|event| text(event, "/action") == "organization.create").collect();
    let [created] = created[..] else { panic!("{events:?}") };
    let said = ("organization.create", id.as_str(), &organization);
    record.compare("POST /v1/organizations", &by, created, said);
    let said = ("seal_key.rotate", "seal_key", &nowhere);
    let rotation = Ask::post("/v1/seal-key/rotate", &json!({}));
    record.does("POST /v1/seal-key/rotate", &by, &rotation, said);
    let path = format!("/v1/organizations/{id}");
    let entry = json!({"name": name, "description": {"en": "See diagrams"}, "group": "diagrams"});
    let listed = format!("/v1/permissions/{name}");
    let routes = json!([{"path": "/**", "permissions": "a:b"}]);
    let gate = json!({"name": "orders", "routes": routes});
    for (route, ask, action, target, organization) in [
        (
            "PATCH /v1/organizations/{organization}",
            Ask::patch(&path, &json!({"permissions": ["a:*"]})),
            "organization.update",
            id.as_str(),
            &organization,
        ),
        (
            "PATCH /v1/organizations/{organization}/subscription",
            Ask::patch(&format!("{path}/subscription"), &json!({"plan": "free"})),
            "subscription.update",
            &id,
            &organization,
        ),
        (
            "PATCH /v1/plans/{plan}",
            Ask::patch("/v1/plans/free", &json!({"limits": {"keys": 7}})),
            "plan.update",
            "free",
            &nowhere,
        ),
        (
            "POST /v1/permissions",
            Ask::post("/v1/permissions", &entry),
            "permission.create",
            name,
            &nowhere,
        ),
        (
            "PATCH /v1/permissions/{name}",
            Ask::patch(&listed, &json!({"group": "drawing"})),
            "permission.update",
            name,
            &nowhere,
        ),
        ("POST /v1/gates", Ask::post("/v1/gates", &gate), "gate.create", "orders", &nowhere),
        (
            "PATCH /v1/gates/{gate}",
            Ask::patch("/v1/gates/orders", &json!({"cost": 2})),
            "gate.update",
            "orders",
            &nowhere,
        ),
        (
            "DELETE /v1/gates/{gate}",
            Ask::new("DELETE", "/v1/gates/orders"),
            "gate.remove",
            "orders",
            &nowhere,
        ),
        (
            "DELETE /v1/permissions/{name}",
            Ask::new("DELETE", &listed),
            "permission.remove",
            name,
            &nowhere,
        ),
    ] {
        record.does(route, &by, &ask, (action, target, organization));
    }
}

fn look_after_oneself(record: &mut Record, home: &Value) {
    let (by, owner) = (By::Owner, record.instance.owner().id);
    let me = |body: Value| Ask::patch("/v1/me", &body);
    let said = |action| (action, owner.as_str(), home);
    record.does("PATCH /v1/me", &by, &me(json!({"name": "Ada L."})), said("user.update"));
    record.leaves_nothing(&by, &me(json!({"name": "Ada L."})), 200);

    let begin = json!({"email": EMAIL, "password": PASSWORD});
    let other = record.asked(&By::Anonymous, &Ask::post("/v1/session", &begin));
    let sessions = record.instance.ask(&Ask::get("/v1/sessions")).expect(200);
    other.expect(201);
    record.new_events();
    let mut listed = sessions["items"].as_array().unwrap().iter();
    let far = listed.find(|session| session["current"] == false).unwrap();
    let end = Ask::new("DELETE", &format!("/v1/sessions/{}", text(far, "/id")));
    let ended = ("session.end", text(far, "/id"), home);
    record.does("DELETE /v1/sessions/{session}", &by, &end, ended);

    let begin = Ask::post("/v1/me/totp", &json!({"current_password": PASSWORD}));
    let begun = record.does("POST /v1/me/totp", &by, &begin, said("totp.begin"));
    let seed = Secret::try_from_base32(text(&begun, "/secret")).unwrap();
    let totp = Builder::new().with_secret(seed).build().unwrap();
    let code = |steps: u64| totp.generate(seconds_since_1970() + 30 * steps).to_string();
    let confirm = Ask::post("/v1/me/totp", &json!({"code": code(0)}));
    record.asked(&by, &confirm).expect(200);
    record.expect_event("POST /v1/me/totp", &by, said("totp.enable"));
    let renew = json!({"current_password": PASSWORD, "code": code(1)});
    let renew = Ask::post("/v1/me/totp/backup-codes", &renew);
    let said_renewed = said("totp.renew_codes");
    let renewed = record.does("POST /v1/me/totp/backup-codes", &by, &renew, said_renewed);
    let off = json!({"current_password": PASSWORD, "code": text(&renewed, "/backup_codes/0")});
    let off = Ask::new("DELETE", "/v1/me/totp").json(&off);
    record.does("DELETE /v1/me/totp", &by, &off, said("totp.disable"));

    lift_a_lockout(record, &owner, home);
    let renew = me(json!({"password": NEW_PASSWORD, "current_password": PASSWORD}));
    let answer = record.asked(&by, &renew);
    answer.expect(200);
    // The change renews the session that reads the events.
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let person = Person { id: owner.clone(), email: EMAIL.to_owned(), cookie };
    record.readers.first_mut().unwrap().cookie.clone_from(&person.cookie);
    record.expect_event("PATCH /v1/me", &By::Person(person), said("user.update"));
}
