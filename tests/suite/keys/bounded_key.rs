//! Allowed changes of a key with an expiry, networks or limits: a row for each changing operation
//! of the API.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::Person;
use crate::policy::operations;
use crate::test_server::{Made, TestServer};

/// Operations whose effects do not outlive the key, each with the reason.
const ALLOWED: [(&str, &str); 34] = [
    ("deleteKey", "ends a key"),
    ("revokeKey", "ends a key"),
    ("disableKey", "stops a key"),
    ("unshareKey", "takes a team's access"),
    ("removeRole", "takes a role that no user has"),
    ("removeTeam", "takes the team's access"),
    ("removeMember", "takes a team's access"),
    ("withdraw", "ends an invitation"),
    ("endSessionOfUser", "ends a session"),
    ("endSessionsOfUser", "ends sessions"),
    ("removeGate", "closes a gate"),
    ("createPermission", "describes a permission and grants none"),
    ("changePermission", "describes a permission and grants none"),
    ("removePermission", "describes a permission and grants none"),
    ("changeMe", "requires a session"),
    ("turnOnTotp", "requires a session"),
    ("turnOffTotp", "requires a session"),
    ("renewBackupCodes", "requires a session"),
    ("acknowledgeNotices", "requires a session"),
    ("endSession", "requires a session"),
    ("signOut", "requires a session"),
    ("proveSession", "requires a session"),
    ("signIn", "requires a password"),
    ("setUp", "requires a one-time link"),
    ("acceptInvitation", "requires a one-time link"),
    ("resetPassword", "requires a one-time link"),
    ("showLink", "reads"),
    ("checkAudit", "reads"),
    ("explainKey", "reads"),
    ("testGate", "reads"),
    ("verify", "reads"),
    ("verifyBatch", "reads"),
    ("introspect", "reads"),
    ("revokeMe", "ends the key itself"),
];

struct Scene {
    instance: TestServer,
    tess: Person,
    neighbour: String,
    other: Made,
    disabled: Made,
    role: String,
    team: String,
}

impl Scene {
    fn set() -> Self {
        let instance = TestServer::start();
        let (tess, (neighbour, _)) = (instance.join("tess", "user"), instance.neighbour("b"));
        let service = json!({"kind": "service", "permissions": ["a:b"]});
        let (other, disabled) = (instance.create(&service), instance.create(&service));
        instance.act(&disabled.id, "disable").expect(200);
        let subscription = format!("/v1/organizations/{}/subscription", instance.organization());
        instance.ask(&Ask::patch(&subscription, &json!({"plan": "enterprise"}))).expect(200);
        let role = instance.role("Reader", &["a:b"]);
        let team = instance.team("Build", "secret", &[]);
        instance.gate("there", &json!({}));
        Self { instance, tess, neighbour, other, disabled, role, team }
    }

    /// Requests whose effects outlive the key, each with its operation.
    fn refused(&self) -> Vec<(&'static str, Ask)> {
        let of_key = |action: &str| format!("/v1/keys/{}{action}", self.other.id);
        let user = format!("/v1/users/{}", self.tess.id);
        let team = format!("/v1/teams/{}", self.team);
        let organization = format!("/v1/organizations/{}", self.neighbour);
        let put = |path: String| Ask::new("PUT", &path);
        let patch = |path: &str, change: Value| Ask::patch(path, &change);
        let post = |path: &str, body: Value| Ask::post(path, &body);
        let service = json!({"kind": "service", "permissions": ["a:b"]});
        let foreign = json!({"keys": [{"algorithm": "blake3", "digest": "ab".repeat(32)}]});
        vec![
            ("rotateSealKey", post("/v1/seal-key/rotate", json!({}))),
            ("createKey", post("/v1/keys", service)),
            ("changeKey", patch(&of_key(""), json!({"name": "other"}))),
            ("enableKey", post(&format!("/v1/keys/{}/enable", self.disabled.id), json!({}))),
            ("rotateKey", post(&of_key("/rotate"), json!({}))),
            (
                "shareKey",
                put(of_key(&format!("/teams/{}", self.team))).json(&json!({"access": "read"})),
            ),
            ("importKeys", post("/v1/keys/import", foreign)),
            ("invite", post("/v1/invitations", json!({"email": "n@example.com", "role": "user"}))),
            ("liftLockout", Ask::new("DELETE", &format!("/v1/sign-in-lockouts/{}", self.tess.id))),
            ("resetUser", post(&format!("{user}/reset"), json!({}))),
            ("changeUser", patch(&user, json!({"role": "guest"}))),
            ("createRole", post("/v1/roles", json!({"name": "New", "permissions": ["a:b"]}))),
            ("changeRole", patch(&format!("/v1/roles/{}", self.role), json!({"name": "Other"}))),
            ("createTeam", post("/v1/teams", json!({"name": "New"}))),
            ("changeTeam", patch(&team, json!({"visibility": "visible"}))),
            ("addMember", put(format!("{team}/members/{}", self.tess.id)).json(&json!({}))),
            ("changeOrganization", patch("/v1/organization", json!({"name": "Other"}))),
            (
                "changeOrganization",
                patch("/v1/organization", json!({"members_create_keys": false})),
            ),
            (
                "changeOrganization",
                patch("/v1/organization", json!({"key_lifetime_days_max": 900})),
            ),
            (
                "createOrganization",
                post("/v1/organizations", json!({"name": "N", "owner_email": "n@example.com"})),
            ),
            ("changeAnyOrganization", patch(&organization, json!({"suspended": true}))),
            ("changeAnyOrganization", patch(&organization, json!({"domains": ["b.example"]}))),
            ("changeAnyOrganization", patch(&organization, json!({"permissions": ["a:*"]}))),
            (
                "changeSubscription",
                patch(&format!("{organization}/subscription"), json!({"plan": "free"})),
            ),
            ("changePlan", patch("/v1/plans/free", json!({"limits": {"users": 77}}))),
            ("createGate", post("/v1/gates", json!({"name": "made"}))),
            ("changeGate", patch("/v1/gates/there", json!({"description": "other"}))),
            ("removeUser", Ask::new("DELETE", &format!("{user}?keys=transfer&to=organization"))),
        ]
    }
}

/// Found in a review: a key that expired in an hour suspended and resumed organizations, changed
/// their plans, and created roles and teams. These changes outlived the key.
#[test]
fn a_bounded_key_cannot_make_a_change_that_outlives_it() {
    let scene = Scene::set();
    let list = json!(["*", "keyhouse:*", "keyhouse:instance:*"]);
    let service = json!({"kind": "service", "permissions": list});
    let mut bounded = service.clone();
    bounded["expires_in"] = "1h".into();
    let (bounded, unbounded) = (scene.instance.create(&bounded), scene.instance.create(&service));
    let refused = scene.refused();
    let mut faults = Vec::new();
    for (operation, ask) in &refused {
        let answer = scene.instance.bare(&ask.clone().bearer(&bounded.secret));
        if answer.status != 403 || !answer.body.contains("\"beyond_key\"") {
            faults.push(format!("{operation}: {} {}", answer.status, answer.body));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Lock out Tess, so that there is a lockout to lift.
    let wrong = json!({"email": scene.tess.email, "password": "not the password at all"});
    let wrong = Ask::post("/v1/session", &wrong).header("X-Forwarded-For", "203.0.113.9");
    while scene.instance.bare(&wrong).status != 429 {}
    // Only the key's bounds prevent these changes.
    let described = operations(&scene.instance);
    for (operation, ask) in &refused {
        let answer = scene.instance.bare(&ask.clone().bearer(&unbounded.secret));
        let described = described.iter().find(|it| it.id == *operation).unwrap();
        assert_eq!(answer.status, described.status_of_success(), "{operation}: {}", answer.body);
    }
}

#[test]
fn every_changing_operation_has_a_row() {
    let scene = Scene::set();
    let document = scene.instance.bare(&Ask::get("/openapi.json")).expect(200);
    let mut changing = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for (method, operation) in item.as_object().unwrap() {
            if !matches!(&**method, "get" | "head") {
                changing.insert(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
    }
    let refused = scene.refused();
    let refused = refused.iter().map(|(operation, _ask)| *operation);
    let allowed = ALLOWED.iter().map(|(operation, _reason)| *operation);
    let listed: BTreeSet<_> = refused.chain(allowed).map(str::to_owned).collect();
    let differing: Vec<_> = changing.symmetric_difference(&listed).collect();
    assert!(differing.is_empty(), "{differing:?}");
}
