//! Changes in flight when the actor's rights end. Every changing request is held up before it
//! reaches the store. A 2xx response then ends the actor's rights, and the change must be rejected.

use std::collections::BTreeSet;

use keyhouse::model::moment::Moment;
use keyhouse::model::seed::SeedKeys;
use keyhouse::model::totp::{backup_digest, new_backup_code, new_seed};
use keyhouse::records::access::UserRecord;
use keyhouse::records::encode;
use keyhouse::records::event::EventRecord;
use keyhouse::records::key::Author;
use keyhouse::records::notice::NoticeKind;
use keyhouse::records::people::TotpRecord;
use keyhouse::records::place::StoreKey;
use keyhouse::records::read_row;
use keyhouse_storage::{At, Batch, Range, Row, Store};
use serde_json::{Value, json};

use crate::people::{Person, join, overtaken};
use crate::test_instance::TestInstance;
use crate::{LONG, Made};

const PASSWORD: &str = "nine wild geese over the lake";
/// Operations that store nothing on behalf of an actor: checks, dry runs, and requests of the
/// holder of a secret, a link or a password.
const NO_ACTOR: [&str; 18] = [
    "acceptInvitation",
    "checkAudit",
    "explainKey",
    "extAuthz",
    "extAuthzHead",
    "forwardAuth",
    "forwardAuthHead",
    "introspect",
    "resetPassword",
    "revokeMe",
    "setUp",
    "showLink",
    "signIn",
    "signOut",
    "testGate",
    "verify",
    "verifyBatch",
    "whoAmI",
];

/// The right that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// A session, because the change is about the user's own account.
    Session,
    /// The custom role of the user, or the permissions of the key.
    Role,
    /// Operator status, or the permissions of the key.
    Instance,
}

/// A request that changes something.
struct Change {
    operation: String,
    method: String,
    path: String,
    body: Value,
    needs: Needs,
    /// The answer of a successful change.
    status: u16,
    /// Records that must be stored first.
    first: Batch,
}

/// The user who makes the change, and the credential.
struct Asker {
    author: Author,
    header: (&'static str, String),
}

struct Fixture {
    instance: TestInstance,
    dora: Person,
    role: String,
    organization: String,
}

impl Fixture {
    fn set() -> Self {
        let instance = TestInstance::start();
        let role = json!({"name": "Deputy", "permissions": ["*", "keyhouse:*"]});
        let role = text(&made(&instance, "/v1/roles", &role), "/id");
        let dora = join(&instance, "dora", &role);
        let path = format!("/v1/users/{}", dora.id);
        assert_eq!(instance.manage("PATCH", &path, &json!({"operator": true})).0, 200);
        let organization = text(&instance.manage("GET", "/v1/organization", &Value::Null).1, "/id");
        let subscription = format!("/v1/organizations/{organization}/subscription");
        let plan = json!({"plan": "enterprise"});
        assert_eq!(instance.manage("PATCH", &subscription, &plan).0, 200);
        let body = json!({"email": "dora@example.com", "password": PASSWORD});
        let (status, cookie, _) = instance.ask("POST", "/v1/session", &[], &body);
        assert_eq!(status, 201);
        let dora = Person { cookie, ..dora };
        Self { instance, dora, role, organization }
    }

    fn session(&self) -> Asker {
        let author = Author::User(self.dora.id.parse().unwrap());
        Asker { author, header: ("Cookie", self.dora.cookie.clone()) }
    }

    /// Everything that is stored except events, for a later restore.
    fn rows(&self) -> Vec<Row> {
        let range = Range { limit: 10_000, ..Range::prefix(b"") };
        let mut rows = self.instance.store.scan(&range, At::Latest).unwrap().rows;
        rows.retain(|row| !row.key.starts_with(StoreKey::EVENTS));
        rows
    }

    fn put_back(&self, before: &[Row]) {
        let now = self.rows();
        let known: BTreeSet<_> = before.iter().map(|row| &row.key).collect();
        let same: BTreeSet<_> = now.iter().map(|row| (&row.key, &row.value)).collect();
        let lost = before.iter().filter(|row| !same.contains(&(&row.key, &row.value)));
        let batch =
            lost.fold(Batch::new(), |batch, row| batch.put(row.key.clone(), row.value.clone()));
        let new = now.iter().filter(|row| !known.contains(&row.key));
        self.store_it(new.fold(batch, |batch, row| batch.delete(row.key.clone())));
    }

    fn store_it(&self, batch: Batch) {
        if !batch.writes().is_empty() {
            let revision = self.instance.store.commit(batch).unwrap();
            assert!(self.instance.index().wait_for(revision, LONG));
        }
    }

    /// The number of changes an actor has made.
    fn changes_by(&self, author: Author) -> usize {
        let range = Range { limit: 10_000, ..Range::prefix(StoreKey::EVENTS) };
        let page = self.instance.store.scan(&range, At::Latest).unwrap();
        let events = page.rows.iter().map(|row| read_row::<EventRecord>(row).unwrap().record);
        events.filter(|event| event.actor == Some(author)).count()
    }

    fn send(&self, asker: &Asker, change: &Change) -> (u16, Value) {
        let headers = [(asker.header.0, &*asker.header.1)];
        let (status, _, reported) =
            self.instance.ask(&change.method, &change.path, &headers, &change.body);
        (status, reported)
    }

    /// Holds up a change, ends the actor's rights meanwhile, and checks that the change was not
    /// applied.
    fn try_in_flight(
        &self,
        asker: &Asker,
        change: &Change,
        ending: &Ending,
        expected: (u16, &str),
    ) {
        let what = format!("{} by {:?}, {}", change.operation, asker.author, ending.name);
        let before = self.rows();
        self.store_it(change.first.clone());
        let mut done = 0;
        let (status, reported) = overtaken(
            &self.instance,
            || self.send(asker, change),
            || {
                let (status, reported) =
                    self.instance.manage(ending.method, &ending.path, &ending.body);
                assert_eq!(
                    status,
                    if ending.method == "DELETE" { 204 } else { 200 },
                    "{what}: {reported}"
                );
                done = self.changes_by(asker.author);
            },
        );
        assert_eq!(
            (status, reported["code"].as_str().unwrap_or_default()),
            expected,
            "{what}: {reported}"
        );
        assert_eq!(self.changes_by(asker.author), done, "{what}");
        self.put_back(&before);
    }

    /// The control: if no right ends, the change is applied and its event names the actor.
    fn check_that_it_works(&self, asker: &Asker, change: &Change) {
        if change.operation == "liftLockout" {
            // Lockouts are counted in memory: a lifted lockout cannot be restored from the store.
            return;
        }
        let (before, done) = (self.rows(), self.changes_by(asker.author));
        self.store_it(change.first.clone());
        let (status, reported) = self.send(asker, change);
        assert_eq!(status, change.status, "{}: {reported}", change.operation);
        assert_eq!(self.changes_by(asker.author), done + 1, "{}", change.operation);
        self.put_back(&before);
    }
}

/// How the operator on the host ends an actor's rights.
struct Ending {
    name: &'static str,
    method: &'static str,
    path: String,
    body: Value,
}

fn ending(name: &'static str, method: &'static str, path: String, body: Value) -> Ending {
    Ending { name, method, path, body }
}

/// Found in a review: an administrator who rotated a key in a loop received up to six more working
/// secrets after the response to their demotion. At that time, only creations and changes of users
/// depended on the actor's current rights.
#[test]
fn no_change_by_a_user_commits_after_their_rights_ended() {
    let fixture = Fixture::set();
    let (user, role) =
        (format!("/v1/users/{}", fixture.dora.id), format!("/v1/roles/{}", fixture.role));
    let guest = json!({"role": "guest", "operator": false});
    let endings = [
        ending("demoted", "PATCH", user.clone(), guest),
        ending("disabled", "PATCH", user.clone(), json!({"disabled": true})),
        ending("removed", "DELETE", user, Value::Null),
    ];
    let emptied = ending("role emptied", "PATCH", role, json!({"permissions": ["a:b"]}));
    let asker = fixture.session();
    for change in changes(&fixture) {
        fixture.check_that_it_works(&asker, &change);
        for ending in &endings {
            fixture.try_in_flight(&asker, &change, ending, (401, "session_ended"));
        }
        if change.needs == Needs::Role {
            fixture.try_in_flight(&asker, &change, &emptied, (403, "permission_required"));
        }
    }
}

#[test]
fn no_change_by_a_session_commits_after_the_session_ended() {
    let fixture = Fixture::set();
    let asker = fixture.session();
    for change in changes(&fixture) {
        fixture.check_that_it_works(&asker, &change);
        let before = fixture.rows();
        fixture.store_it(change.first.clone());
        let (status, reported) = overtaken(
            &fixture.instance,
            || fixture.send(&asker, &change),
            || {
                let headers = [("Cookie", &*fixture.dora.cookie)];
                let out = fixture.instance.ask("DELETE", "/v1/session", &headers, &Value::Null);
                assert_eq!(out.0, 204, "{:?}", out.2);
            },
        );
        let code = reported["code"].as_str().unwrap_or_default();
        assert_eq!((status, code), (401, "session_ended"), "{}: {reported}", change.operation);
        fixture.put_back(&before);
    }
}

#[test]
fn no_change_by_a_key_commits_after_its_rights_ended() {
    let fixture = Fixture::set();
    let robot = json!({
        "name": "robot",
        "kind": "service",
        "permissions": ["*", "keyhouse:*", "keyhouse:instance:*"],
    });
    let robot = key(&made(&fixture.instance, "/v1/keys", &robot));
    let path = |action: &str| format!("/v1/keys/{}{action}", robot.id);
    let organization = format!("/v1/organizations/{}", fixture.organization);
    let elsewhere = json!({"ip_rules": {"allow": ["192.0.2.0/24"]}});
    let endings = [
        (ending("revoked", "POST", path("/revoke"), json!({})), (401, "REVOKED")),
        (ending("disabled", "POST", path("/disable"), json!({})), (401, "DISABLED")),
        (ending("rotated", "POST", path("/rotate"), json!({"overlap": "0s"})), (401, "EXPIRED")),
        (
            ending("narrowed", "PATCH", path(""), json!({"permissions": ["a:b"]})),
            (403, "permission_required"),
        ),
        (ending("elsewhere", "PATCH", path(""), elsewhere), (403, "IP_NOT_ALLOWED")),
        (
            ending("suspended", "PATCH", organization, json!({"suspended": true})),
            (403, "ORGANIZATION_SUSPENDED"),
        ),
        (
            ending(
                "plan without API access",
                "PATCH",
                "/v1/plans/enterprise".to_owned(),
                json!({"features": {"api_access": false}}),
            ),
            (403, "SUBSCRIPTION_REQUIRED"),
        ),
    ];
    let asker = asker_by(&robot);
    for change in changes(&fixture).into_iter().filter(|change| change.needs != Needs::Session) {
        fixture.check_that_it_works(&asker, &change);
        for (ending, expected) in &endings {
            fixture.try_in_flight(&asker, &change, ending, *expected);
        }
    }
}

#[test]
fn no_change_by_a_personal_key_commits_after_its_owners_rights_ended() {
    let fixture = Fixture::set();
    let list = json!({"permissions": ["*", "keyhouse:*", "keyhouse:instance:*"]});
    let headers = [("Cookie", &*fixture.dora.cookie)];
    let (status, _, reported) = fixture.instance.ask("POST", "/v1/keys", &headers, &list);
    assert_eq!(status, 201, "{reported}");
    let own = key(&reported);
    let user = format!("/v1/users/{}", fixture.dora.id);
    let guest = json!({"role": "guest", "operator": false});
    let endings = [
        (ending("demoted", "PATCH", user.clone(), guest), (403, "permission_required")),
        (ending("disabled", "PATCH", user, json!({"disabled": true})), (401, "OWNER_DISABLED")),
    ];
    let asker = asker_by(&own);
    for change in changes(&fixture).into_iter().filter(|change| change.needs != Needs::Session) {
        fixture.check_that_it_works(&asker, &change);
        for (ending, expected) in &endings {
            fixture.try_in_flight(&asker, &change, ending, *expected);
        }
    }
}

fn asker_by(key: &Made) -> Asker {
    let author = Author::Key(key.id.parse().unwrap());
    Asker { author, header: ("Authorization", format!("Bearer {}", key.secret)) }
}

fn key(reported: &Value) -> Made {
    Made { id: text(reported, "/key/id"), secret: text(reported, "/secret") }
}

fn text(reported: &Value, pointer: &str) -> String {
    reported.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

/// Creates something as the operator on the host.
fn made(instance: &TestInstance, path: &str, body: &Value) -> Value {
    let (status, reported) = instance.manage("POST", path, body);
    assert_eq!(status, 201, "{path}: {reported}");
    reported
}

/// Returns every changing operation of the API description, each with an existing target.
fn changes(fixture: &Fixture) -> Vec<Change> {
    let (status, document) = fixture.instance.manage("GET", "/openapi.json", &Value::Null);
    assert_eq!(status, 200);
    let mut changes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            if method == "get" || method == "head" || NO_ACTOR.contains(&id) {
                continue;
            }
            let scene = Scene { fixture, id };
            let ((fill, body), first) = match id {
                "turnOffTotp" | "renewBackupCodes" => scene.turn_off_totp(),
                "acknowledgeNotices" => ((Vec::new(), Value::Null), scene.notice()),
                _ => (scene.filled(), Batch::new()),
            };
            let needed = operation["x-permission"].as_array().unwrap();
            let names = |part: &str| needed.iter().any(|it| it.as_str().unwrap().contains(part));
            let needs = match () {
                () if path.starts_with("/v1/me") || path.starts_with("/v1/session") => {
                    Needs::Session
                },
                () if names("keyhouse:instance:") => Needs::Instance,
                () => Needs::Role,
            };
            // An import returns 200 only if all keys already exist.
            let statuses = operation["responses"].as_object().unwrap().keys();
            let made = statuses.filter_map(|it| it.parse().ok()).filter(|it| *it < 300).max();
            let status = made.unwrap();
            let (operation, method) = (id.to_owned(), method.to_uppercase());
            let path = filled(path, &fill);
            changes.push(Change { operation, method, path, body, needs, status, first });
        }
    }
    assert!(changes.len() > 30, "{}", changes.len());
    changes
}

/// The path with these values in place of `{..}`, in order.
fn filled(path: &str, fill: &[String]) -> String {
    let mut fill = fill.iter();
    let segments = path.split('/').map(|segment| {
        if segment.starts_with('{') { fill.next().unwrap().clone() } else { segment.to_owned() }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The target of one operation.
struct Scene<'a> {
    fixture: &'a Fixture,
    id: &'a str,
}

impl Scene<'_> {
    /// The path values and the body. An operation without a row here fails the test.
    fn filled(&self) -> (Vec<String>, Value) {
        let named = || json!({"name": format!("by {}", self.id)});
        let none = Vec::new;
        match self.id {
            "changeMe" => (none(), json!({"name": "Dora B."})),
            "turnOnTotp" => (none(), json!({"current_password": PASSWORD})),
            "proveSession" => (none(), json!({"password": PASSWORD})),
            "endSession" => (vec![self.other_session()], Value::Null),
            "createKey" | "createTeam" | "changeOrganization" => (none(), named()),
            "changeKey" => (vec![self.key(false)], named()),
            "deleteKey" => (vec![self.key(false)], Value::Null),
            "revokeKey" | "disableKey" | "rotateKey" => (vec![self.key(false)], json!({})),
            "enableKey" => (vec![self.key(true)], json!({})),
            "shareKey" => (vec![self.key(false), self.team()], json!({"access": "read"})),
            "unshareKey" => {
                let (key, team) = (self.key(false), self.team());
                self.put(&format!("/v1/keys/{key}/teams/{team}"), &json!({"access": "read"}), 200);
                (vec![key, team], Value::Null)
            },
            "importKeys" => {
                (none(), json!({"keys": [{"algorithm": "blake3", "digest": "ab".repeat(32)}]}))
            },
            "invite" => (none(), json!({"email": "new@example.com", "role": "user"})),
            "withdraw" => {
                let body = json!({"email": "waiting@example.com", "role": "user"});
                (vec![self.made("/v1/invitations", &body, "/invitation/id")], Value::Null)
            },
            "changeUser" => (vec![self.user()], named()),
            "removeUser" | "endSessionsOfUser" => (vec![self.user()], Value::Null),
            "resetUser" => (vec![self.user()], json!({})),
            "liftLockout" => (vec![self.locked_out()], Value::Null),
            "endSessionOfUser" => {
                let user = self.user();
                let listed = format!("/v1/users/{user}/sessions");
                let listed = self.fixture.instance.manage("GET", &listed, &Value::Null).1;
                (vec![user, text(&listed, "/items/0/id")], Value::Null)
            },
            "createRole" => (none(), self.with_list("Another")),
            "changeRole" => (vec![self.role()], json!({"description": "other"})),
            "removeRole" => (vec![self.role()], Value::Null),
            "changeTeam" => (vec![self.team()], json!({"description": "other"})),
            "removeTeam" => (vec![self.team()], Value::Null),
            "addMember" => (vec![self.team(), self.user()], json!({})),
            "removeMember" => {
                let (team, user) = (self.team(), self.user());
                self.put(&format!("/v1/teams/{team}/members/{user}"), &json!({}), 204);
                (vec![team, user], Value::Null)
            },
            "createPermission" => (none(), json!({"name": "things:made"})),
            "changePermission" => (vec![self.permission()], json!({"group": "Other"})),
            "removePermission" => (vec![self.permission()], Value::Null),
            "createOrganization" => {
                (none(), json!({"name": "New", "owner_email": "first@example.com"}))
            },
            "changeAnyOrganization" => (vec![self.organization()], named()),
            "changeSubscription" => (vec![self.organization()], json!({"plan": "enterprise"})),
            "changePlan" => (vec!["free".to_owned()], json!({"limits": {"users": 77}})),
            "rotateSealKey" => (none(), json!({})),
            "createGate" => (none(), json!({"name": "made"})),
            "changeGate" => (vec![self.gate()], json!({"description": "other"})),
            "removeGate" => (vec![self.gate()], Value::Null),
            other => panic!("{other} has no row here"),
        }
    }

    fn made(&self, path: &str, body: &Value, at: &str) -> String {
        text(&made(&self.fixture.instance, path, body), at)
    }

    fn put(&self, path: &str, body: &Value, made: u16) {
        let (status, reported) = self.fixture.instance.manage("PUT", path, body);
        assert_eq!(status, made, "{path}: {reported}");
    }

    fn with_list(&self, name: &str) -> Value {
        json!({"name": format!("{name} of {}", self.id), "permissions": ["diagrams:read"]})
    }

    fn key(&self, disabled: bool) -> String {
        let body = json!({"kind": "service", "permissions": ["diagrams:read"]});
        let id = self.made("/v1/keys", &body, "/key/id");
        if disabled {
            let path = format!("/v1/keys/{id}/disable");
            assert_eq!(self.fixture.instance.manage("POST", &path, &json!({})).0, 200);
        }
        id
    }

    fn team(&self) -> String {
        self.made("/v1/teams", &json!({"name": format!("team of {}", self.id)}), "/id")
    }

    fn role(&self) -> String {
        self.made("/v1/roles", &self.with_list("Role"), "/id")
    }

    fn permission(&self) -> String {
        let name = format!("things:{}", self.id.to_lowercase());
        self.made("/v1/permissions", &json!({"name": name}), "/name")
    }

    fn gate(&self) -> String {
        let name = format!("gate-{}", self.id.to_lowercase());
        self.made("/v1/gates", &json!({"name": name}), "/name")
    }

    fn organization(&self) -> String {
        let email = format!("owner-{}@example.com", self.id.to_lowercase());
        let body = json!({"name": "Other", "owner_email": email});
        self.made("/v1/organizations", &body, "/organization/id")
    }

    fn user(&self) -> String {
        join(&self.fixture.instance, &format!("tess-{}", self.id.to_lowercase()), "user").id
    }

    /// A user whose account is locked out after failed sign-ins.
    fn locked_out(&self) -> String {
        let user = self.user();
        let email = format!("tess-{}@example.com", self.id.to_lowercase());
        let body = json!({"email": email, "password": "not the password at all"});
        let guess = || self.fixture.instance.manage("POST", "/v1/session", &body).0;
        assert_eq!([(); 6].map(|()| guess()), [401, 401, 401, 401, 401, 429]);
        user
    }

    fn other_session(&self) -> String {
        let body = json!({"email": "dora@example.com", "password": PASSWORD});
        assert_eq!(self.fixture.instance.ask("POST", "/v1/session", &[], &body).0, 201);
        let headers = [("Cookie", &*self.fixture.dora.cookie)];
        let listed = self.fixture.instance.ask("GET", "/v1/sessions", &headers, &Value::Null).2;
        let items = listed["items"].as_array().unwrap();
        let other = items.iter().find(|item| item["current"] == false).unwrap();
        text(other, "/id")
    }

    /// Adds a notice that the user has not seen.
    fn notice(&self) -> Batch {
        let place = StoreKey::User(self.fixture.dora.id.parse().unwrap());
        let row = self.fixture.instance.store.get(&place.to_bytes(), At::Latest).unwrap().unwrap();
        let mut user = read_row::<UserRecord>(&row).unwrap().record;
        user.notices.add(NoticeKind::PasswordReset, Author::Local, Moment::BEGINNING);
        Batch::new().put(place.to_bytes(), encode(&place, &user).unwrap())
    }

    /// Adds a confirmed second factor in its stored form.
    fn turn_off_totp(&self) -> ((Vec<String>, Value), Batch) {
        let code = new_backup_code(&mut rand::rng());
        let user = self.fixture.dora.id.parse().unwrap();
        // The key is not the instance's: only the backup code is used.
        let seed_keys = SeedKeys::generate(&mut rand::rng());
        let seed = seed_keys.encrypt(user, &new_seed(&mut rand::rng()), &mut rand::rng());
        let record = TotpRecord {
            seed: seed.unwrap(),
            confirmed: true,
            step_last: 0,
            backup: vec![backup_digest(code.reveal()).unwrap()],
            created_at: Moment::BEGINNING,
        };
        let place = StoreKey::Totp(user);
        let first = Batch::new().put(place.to_bytes(), encode(&place, &record).unwrap());
        let body = json!({"current_password": PASSWORD, "code": code.reveal()});
        ((Vec::new(), body), first)
    }
}
