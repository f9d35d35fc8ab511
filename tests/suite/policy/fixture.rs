//! Two organizations with every actor and object that the policy covers, all made through the API.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::people::{PASSWORD, Person, invitation, token_in};
use crate::policy::described::Described;
use crate::test_server::TestServer;

/// The relation of an operation's object to the actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Own,
    Team,
    Same,
    Other,
    Missing,
}

/// The actor.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Person(Person),
    Key(String),
    Anonymous,
}

/// The instance and its users.
pub(crate) struct Fixture {
    pub(crate) instance: TestServer,
    users: BTreeMap<char, Person>,
    /// A plain user in the team of all actors.
    tess: Person,
    team: String,
    roles: BTreeMap<char, String>,
    /// The other organization and its owner.
    other: (String, Person),
    keys: RefCell<BTreeMap<String, String>>,
    counter: Cell<u32>,
}

/// The id of a missing object, without its prefix.
const MISSING: &str = "0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
/// The permissions of the custom role.
const CUSTOM: [&str; 4] =
    ["keyhouse:audit:read", "keyhouse:keys:read", "keyhouse:users:read", "diagrams:*"];

impl Fixture {
    pub(crate) fn set() -> Self {
        let instance = TestServer::start();
        instance.put_on_plan(&instance.organization(), "enterprise");
        let custom = instance.role("Auditor", &CUSTOM);
        let roles: BTreeMap<char, String> = [
            ('o', "owner"),
            ('a', "administrator"),
            ('u', "user"),
            ('g', "guest"),
            ('c', &*custom),
            ('p', "user"),
        ]
        .map(|(actor, role)| (actor, role.to_owned()))
        .into();
        let other = instance.neighbour("other");
        let tess = instance.join("tess", "user");
        let mut fixture = Self {
            instance,
            users: BTreeMap::new(),
            tess,
            team: String::new(),
            roles,
            other,
            keys: RefCell::default(),
            counter: Cell::new(0),
        };
        fixture.users = "oaugcp".chars().map(|actor| (actor, fixture.newcomer(actor))).collect();
        let everybody: Vec<&Person> = fixture.users.values().chain([&fixture.tess]).collect();
        fixture.team = fixture.instance.team("Build", "visible", &everybody);
        fixture
    }

    /// Creates a user with the same status as this actor.
    fn newcomer(&self, actor: char) -> Person {
        let name = format!("{actor}{}", self.number());
        let person = self.instance.join(&name, &self.roles[&actor]);
        if actor == 'p' {
            self.instance.change_user(&person, &json!({"operator": true}));
        }
        person
    }

    fn number(&self) -> u32 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }

    fn name(&self) -> String {
        format!("thing {}", self.number())
    }

    /// Returns the actor for a letter of the table: a new user or session if the operation changes
    /// its own actor.
    pub(crate) fn actor(&self, letter: char, operation: &Described, relation: Relation) -> Actor {
        let changes_user = ["changeUser", "removeUser", "resetUser"].contains(&&*operation.id);
        match letter {
            'n' => Actor::Anonymous,
            'k' => Actor::Key(self.key_for(operation)),
            _ if relation == Relation::Own && changes_user => Actor::Person(self.newcomer(letter)),
            _ if ["signIn", "signOut"].contains(&&*operation.id) => {
                Actor::Person(self.signed_in(&self.users[&letter]))
            },
            _ => Actor::Person(self.users[&letter].clone()),
        }
    }

    /// Returns the owner of the instance, who is also operator and has all permissions.
    pub(crate) fn founder(&self) -> Actor {
        Actor::Person(self.instance.owner())
    }

    /// Creates a service key with one permission: the first that the operation names.
    pub(crate) fn key_for(&self, operation: &Described) -> String {
        let named = operation.needs.first().filter(|it| it.contains(':'));
        let permission = named.map_or("keyhouse:keys:read", |it| it).to_owned();
        let make = || {
            let body = json!({"name": "k", "kind": "service", "permissions": [&permission]});
            self.instance.create(&body).secret
        };
        if operation.id == "revokeMe" {
            return make();
        }
        self.keys.borrow_mut().entry(permission.clone()).or_insert_with(make).clone()
    }

    /// Signs in the same person again.
    fn signed_in(&self, person: &Person) -> Person {
        let body = json!({"email": person.email, "password": PASSWORD});
        let answer = self.instance.bare(&Ask::post("/v1/session", &body));
        answer.expect(201);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Person { cookie, ..person.clone() }
    }

    /// Returns the path of an operation on an object with this relation to the actor.
    pub(crate) fn path(&self, operation: &Described, relation: Relation, actor: &Actor) -> String {
        let mut path = operation.path.clone();
        let places: Vec<String> = path
            .split('/')
            .filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'))
            .map(str::to_owned)
            .collect();
        let about = places.first().cloned().unwrap_or_default();
        for place in places {
            let relation = if place == about { relation } else { Relation::Same };
            let id = match (&*place, &*about) {
                // Returns the user to add to a team, or the team to share a key with.
                ("user", "team") => self.tess.id.clone(),
                ("team", "key") => self.team.clone(),
                _ => self.thing(&place, relation, (operation, actor)),
            };
            path = path.replace(&format!("{{{place}}}"), &id);
        }
        path
    }

    fn thing(&self, place: &str, relation: Relation, asked: (&Described, &Actor)) -> String {
        if relation == Relation::Missing {
            return missing(place);
        }
        let other = relation == Relation::Other;
        let maker = if other { self.other.1.clone() } else { self.instance.owner() };
        let make = |path: &str, body: &Value, at: &str| {
            let made = self.instance.ask_as(&maker, &Ask::post(path, body)).expect(201);
            made.pointer(at).unwrap().as_str().unwrap().to_owned()
        };
        match place {
            "gate" if asked.0.path.starts_with("/v1/gates") => {
                make("/v1/gates", &json!({"name": format!("gate-{}", self.number())}), "/name")
            },
            "gate" => "default".to_owned(),
            "path" => "orders/7".to_owned(),
            "hash" => {
                let page = self.instance.bare(&Ask::get("/")).body;
                let (_, path) = page.split_once("\"assets/").unwrap();
                path.split('/').next().unwrap().to_owned()
            },
            "file" => "style.css".to_owned(),
            "folder" => "locales".to_owned(),
            "part" => "en.json".to_owned(),
            "plan" => "free".to_owned(),
            "organization" if other => self.other.0.clone(),
            "organization" => self.instance.organization(),
            "invitation" => {
                let body = json!({"email": self.email(), "role": "user"});
                make("/v1/invitations", &body, "/invitation/id")
            },
            "role" => {
                let body = json!({"name": self.name(), "permissions": ["diagrams:read"]});
                make("/v1/roles", &body, "/id")
            },
            "name" => {
                let body = json!({"name": format!("things:do-{}", self.number())});
                make("/v1/permissions", &body, "/name")
            },
            "team" => self.team_for(relation, asked.1, &maker),
            "user" => self.user_for(relation, asked),
            "key" => self.key_about(relation, asked),
            "lockout" => missing(place),
            "probe" => "00112233445566778899aabbccddeeff".to_owned(),
            "session" => self.session_of(relation, asked.1),
            _ => panic!("nothing is known of {place}"),
        }
    }

    /// Returns a team of the actor, a team without the actor, or a secret team.
    fn team_for(&self, relation: Relation, actor: &Actor, maker: &Person) -> String {
        let visibility = if relation == Relation::Team { "secret" } else { "visible" };
        let body = json!({"name": self.name(), "visibility": visibility});
        let made = self.instance.ask_as(maker, &Ask::post("/v1/teams", &body)).expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        if let (Relation::Own, Actor::Person(person)) = (relation, actor) {
            let path = format!("/v1/teams/{id}/members/{}", person.id);
            self.instance.ask(&Ask::new("PUT", &path)).expect(204);
        }
        id
    }

    fn user_for(&self, relation: Relation, (operation, actor): (&Described, &Actor)) -> String {
        match (relation, actor) {
            (Relation::Own, Actor::Person(person)) => person.id.clone(),
            (Relation::Other, _) => self.other.1.id.clone(),
            // Returns a session of this user, for the next placeholder of the path.
            _ if operation.id == "endSessionOfUser" => self.tess.id.clone(),
            _ if operation.method == "GET" => self.tess.id.clone(),
            _ => self.instance.join(&format!("user{}", self.number()), "user").id,
        }
    }

    /// Returns a key of the actor, of a team member who shares the key with write access, or of a
    /// user who does not share the key.
    fn key_about(&self, relation: Relation, (operation, actor): (&Described, &Actor)) -> String {
        let owner = match (relation, actor) {
            (Relation::Own, Actor::Person(person)) => person,
            (Relation::Other, _) => &self.other.1,
            _ => &self.tess,
        };
        let body = json!({"name": "key", "permissions": ["diagrams:read"]});
        let made = owner.make(&self.instance, &body);
        let shared = relation == Relation::Team
            || (relation == Relation::Own && operation.id == "unshareKey");
        if shared {
            let path = format!("/v1/keys/{}/teams/{}", made.id, self.team);
            let ask = Ask::new("PUT", &path).json(&json!({"access": "write"}));
            owner.ask(&self.instance, ask).expect(200);
        }
        made.id
    }

    fn session_of(&self, relation: Relation, actor: &Actor) -> String {
        let person = match (relation, actor) {
            (Relation::Own, Actor::Person(person)) if person.email != crate::test_server::EMAIL => {
                person
            },
            _ => &self.tess,
        };
        let sessions =
            self.signed_in(person).ask(&self.instance, Ask::get("/v1/sessions")).expect(200);
        let items = sessions["items"].as_array().unwrap();
        let current = items.iter().find(|it| it["current"] == true).unwrap();
        current["id"].as_str().unwrap().to_owned()
    }

    fn email(&self) -> String {
        format!("person{}@example.com", self.number())
    }

    /// Returns the request example of an operation with ids of existing objects.
    pub(crate) fn body(&self, operation: &Described) -> Value {
        let mut body = operation.example.clone();
        let Some(fields) = body.as_object_mut() else { return body };
        for (name, value) in fields.iter_mut() {
            let filled = match (&**name, &*operation.id) {
                ("email", "signIn") => self.tess.email.clone(),
                ("email" | "owner_email", _) => self.email(),
                ("password", "resetPassword") => "ten wild geese over the lake".to_owned(),
                ("password" | "current_password", _) => PASSWORD.to_owned(),
                ("token", "acceptInvitation" | "showLink") => {
                    token_in(&self.instance.ask(&invitation(&self.email(), "user")).expect(201))
                },
                ("token", "resetPassword") => {
                    let someone = self.instance.join(&format!("user{}", self.number()), "user");
                    let path = format!("/v1/users/{}/reset", someone.id);
                    token_in(&self.instance.ask(&Ask::post(&path, &json!({}))).expect(201))
                },
                ("name", "createPermission") => format!("things:do-{}", self.number()),
                ("name", "createGate") => format!("gate-{}", self.number()),
                ("name", "createRole" | "createTeam") => self.name(),
                ("keys", "importKeys") => {
                    value[0]["digest"] = format!("{:064x}", self.number()).into();
                    continue;
                },
                _ => continue,
            };
            *value = filled.into();
        }
        body
    }

    /// Returns the response to the actor.
    pub(crate) fn status(&self, ask: Ask, actor: &Actor) -> (u16, String) {
        let ask = match actor {
            Actor::Person(person) => person.asks(&ask),
            Actor::Key(secret) => ask.bearer(secret),
            Actor::Anonymous => ask,
        };
        let answer = self.instance.bare(&ask);
        (answer.status, answer.body)
    }
}

fn missing(place: &str) -> String {
    match place {
        "key" | "team" | "role" => format!("{place}_{MISSING}"),
        "user" => format!("usr_{MISSING}"),
        "organization" => format!("org_{MISSING}"),
        "invitation" => format!("inv_{MISSING}"),
        "session" => format!("ses_{MISSING}"),
        "name" => "things:unused".to_owned(),
        _ => "nothing".to_owned(),
    }
}
