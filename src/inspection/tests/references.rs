//! Faults of references, and of rows that are derived from others.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::inspection::FindingCode as Code;
use crate::inspection::tests::store::Outcome::{Left, Mended};
use crate::inspection::tests::store::{
    Fault, IMPORTED, NOW, OTHER, OTHER_TEAM, PERSONAL, SERVICE, USER, digest, email, id, user,
};
use crate::model::gate::Preflight;
use crate::model::role::{BuiltinRole, Role};
use crate::model::secret::Secret;
use crate::model::seed::SeedKeys;
use crate::records::access::{DomainRecord, EmailRecord, OrganizationRecord, UserRecord};
use crate::records::gate::{GateRecord, RouteRecord};
use crate::records::key::{KeyRecord, ShareRecord, TeamAccess};
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;
use crate::records::taken::TakenRecord;

/// Faults of references and of rows that are derived from others.
pub(super) const REFERENCES: &[Fault] = &[
    (
        "a row of no kind",
        |rows| drop(rows.by_key.insert(b"other/1".to_vec(), Vec::new())),
        Code::RowUnknown,
        Mended,
    ),
    (
        "a key of no valid form",
        |rows| drop(rows.by_key.insert(b"key/1".to_vec(), Vec::new())),
        Code::RowUnknown,
        Mended,
    ),
    (
        "an address of no user",
        |rows| {
            let place = StoreKey::Email("eve@example.com".to_owned(), rows.organization);
            rows.put(&place, &EmailRecord { user: id(77) });
        },
        Code::EmailRowOrphan,
        Mended,
    ),
    (
        "an address of another user",
        |rows| {
            let user = rows.owner;
            let place = email(rows);
            rows.put(&place, &EmailRecord { user });
        },
        Code::EmailRowOrphan,
        Mended,
    ),
    (
        "a user without an address row",
        |rows| rows.remove(&email(rows)),
        Code::EmailRowMissing,
        Mended,
    ),
    (
        "two users of one address",
        |rows| {
            let mut twin: Option<UserRecord> = None;
            rows.change::<UserRecord>(&user(USER), |record| twin = Some(record.clone()));
            rows.put(&user(78), &twin.unwrap());
        },
        Code::EmailShared,
        Left,
    ),
    (
        "a user of a role that does not exist",
        |rows| {
            rows.change::<UserRecord>(&user(USER), |record| record.role = Role::Custom(id(79)));
        },
        Code::RoleMissing,
        Left,
    ),
    (
        "a member of another organization's team",
        |rows| {
            rows.change::<UserRecord>(&user(USER), |record| record.teams.push(id(OTHER_TEAM)));
        },
        Code::TeamForeign,
        Mended,
    ),
    (
        "a domain of an organization without it",
        |rows| {
            let organization = rows.organization;
            let record = DomainRecord { organization };
            rows.put(&StoreKey::Domain("third.example".into()), &record);
        },
        Code::DomainRowOrphan,
        Mended,
    ),
    (
        "an organization's domain without a row",
        |rows| rows.remove(&StoreKey::Domain("other.example".into())),
        Code::DomainRowMissing,
        Mended,
    ),
    (
        "one domain of two organizations",
        |rows| {
            let place = StoreKey::Organization(id(OTHER));
            rows.change::<OrganizationRecord>(&place, |it| {
                it.domains.push("keyhouse.example".into());
            });
        },
        Code::DomainShared,
        Left,
    ),
    (
        "an organization without a plan",
        |rows| {
            rows.change::<OrganizationRecord>(&StoreKey::Organization(id(OTHER)), |record| {
                record.plan = "gone".into();
            });
        },
        Code::PlanMissing,
        Left,
    ),
    (
        "an organization without a record",
        |rows| {
            rows.remove(&StoreKey::Organization(id(OTHER)));
            rows.remove(&StoreKey::Domain("other.example".into()));
        },
        Code::OrganizationMissing,
        Left,
    ),
    (
        "no mark of the first organization",
        |rows| rows.remove(&StoreKey::Founded),
        Code::FoundedMissing,
        Left,
    ),
    (
        "a key of no user",
        |rows| {
            rows.change::<KeyRecord>(&rows.key(PERSONAL), |record| record.owner = Some(id(80)));
        },
        Code::OwnerMissing,
        Mended,
    ),
    (
        "a key of another organization's user",
        |rows| {
            let place = StoreKey::Organization(id(OTHER));
            assert!(rows.by_key.contains_key(&place.to_bytes()));
            rows.change::<UserRecord>(&user(USER), |record| {
                (record.organization, record.role) = (id(OTHER), Role::Builtin(BuiltinRole::User));
                record.teams.clear();
            });
            rows.remove(&email(rows));
            let place = StoreKey::Email("bob@example.com".to_owned(), id(OTHER));
            rows.put(&place, &EmailRecord { user: id(USER) });
        },
        Code::OwnerMissing,
        Mended,
    ),
    (
        "a key shared with another organization's team",
        |rows| {
            let share = ShareRecord { team: id(OTHER_TEAM), access: TeamAccess::Write };
            rows.change::<KeyRecord>(&rows.key(SERVICE), |record| record.teams.push(share));
        },
        Code::ShareForeign,
        Mended,
    ),
    (
        "two keys of one digest",
        |rows| {
            rows.change::<KeyRecord>(&rows.key(SERVICE), |record| {
                record.secrets[0].digest = digest(PERSONAL);
            });
        },
        Code::DigestShared,
        Left,
    ),
    (
        "an imported key whose digest is free",
        |rows| rows.remove(&StoreKey::Taken(digest(IMPORTED))),
        Code::TakenRowMissing,
        Mended,
    ),
    (
        "an imported key whose digest is another's",
        |rows| {
            rows.put(&StoreKey::Taken(digest(IMPORTED)), &TakenRecord::of(id(SERVICE)));
        },
        Code::TakenRowWrong,
        Left,
    ),
    (
        "a session outside its user's list",
        |rows| {
            rows.remove(&StoreKey::Sessions(id(USER)));
        },
        Code::SessionUnlisted,
        Mended,
    ),
    (
        "a listed session without a row",
        |rows| rows.remove(&StoreKey::Session(digest(1))),
        Code::SessionListStale,
        Mended,
    ),
    (
        "a gate with two equal routes",
        |rows| rows.put(&StoreKey::Gate("orders".into()), &gate()),
        Code::GateInvalid,
        Left,
    ),
    (
        "a seed of another key file",
        |rows| {
            let keys = SeedKeys::generate(&mut StdRng::seed_from_u64(9));
            rows.change::<TotpRecord>(&StoreKey::Totp(id(USER)), |record| {
                let seed = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
                record.seed = keys.encrypt(id(USER), &seed, &mut StdRng::seed_from_u64(1)).unwrap();
            });
        },
        Code::SeedUnreadable,
        Left,
    ),
];

fn gate() -> GateRecord {
    let route = |path: &str| RouteRecord {
        host: None,
        path: path.parse().unwrap(),
        methods: Vec::new(),
        access: "key".parse().unwrap(),
        requirement: None,
        cost: None,
        allow: Vec::new(),
    };
    GateRecord {
        name: "orders".into(),
        id: id(1),
        description: String::new(),
        credentials: Vec::new(),
        routes: vec![route("/a"), route("/a")],
        organizations: None,
        environments: None,
        cost: 1,
        preflight: Preflight::default(),
        created_at: NOW,
        version: 1,
    }
}
