//! An instance with users, teams and random keys, and random queries for them.

use keyhouse_storage::Batch;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::actions::actor::Actor;
use crate::actions::keys::{
    KeyKind, KeyTotal, OwnerWanted, Position, Query, Sort, TeamWanted, Wanted,
};
use crate::actions::test_instance::TestInstance;
use crate::index::CallOrigin;
use crate::model::code::Code;
use crate::model::foreign::Algorithm;
use crate::model::id::{Id, KeyId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::role::BuiltinRole;
use crate::model::secret::Digest;
use crate::records::access::UserRecord;
use crate::records::key::{DisabledBy, KeyRecord, SecretRecord, ShareRecord, Status, TeamAccess};
use crate::records::place::StoreKey;
use crate::records::rights::TeamRecord;

const NAMES: [&str; 6] = ["Bot", "bot 7", "\u{c9}cole", "ecole", "\u{130}|x", "zoo:read"];
const NEEDLES: [&str; 22] = [
    "bot",
    "BOT ",
    "ECOLE",
    "\u{e9}",
    "\u{130}",
    "machine",
    "kh_test_ab",
    "ab",
    "7",
    "key_0",
    "orders:r",
    ":read",
    "mo",
    "mo@example",
    "ada@",
    "192.0.2.",
    "192.0.2.7",
    "2001:db8::",
    "2001:DB8::5",
    "nothing has this",
    "a\u{0}b",
    "\u{301}",
];

/// An instance with an owner, a member of two teams, a guest, and teams.
pub(super) struct Fixture {
    pub(super) instance: TestInstance,
    pub(super) member: UserId,
    pub(super) guest: UserId,
    pub(super) visible: TeamId,
    pub(super) secret: TeamId,
    pub(super) others: TeamId,
    pub(super) removed: TeamId,
    pub(super) random: StdRng,
}

/// The facts of an actor that the second implementation uses.
pub(super) struct Reader {
    pub(super) name: &'static str,
    pub(super) actor: Actor,
    pub(super) user: Option<UserId>,
    pub(super) teams: Vec<TeamId>,
    pub(super) sees_keys: bool,
    /// The users whose email addresses the actor sees. `None` for all users.
    pub(super) emails: Option<Vec<UserId>>,
}

impl Fixture {
    pub(super) fn new(seed: u64) -> Self {
        let (instance, mut random) = (TestInstance::new(), StdRng::seed_from_u64(seed));
        let now = instance.clock_now().wall;
        let organization = instance.owner().organization_id();
        let team = |secret, name: &str, random: &mut StdRng| {
            let id = Id::new(now, random);
            let record = TeamRecord {
                id,
                organization,
                name: name.to_owned(),
                description: String::new(),
                secret,
                created_at: now,
                version: 1,
            };
            instance.put(&StoreKey::Team(organization, id), &record);
            id
        };
        let visible = team(false, "makers", &mut random);
        let secret = team(true, "hidden", &mut random);
        let others = team(true, "others", &mut random);
        let removed = Id::new(now, &mut random);
        let user = |name: &str, role: BuiltinRole, teams: &[TeamId], random: &mut StdRng| {
            let place = StoreKey::User(instance.owner);
            let known = instance.actions.read::<UserRecord>(&place).unwrap().unwrap().record;
            let id = Id::new(now, random);
            let record = UserRecord {
                id,
                email: format!("{name}@example.com"),
                name: name.to_uppercase(),
                role: role.into(),
                operator: false,
                teams: teams.to_vec(),
                ..known
            };
            instance.put(&StoreKey::User(id), &record);
            id
        };
        let member = user("mo", BuiltinRole::User, &[visible, secret], &mut random);
        let guest = user("gus", BuiltinRole::Guest, &[], &mut random);
        Self { instance, member, guest, visible, secret, others, removed, random }
    }

    pub(super) fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.random.random_range(0..values.len())].clone()
    }

    /// A key with random fields.
    pub(super) fn key(&mut self) -> KeyRecord {
        let now = self.instance.clock_now().wall;
        let age = self.random.random_range(0..4);
        let created = Moment::from_milliseconds(now.milliseconds() - age);
        let organization = self.instance.owner().organization_id();
        let name = self.one_of(&NAMES).to_owned();
        let id = Id::new(created, &mut self.random);
        let mut record = KeyRecord::new(id, organization, name, created);
        let hint = self.one_of(&["kh_live_zzzz", "kh_test_abcd"]).to_owned();
        record.secrets = vec![secret_of(id, &hint, created)];
        if self.random.random_bool(0.3) {
            let old = Moment::from_milliseconds(now.milliseconds() - 9_000);
            let ends_at = self.one_of(&[-5_i64, 50, 99]).saturating_add(now.milliseconds());
            let ends_at = Some(Moment::from_milliseconds(ends_at));
            let digest = Digest::of(&[&id.bytes()[..], b"old"].concat());
            let old = SecretRecord { digest, ends_at, ..secret_of(id, "kh_live_old", old) };
            record.secrets.push(old);
        }
        record.description = self.one_of(&["", "", "A Machine"]).to_owned();
        let owner = self.instance.owner;
        record.owner = self.one_of(&[None, Some(owner), Some(self.member), Some(self.guest)]);
        let lists = [None, Some("orders:read diagrams:*"), Some("zoo:read")];
        record.permissions = self.one_of(&lists).map(|list| list.parse().unwrap());
        record.environment = self.one_of(&["live", "live", "test"]).parse().unwrap();
        for team in [self.visible, self.secret, self.others, self.removed] {
            if self.random.random_bool(0.2) {
                record.teams.push(ShareRecord { team, access: TeamAccess::Read });
            }
        }
        let soon = |milliseconds| Moment::from_milliseconds(now.milliseconds() + milliseconds);
        record.expires_at = self.one_of(&[None, Some(soon(-5)), Some(soon(50)), Some(soon(99))]);
        record.not_before = self.one_of(&[None, None, Some(soon(10))]);
        record.disabled = self.one_of(&[None, None, None, Some(DisabledBy::Owner)]);
        record.revoked_at = self.one_of(&[None, None, None, Some(now)]);
        record
    }

    pub(super) fn write(&self, record: &KeyRecord) {
        self.instance.put(&record.place(), record);
    }

    /// Writes a random key. Half of these keys are used once.
    pub(super) fn add(&mut self) -> KeyRecord {
        let record = self.key();
        self.write(&record);
        if self.random.random_bool(0.5) {
            self.use_key(&record);
        }
        record
    }

    pub(super) fn use_key(&mut self, record: &KeyRecord) {
        let index = self.instance.actions.index();
        let secret = self.random.random_range(0..record.secrets.len());
        let grant = index.grant(&record.secrets[secret].digest).unwrap();
        let ip = self.one_of(&["192.0.2.7", "192.0.2.77", "2001:db8::5", "::ffff:192.0.2.7"]);
        let origin =
            CallOrigin { ip: Some(ip.parse().unwrap()), user_agent: None, ..CallOrigin::default() };
        let at = self.instance.clock_now().wall.milliseconds() - self.random.random_range(0..3_000);
        let index = self.instance.actions.index();
        index.note_call(&grant, Code::Valid, Moment::from_milliseconds(at), origin);
    }

    pub(super) fn remove(&self, record: &KeyRecord) {
        let batch = Batch::new().delete(record.place().to_bytes());
        self.instance.commit(batch);
    }

    /// A management key with these permissions. The key is also in the list.
    pub(super) fn acting_key(&self, owner: Option<UserId>, permissions: &str) -> Actor {
        let id = KeyId::from_bytes([permissions.len().try_into().unwrap(); 16]);
        let organization = self.instance.owner().organization_id();
        let mut record = KeyRecord::new(id, organization, "by key".to_owned(), Moment::BEGINNING);
        record.owner = owner;
        record.permissions = Some(permissions.parse().unwrap());
        record.secrets = vec![secret_of(id, "h", Moment::BEGINNING)];
        self.write(&record);
        let digest = record.secrets[0].digest;
        Actor::key(digest, &self.instance.actions.index().grant(&digest).unwrap(), None)
    }

    pub(super) fn readers(&self) -> Vec<Reader> {
        let index = self.instance.actions.index();
        let session = |id| Actor::user(index, index.user(id).unwrap(), None).unwrap();
        let key = |owner, permissions| self.acting_key(owner, permissions);
        let (owner, member, guest) = (self.instance.owner, self.member, self.guest);
        let teams = vec![self.visible, self.secret];
        let reader = |name, actor, user| {
            let (teams, emails) = (Vec::new(), Some(Vec::new()));
            Reader { name, actor, user, teams, sees_keys: false, emails }
        };
        let seeing = |name, actor, user| Reader { sees_keys: true, ..reader(name, actor, user) };
        vec![
            Reader { emails: None, ..seeing("owner", session(owner), Some(owner)) },
            Reader { emails: None, ..seeing("host", self.instance.local(), None) },
            Reader {
                teams: teams.clone(),
                emails: Some(vec![member]),
                ..reader("member", session(member), Some(member))
            },
            Reader { emails: Some(vec![guest]), ..reader("guest", session(guest), Some(guest)) },
            seeing("service", key(None, "keyhouse:keys:read"), None),
            Reader {
                teams,
                ..reader("member's key", key(Some(member), "keyhouse:keys:create"), Some(member))
            },
            seeing("owner's key", key(Some(owner), "keyhouse:keys:read a:b"), Some(owner)),
        ]
    }

    pub(super) fn query(&mut self, sort: Sort) -> Query {
        let now = self.instance.clock_now().wall;
        let until = Moment::from_milliseconds(now.milliseconds() + 60);
        let since = Moment::from_milliseconds(now.milliseconds() - 2);
        let statuses = [
            Wanted::Current,
            Wanted::Current,
            Wanted::All,
            Wanted::Only(Status::Active),
            Wanted::Only(Status::Expired),
            Wanted::Only(Status::NotYetValid),
        ];
        let search = self.one_of(&NEEDLES).to_owned();
        let has_search = self.random.random_bool(0.6);
        let (owner, member) = (self.instance.owner, self.member);
        let owners = [
            None,
            None,
            None,
            Some(OwnerWanted::Me),
            Some(OwnerWanted::User(owner)),
            Some(OwnerWanted::User(member)),
        ];
        let teams = [
            None,
            None,
            None,
            None,
            Some(TeamWanted::Mine),
            Some(TeamWanted::Mine),
            Some(TeamWanted::Team(self.visible)),
            Some(TeamWanted::Team(self.secret)),
            Some(TeamWanted::Team(self.others)),
            Some(TeamWanted::Team(self.removed)),
        ];
        let limit = self.random.random_range(1..9);
        Query {
            search: has_search.then_some(search),
            status: self.one_of(&statuses),
            kind: self.one_of(&[None, None, Some(KeyKind::Service), Some(KeyKind::Personal)]),
            owner: self.one_of(&owners),
            team: self.one_of(&teams),
            unused: self.random.random_bool(0.1),
            unused_since: self.one_of(&[None, None, None, Some(since)]),
            environment: self
                .one_of(&[None, None, None, Some("test")])
                .map(|it| it.parse().unwrap()),
            endless: self.random.random_bool(0.1),
            old_secret_used: self.random.random_bool(0.1),
            expires_before: self.one_of(&[None, None, None, Some(until)]),
            ..Query::of(limit, sort)
        }
    }

    /// The keys of all pages. `between` runs between two pages.
    pub(super) fn pages(
        &mut self,
        actor: &Actor,
        query: &mut Query,
        mut between: impl FnMut(&mut Self),
    ) -> (Vec<(KeyId, bool)>, Vec<KeyTotal>) {
        let (mut keys, mut totals) = (Vec::new(), Vec::new());
        query.after = None;
        loop {
            let page = self.instance.actions.list_keys(actor, query).unwrap();
            assert!(page.keys.len() <= query.limit);
            assert!(page.next.is_none() || !page.keys.is_empty(), "an empty page with a cursor");
            keys.extend(page.keys.iter().map(|(record, whole)| (record.id, *whole)));
            totals.push(page.total);
            // A cursor is the text of a position.
            query.after = page.next.map(|next| next.to_string().parse::<Position>().unwrap());
            if query.after.is_none() {
                return (keys, totals);
            }
            between(self);
        }
    }
}

/// A secret whose digest is derived from the key's id.
fn secret_of(key: KeyId, hint: &str, created_at: Moment) -> SecretRecord {
    SecretRecord {
        digest: Digest::of(key.bytes()),
        algorithm: Algorithm::Blake3,
        hint: hint.to_owned(),
        created_at,
        ends_at: None,
        other_digest: None,
        last_part_digest: None,
        former_owner: false,
    }
}
