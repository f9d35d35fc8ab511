//! Orphans, records that do not decode, and faults of the audit log.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::inspection::FindingCode as Code;
use crate::inspection::tests::store::Outcome::{Leaves, Left, Mended};
use crate::inspection::tests::store::{
    Fault, IMPORTED, NOW, OTHER, PERSONAL, PURGED, ROLE, Rows, SERVICE, TEAM, USER, digest, email,
    id, user,
};
use crate::model::calendar::Day;
use crate::model::id::EventId;
use crate::records::access::{KeysMadeRecord, SessionRecord, SessionsRecord};
use crate::records::decode;
use crate::records::event::EventRecord;
use crate::records::gate::GateCallRecord;
use crate::records::identity::InstanceRecord;
use crate::records::people::PeopleRecord;
use crate::records::place::{StoreKey, UsageOf};
use crate::records::reservation::ReservationRecord;
use crate::records::usage::DayRecord;
use crate::records::uses::UseRecord;

/// Rows of a key, user or organization that does not exist, and reservations without a period.
pub(super) const ORPHANS: &[Fault] = &[
    (
        "a use",
        |rows| rows.put(&StoreKey::Use(id(81)), &UseRecord::at(NOW)),
        Code::RowOrphan,
        Mended,
    ),
    (
        "a reservation",
        |rows| {
            let place = StoreKey::Quota(id(SERVICE));
            let record: ReservationRecord =
                decode(&place, &rows.by_key[&place.to_bytes()]).unwrap();
            rows.put(&StoreKey::Quota(id(81)), &record);
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "usage of a key in another organization",
        |rows| {
            let of = UsageOf { organization: id(OTHER), key: Some(id(SERVICE)) };
            rows.put(&StoreKey::UsageDay(Day::from_number(1), of), &DayRecord::default());
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "usage of an organization",
        |rows| {
            let of = UsageOf { organization: id(82), key: None };
            rows.put(&StoreKey::UsageDay(Day::from_number(1), of), &DayRecord::default());
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a count of keys",
        |rows| {
            rows.put(&StoreKey::KeysMade(id(82)), &KeysMadeRecord { times: 1 });
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a mark of a call through a gate",
        |rows| {
            rows.put(&StoreKey::GateCall(id(82)), &GateCallRecord {});
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a second factor",
        |rows| {
            let place = StoreKey::Totp(id(USER));
            let value = rows.by_key[&place.to_bytes()].clone();
            rows.by_key.insert(StoreKey::Totp(id(83)).to_bytes(), value);
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a session",
        |rows| {
            rows.change::<SessionRecord>(&StoreKey::Session(digest(1)), |it| it.user = id(83));
            rows.remove(&StoreKey::Sessions(id(USER)));
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a list of sessions",
        |rows| {
            let digests = vec![digest(9)];
            rows.put(&StoreKey::Sessions(id(83)), &SessionsRecord { digests });
        },
        Code::RowOrphan,
        Mended,
    ),
    (
        "a quota's period that ends before it begins",
        |rows| {
            rows.change::<ReservationRecord>(&StoreKey::Quota(id(SERVICE)), |it| {
                it.ends = it.begins;
            });
        },
        Code::ReservationInvalid,
        Mended,
    ),
    (
        "a plan's period that ends before it begins",
        |rows| {
            let place = StoreKey::PlanQuota(rows.organization);
            rows.change::<ReservationRecord>(&place, |record| record.ends = record.begins);
        },
        Code::ReservationInvalid,
        Mended,
    ),
];

/// Records that do not decode.
pub(super) const BROKEN: &[Fault] = &[
    ("a key", |rows| rows.break_record(&rows.key(PERSONAL)), Code::RecordUndecodable, Mended),
    (
        "a key with rows of its own",
        |rows| rows.break_record(&rows.key(SERVICE)),
        Code::RecordUndecodable,
        Mended,
    ),
    ("a user", |rows| rows.break_record(&user(USER)), Code::RecordUndecodable, Mended),
    (
        "a role",
        |rows| rows.break_record(&StoreKey::Role(rows.organization, id(ROLE))),
        Code::RecordUndecodable,
        Leaves(Code::RoleMissing),
    ),
    (
        "a team",
        |rows| rows.break_record(&StoreKey::Team(rows.organization, id(TEAM))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a plan",
        |rows| rows.break_record(&StoreKey::Plan("limited".into())),
        Code::RecordUndecodable,
        Leaves(Code::PlanMissing),
    ),
    (
        "an organization",
        |rows| rows.break_record(&StoreKey::Organization(id(OTHER))),
        Code::RecordUndecodable,
        Leaves(Code::OrganizationMissing),
    ),
    ("an address", |rows| rows.break_record(&email(rows)), Code::RecordUndecodable, Mended),
    (
        "a domain",
        |rows| rows.break_record(&StoreKey::Domain("other.example".into())),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a permission",
        |rows| rows.break_record(&StoreKey::Permission("a:read".into())),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "an invitation",
        |rows| rows.break_record(&StoreKey::Invitation(id(3))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a reset",
        |rows| rows.break_record(&StoreKey::Reset(id(USER))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a session",
        |rows| rows.break_record(&StoreKey::Session(digest(1))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a list of sessions",
        |rows| rows.break_record(&StoreKey::Sessions(id(USER))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a use",
        |rows| rows.break_record(&StoreKey::Use(id(SERVICE))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a key's reservation",
        |rows| rows.break_record(&StoreKey::Quota(id(SERVICE))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a plan's reservation",
        |rows| rows.break_record(&StoreKey::PlanQuota(rows.organization)),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "the digest of an imported key",
        |rows| rows.break_record(&StoreKey::Taken(digest(IMPORTED))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "the digest of a purged key",
        |rows| rows.break_record(&StoreKey::Taken(digest(PURGED))),
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a count of changes",
        |rows| {
            rows.put(&StoreKey::People, &PeopleRecord { changes: 1 });
            rows.break_record(&StoreKey::People);
        },
        Code::RecordUndecodable,
        Mended,
    ),
    (
        "a second factor",
        |rows| rows.break_record(&StoreKey::Totp(id(USER))),
        Code::RecordUndecodable,
        Left,
    ),
    (
        "the mark of the first organization",
        |rows| rows.break_record(&StoreKey::Founded),
        Code::RecordUndecodable,
        Left,
    ),
    (
        "the id of the instance",
        |rows| {
            rows.put(&StoreKey::Instance, &InstanceRecord { id: id(1) });
            rows.break_record(&StoreKey::Instance);
        },
        Code::RecordUndecodable,
        Left,
    ),
    (
        "an event without a seal",
        |rows| {
            let event = EventId::new(NOW, &mut StdRng::seed_from_u64(3));
            rows.by_key.insert(StoreKey::Event(event).to_bytes(), b"\x01{".to_vec());
        },
        Code::RecordUndecodable,
        Left,
    ),
];

/// Faults of the audit log.
pub(super) const AUDIT_LOG: &[Fault] = &[
    (
        "a sealed event that does not decode",
        |rows| rows.break_record(&first_event(rows)),
        Code::RecordUndecodable,
        Left,
    ),
    (
        "a sealed event that is missing",
        |rows| rows.remove(&first_event(rows)),
        Code::AuditLogFault,
        Left,
    ),
    (
        "a changed event",
        |rows| {
            rows.change::<EventRecord>(&first_event(rows), |event| {
                event.target.push('x');
            });
        },
        Code::AuditLogFault,
        Left,
    ),
    (
        "a seal that does not decode",
        |rows| rows.break_record(&StoreKey::Seal(1)),
        Code::AuditLogFault,
        Left,
    ),
];

fn first_event(rows: &Rows) -> StoreKey {
    let mut keys = rows.by_key.keys().filter(|key| key.starts_with(StoreKey::EVENTS));
    StoreKey::parse(keys.next().unwrap()).unwrap()
}
