//! A store with rows of every kind, as a map that a test changes before it loads the map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyhouse_storage::{At, Batch, MemoryStore, Progress, Range, Store};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::actions::signing_in::setup::FirstOwner;
use crate::clock::{Clock, ManualClock, Now};
use crate::index::{CallOrigin, Index, follow};
use crate::inspection::{FindingCode, SeedKeysFound, StoreReport, Surroundings, inspect};
use crate::instance::{Instance, InstanceParameters};
use crate::model::calendar::Day;
use crate::model::foreign::Algorithm;
use crate::model::id::{Id, Kind, OrganizationId, UserId};
use crate::model::limit::{Period, Zone};
use crate::model::moment::Moment;
use crate::model::plan::{API_ACCESS, TEAMS};
use crate::model::retention::Retention;
use crate::model::role::Role;
use crate::model::secret::{Digest, Secret};
use crate::model::seed::SeedKeys;
use crate::records::access::{
    DomainRecord, EmailRecord, KeysMadeRecord, OrganizationRecord, PlanRecord, SessionRecord,
    SessionsRecord, UserRecord,
};
use crate::records::gate::GateCallRecord;
use crate::records::key::{Author, KeyRecord, QuotaRecord, SecretRecord, ShareRecord, TeamAccess};
use crate::records::people::{
    InvitationRecord, KeyDisposition, RemovalRecord, ResetRecord, TotpRecord,
};
use crate::records::place::{StoreKey, UsageOf};
use crate::records::reservation::ReservationRecord;
use crate::records::rights::{PermissionRecord, RoleRecord, TeamRecord};
use crate::records::taken::TakenRecord;
use crate::records::usage::{DayRecord, HoursRecord};
use crate::records::uses::UseRecord;
use crate::records::{Record, decode, encode};
use crate::upkeep::audit::seal;
use crate::verify::{Request, preview};

pub(super) const NOW: Moment = Moment::from_milliseconds(1_800_000_000_000);

pub(super) const USER: u8 = 10;
pub(super) const LEAVING: u8 = 11;
pub(super) const ROLE: u8 = 20;
pub(super) const TEAM: u8 = 30;
pub(super) const OTHER_TEAM: u8 = 31;
pub(super) const OTHER: u8 = 40;
pub(super) const PERSONAL: u8 = 50;
pub(super) const SERVICE: u8 = 51;
pub(super) const IMPORTED: u8 = 52;
pub(super) const LEFT: u8 = 53;
/// A key that was purged, whose digest stays bound.
pub(super) const PURGED: u8 = 54;

pub(super) fn id<K: Kind>(number: u8) -> Id<K> {
    Id::from_bytes([number; 16])
}

/// The digest of the secret of a key.
pub(super) fn digest(key: u8) -> Digest {
    Digest::of(&[key])
}

/// The rows of a store.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) by_key: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) organization: OrganizationId,
    pub(super) owner: UserId,
}

impl Rows {
    pub(super) fn put<T: Record>(&mut self, place: &StoreKey, record: &T) {
        self.by_key.insert(place.to_bytes(), encode(place, record).unwrap());
    }

    pub(super) fn change<T: Record>(&mut self, place: &StoreKey, change: impl FnOnce(&mut T)) {
        let value = &self.by_key[&place.to_bytes()];
        let mut record: T = decode(place, value).unwrap();
        change(&mut record);
        self.put(place, &record);
    }

    pub(super) fn break_record(&mut self, place: &StoreKey) {
        let known = self.by_key.insert(place.to_bytes(), b"\x01{\"damaged\":1}".to_vec());
        assert!(known.is_some(), "{place}");
    }

    pub(super) fn remove(&mut self, place: &StoreKey) {
        assert!(self.by_key.remove(&place.to_bytes()).is_some(), "{place}");
    }

    pub(super) fn key(&self, number: u8) -> StoreKey {
        StoreKey::Key(self.organization, id(number))
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let put = |batch: Batch, (key, value): (&Vec<u8>, &Vec<u8>)| {
            batch.put(key.clone(), value.clone())
        };
        store.commit(self.by_key.iter().fold(Batch::new(), put)).unwrap();
        store
    }
}

pub(super) fn seed_keys() -> SeedKeys {
    SeedKeys::generate(&mut StdRng::seed_from_u64(5))
}

pub(super) fn inspected(store: &Arc<dyn Store>) -> StoreReport {
    let keys = seed_keys();
    inspect(store, surroundings(&keys)).unwrap()
}

pub(super) fn surroundings(keys: &SeedKeys) -> Surroundings<'_> {
    let seed_keys = SeedKeysFound::Keys(keys);
    Surroundings { now: NOW, retention: Retention::default(), seed_keys }
}

/// What all keys may do: each digest with each permission that a check grants. `None` if no server
/// can start on the store.
pub(super) fn granted(store: &Arc<dyn Store>) -> Option<BTreeSet<(u8, &'static str)>> {
    let index = Arc::new(Index::new());
    follow::start(Arc::clone(&index), Arc::clone(store), &Progress::default()).ok()?.stop();
    let mut granted = BTreeSet::new();
    for key in [PERSONAL, SERVICE, IMPORTED, LEFT, PURGED] {
        for permission in ["a:read", "a:write"] {
            let requirement = permission.parse().unwrap();
            let request = Request {
                requirement: Some(&requirement),
                ..Request::from_holder(CallOrigin::default())
            };
            let now = Now { wall: NOW, ticks: 1 };
            let Some(digest) = index.deciding(&[digest(key)]) else { continue };
            let is_valid = index.with_grant(&digest, |grant| {
                grant.is_some_and(|grant| preview(grant, &request, now).is_valid())
            });
            if is_valid {
                granted.insert((key, permission));
            }
        }
    }
    Some(granted)
}

/// A store with rows of every kind and without a fault.
pub(super) fn filled() -> Rows {
    let mut rows = founded();
    let organization = rows.organization;
    add_organizations(&mut rows);
    add_people(&mut rows);
    add_keys(&mut rows);
    let reservation = ReservationRecord {
        begins: NOW.before(std::time::Duration::from_hours(1)),
        ends: NOW.after(std::time::Duration::from_hours(1)),
        reserved: 5,
    };
    rows.put(&StoreKey::Quota(id(SERVICE)), &reservation);
    rows.put(&StoreKey::PlanQuota(organization), &reservation);
    rows.put(&StoreKey::Use(id(SERVICE)), &UseRecord::at(NOW));
    for key in [None, Some(id(SERVICE))] {
        let of = UsageOf { organization, key };
        rows.put(&StoreKey::UsageHours(Day::from_number(20_000), of), &HoursRecord::default());
        rows.put(&StoreKey::UsageDay(Day::from_number(19_000), of), &DayRecord::default());
    }
    rows
}

/// The rows that an instance writes for its first owner, with sealed events.
fn founded() -> Rows {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let parameters = InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
    let random = StdRng::seed_from_u64(7);
    let instance =
        Instance::assemble(Arc::clone(&store), Arc::clone(&clock), random, parameters).unwrap();
    let owner = FirstOwner {
        name: None,
        email: "ada@example.com".to_owned(),
        password: Secret::new("correct horse battery".to_owned()),
    };
    let (owner, organization) = instance.actions().found(&owner, None, None).unwrap();
    instance.stop();
    let random = StdRng::seed_from_u64(8);
    seal::start(Arc::clone(&store), clock, random, Retention::default()).unwrap().stop();
    let found = store.rows(&Range::prefix(b""), At::Latest).map(|row| row.unwrap());
    let by_key = found.map(|row| (row.key, row.value)).collect();
    Rows { by_key, organization, owner }
}

fn add_organizations(rows: &mut Rows) {
    let (own, other) = (rows.organization, id(OTHER));
    rows.change::<OrganizationRecord>(&StoreKey::Organization(own), |record| {
        record.plan = "limited".into();
        record.domains.push("keyhouse.example".into());
    });
    let mut plan = PlanRecord::unlimited("limited", &[API_ACCESS, TEAMS]);
    plan.requests_per_month = Some(1_000);
    rows.put(&StoreKey::Plan("limited".into()), &plan);
    let place = StoreKey::Organization(own);
    let mut record: OrganizationRecord = decode(&place, &rows.by_key[&place.to_bytes()]).unwrap();
    (record.domains, record.plan) = (vec!["other.example".into()], "pro".into());
    rows.put(&StoreKey::Organization(other), &record);
    for (name, organization) in [("keyhouse.example", own), ("other.example", other)] {
        rows.put(&StoreKey::Domain(name.into()), &DomainRecord { organization });
    }
    rows.put(&StoreKey::KeysMade(own), &KeysMadeRecord { times: 3 });
    rows.put(&StoreKey::GateCall(own), &GateCallRecord {});
    let role = RoleRecord {
        id: id(ROLE),
        organization: own,
        name: "reader".to_owned(),
        description: String::new(),
        permissions: "a:*".parse().unwrap(),
        created_at: NOW,
        version: 1,
    };
    rows.put(&StoreKey::Role(own, role.id), &role);
    for (team, organization) in [(TEAM, own), (OTHER_TEAM, other)] {
        let record = TeamRecord {
            id: id(team),
            organization,
            name: "team".to_owned(),
            description: String::new(),
            secret: false,
            created_at: NOW,
            version: 1,
        };
        rows.put(&StoreKey::Team(organization, id(team)), &record);
    }
    let permission = PermissionRecord {
        name: "a:read".into(),
        group: String::new(),
        english: String::new(),
        french: String::new(),
        spanish: String::new(),
        version: 1,
    };
    rows.put(&StoreKey::Permission("a:read".into()), &permission);
}

fn add_people(rows: &mut Rows) {
    let organization = rows.organization;
    let owner = StoreKey::User(rows.owner);
    let mut user: UserRecord = decode(&owner, &rows.by_key[&owner.to_bytes()]).unwrap();
    (user.email, user.operator) = ("bob@example.com".to_owned(), false);
    user.role = Role::Custom(id(ROLE));
    // The second team was removed.
    user.teams = vec![id(TEAM), id(99)];
    rows.put(&StoreKey::User(id(USER)), &user);
    let email = StoreKey::Email(user.email, organization);
    rows.put(&email, &EmailRecord { user: id(USER) });
    let session = SessionRecord {
        id: id(1),
        user: id(USER),
        created_at: NOW,
        seen_at: NOW,
        second_factor: true,
        proven_at: None,
        address: None,
        user_agent: None,
    };
    rows.put(&StoreKey::Session(digest(1)), &session);
    let sessions = SessionsRecord { digests: vec![digest(1)] };
    rows.put(&StoreKey::Sessions(id(USER)), &sessions);
    // A removed user without sessions.
    rows.put(&StoreKey::Sessions(id(LEAVING)), &SessionsRecord::default());
    let seed = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
    let seed = seed_keys().encrypt(id(USER), &seed, &mut StdRng::seed_from_u64(6)).unwrap();
    let totp =
        TotpRecord { seed, confirmed: true, step_last: 1, backup: Vec::new(), created_at: NOW };
    rows.put(&StoreKey::Totp(id(USER)), &totp);
    let (digest, created_by, ends_at) = (digest(2), Author::Local, NOW);
    let reset = ResetRecord { digest, created_by, ends_at, totp: false };
    rows.put(&StoreKey::Reset(id(USER)), &reset);
    let invitation = InvitationRecord {
        id: id(3),
        organization,
        email: "carl@example.com".to_owned(),
        name: None,
        role: Role::Custom(id(ROLE)),
        teams: Vec::new(),
        digest,
        created_by,
        created_at: NOW,
        ends_at,
    };
    rows.put(&StoreKey::Invitation(id(3)), &invitation);
    let removal = RemovalRecord {
        user: id(LEAVING),
        organization,
        removed_by: Author::Local,
        disposition: KeyDisposition::Revoke,
        holds: "a:*".parse().unwrap(),
        operator: false,
        ceiling: "*".parse().unwrap(),
    };
    rows.put(&StoreKey::Removal(id(LEAVING)), &removal);
}

fn add_keys(rows: &mut Rows) {
    let organization = rows.organization;
    let key = |number: u8, owner: Option<UserId>| KeyRecord {
        owner,
        secrets: vec![SecretRecord {
            digest: digest(number),
            algorithm: Algorithm::Blake3,
            hint: "kh_live_abcd".to_owned(),
            created_at: NOW,
            ends_at: None,
            other_digest: None,
            last_part_digest: None,
            former_owner: false,
        }],
        permissions: Some("a:read".parse().unwrap()),
        ..KeyRecord::new(id(number), organization, "key".to_owned(), NOW)
    };
    let share = |team: u8| ShareRecord { team: id(team), access: TeamAccess::Read };
    let mut personal = key(PERSONAL, Some(id(USER)));
    // The second team was removed.
    personal.teams = vec![share(TEAM), share(99)];
    let mut service = key(SERVICE, None);
    service.quota = Some(QuotaRecord { limit: 100, period: Period::Day, zone: Zone::utc() });
    let mut imported = key(IMPORTED, None);
    imported.imported = Some(digest(IMPORTED));
    let left = key(LEFT, Some(id(LEAVING)));
    for record in [personal, service, imported, left] {
        rows.put(&record.place(), &record);
    }
    let bound = |number: u8| TakenRecord::of(id(number));
    rows.put(&StoreKey::Taken(digest(IMPORTED)), &bound(IMPORTED));
    rows.put(&StoreKey::Taken(digest(PURGED)), &TakenRecord::retired(id(PURGED)));
}

pub(super) fn email(rows: &Rows) -> StoreKey {
    StoreKey::Email("bob@example.com".to_owned(), rows.organization)
}

pub(super) fn user(number: u8) -> StoreKey {
    StoreKey::User(id(number))
}

/// The result of a repair for a planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A second inspection has no findings.
    Mended,
    /// No repair mends the fault.
    Left,
    /// The fault is mended, and this finding remains.
    Leaves(FindingCode),
}
pub(super) type Fault = (&'static str, fn(&mut Rows), FindingCode, Outcome);
