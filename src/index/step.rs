//! The steps of the index's writer. Each step applies one stored row, is timed, and is logged if
//! slow.
//!
//! The work of a step is proportional to the size of its row, which has named maxima: for a key,
//! two secrets with a list and [`crate::records::key::MAXIMA_MAX`] lists of the maximum; for a
//! gate, its routes. No step compares two lists. A change of a user, role, organization or plan
//! replaces the facts behind one handle, which many grants share.

use std::time::{Duration, Instant};

use keyhouse_storage::Write;

use crate::index::writer::Writer;
use crate::records::place::StoreKey;
use crate::records::{RecordError, read};

/// A step that takes longer is logged.
const STEP_SLOW: Duration = Duration::from_millis(5);

impl Writer {
    /// Applies the writes of a commit.
    pub(super) fn apply(&mut self, writes: &[Write]) -> Result<(), RecordError> {
        for write in writes {
            match write {
                Write::Put { key, value } => self.put_row(key, value)?,
                Write::Delete { key } => self.delete_row(key)?,
            }
        }
        Ok(())
    }

    pub(super) fn put_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        self.timed(key, |writer| {
            writer.put(read(key, value)?);
            Ok(())
        })
    }

    pub(super) fn delete_row(&mut self, key: &[u8]) -> Result<(), RecordError> {
        self.timed(key, |writer| {
            writer.delete(&StoreKey::parse(key)?);
            Ok(())
        })
    }

    /// Takes one step for the row at `key`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time is only measured; no decision depends on it"
    )]
    pub(super) fn timed(
        &mut self,
        key: &[u8],
        step: impl FnOnce(&mut Self) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let begun = Instant::now();
        let stepped = step(self);
        let took = begun.elapsed();
        self.index.steps.record(took);
        if let Some(place) = slow(key, took) {
            tracing::warn!(%place, ?took, "index: a step of the writer was slow");
        }
        stepped
    }
}

/// The log label of a step if it was slow: kind and id, never an address or a digest.
fn slow(key: &[u8], took: Duration) -> Option<String> {
    let place =
        || StoreKey::parse(key).map_or_else(|_unknown| "unknown".to_owned(), |it| it.to_string());
    (took > STEP_SLOW).then(place)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyhouse_storage::{Batch, MemoryStore, Progress, Store as _};

    use super::*;
    use crate::index::Index;
    use crate::model::id::{Id, KeyId, RoleId};
    use crate::model::moment::Moment;
    use crate::model::permission::{Patterns, comparisons};
    use crate::model::plan::API_ACCESS;
    use crate::model::role::Role;
    use crate::model::secret::Digest;
    use crate::records::access::{OrganizationRecord, PlanRecord, UserRecord};
    use crate::records::key::tests::record;
    use crate::records::key::{KeyRecord, MAXIMA_MAX, SecretRecord};
    use crate::records::rights::RoleRecord;
    use crate::records::{Record, Stored, encode};

    /// 96 patterns, each of which overlaps all patterns of another such list: their intersection
    /// has thousands of patterns.
    fn crossing(name: &str) -> Patterns {
        let pattern = |at: usize| {
            let mut segments = vec!["*".to_owned(); 8];
            segments[at % 8] = format!("{name}{}", at / 8);
            segments.join(":")
        };
        (0..96).map(pattern).collect::<Vec<_>>().join(" ").parse().unwrap()
    }

    fn put<T: Record>(place: &StoreKey, record: &T) -> Write {
        Write::Put { key: place.to_bytes(), value: encode(place, record).unwrap() }
    }

    /// An organization's maximum, a user's role, and the lists of a transferred key with two
    /// secrets, all of which overlap.
    struct Crossing {
        organization: OrganizationRecord,
        role: RoleRecord,
        user: UserRecord,
        key: KeyRecord,
    }

    impl Crossing {
        fn new() -> Self {
            let (id, now) = (Id::default(), Moment::BEGINNING);
            let organization = OrganizationRecord {
                ceiling: crossing("o"),
                ..OrganizationRecord::new(id, "B".to_owned(), "pro", now)
            };
            let role = RoleRecord {
                id: RoleId::from_bytes([3; 16]),
                organization: organization.id,
                name: "crossing".to_owned(),
                description: String::new(),
                permissions: crossing("r"),
                created_at: Moment::BEGINNING,
                version: 1,
            };
            let place = StoreKey::User(Id::from_bytes([5; 16]));
            let row = serde_json::json!({
                "g": organization.id.to_string(), "e": "u@example.com", "n": "u", "pw": "",
                "r": Role::Custom(role.id).to_string(), "c": 0, "v": 1,
            });
            let row = [&[1], row.to_string().as_bytes()].concat();
            let Ok(Stored::User(user)) = read(&place.to_bytes(), &row) else { panic!("a user") };
            let mut key = record();
            (key.organization, key.owner) = (organization.id, Some(user.id));
            key.permissions = Some(crossing("l"));
            key.maxima = (0..MAXIMA_MAX).map(|at| crossing(&format!("m{at}x"))).collect();
            let new = SecretRecord { digest: Digest::of(b"new"), ..key.secrets[0].clone() };
            key.secrets.insert(0, new);
            Self { organization, role, user, key }
        }

        fn writes(&self) -> [Write; 4] {
            let Self { organization, role, user, key } = self;
            [
                put(&StoreKey::Organization(organization.id), organization),
                put(&StoreKey::Role(role.organization, role.id), role),
                put(&StoreKey::User(user.id), user),
                put(&key.place(), key),
            ]
        }
    }

    /// Regression: a transferred key whose list and maximum overlap cost the writer 66 ms at each
    /// change and at every start. During that time, checks of all organizations returned 503.
    #[test]
    fn no_step_of_the_writer_compares_two_lists() {
        let index = Arc::new(Index::new());
        let mut writer = Writer::new(Arc::clone(&index));
        let crossing = Crossing::new();
        let [organization, role, user, rotated] = crossing.writes();
        let transferred = KeyRecord {
            secrets: crossing.key.secrets[1..].to_vec(),
            owner: None,
            ..crossing.key.clone()
        };
        let created = KeyRecord { maxima: Vec::new(), ..transferred.clone() };
        for (claim, write) in [
            ("organization change", &organization),
            ("role change", &role),
            ("user change", &user),
            ("create", &put(&created.place(), &created)),
            ("transfer", &put(&transferred.place(), &transferred)),
            ("rotate", &rotated),
            ("organization change with a key", &organization),
            ("role change with a key", &role),
            ("user change with a key", &user),
        ] {
            let (compared, applied) = comparisons::of(|| writer.apply(std::slice::from_ref(write)));
            applied.unwrap();
            assert_eq!(compared, 0, "{claim}");
        }
        let grant = index.grant(&Digest::of(b"new")).unwrap();
        assert_eq!(grant.patterns().count(), 96, "not a product of lists");
        assert_eq!(grant.maxima().len(), MAXIMA_MAX);
        assert_eq!(index.steps().distribution().count, 9);

        let store = MemoryStore::new();
        let batch = crossing.writes().into_iter().fold(Batch::new(), |batch, write| match write {
            Write::Put { key, value } => batch.put(key, value),
            Write::Delete { key } => batch.delete(key),
        });
        store.commit(batch).unwrap();
        let mut writer = Writer::new(Arc::new(Index::new()));
        let (compared, built) =
            comparisons::of(|| writer.rebuild(&store, &Progress::default()).is_ok());
        assert_eq!((compared, built), (0, true), "start");
        assert_eq!(writer.index.len(), 2);
    }

    /// Regression: one step of the writer copied a plan's row to each organization on it.
    #[test]
    fn a_plan_change_rewrites_no_organization() {
        let index = Arc::new(Index::new());
        let mut writer = Writer::new(Arc::clone(&index));
        let place = StoreKey::Plan("pro".into());
        let [organization, ..] = Crossing::new().writes();
        let before = || index.organization(Id::default()).unwrap();
        writer.apply(&[organization]).unwrap();
        let known = before();
        assert!(!known.has_access(Moment::BEGINNING), "its plan is not known yet");
        let plan = |features: &[&str]| put(&place, &PlanRecord::unlimited("pro", features));
        for (claim, write, access) in [
            ("a plan that comes later", plan(&[API_ACCESS]), true),
            ("a change", plan(&[]), false),
            ("another", plan(&[API_ACCESS]), true),
            ("the plan no longer exists", Write::Delete { key: place.to_bytes() }, false),
            ("a plan of that name again", plan(&[API_ACCESS]), true),
        ] {
            writer.apply(&[write]).unwrap();
            assert_eq!(before().has_access(Moment::BEGINNING), access, "{claim}");
            assert!(Arc::ptr_eq(&known, &before()), "{claim}: the organization was rewritten");
        }
    }

    #[test]
    fn a_slow_step_is_logged_by_its_id_and_never_by_an_address_or_a_digest() {
        let key = KeyId::from_bytes([7; 16]);
        let place = StoreKey::Key(Id::default(), key);
        assert_eq!(slow(&place.to_bytes(), STEP_SLOW), None);
        let more = STEP_SLOW + Duration::from_nanos(1);
        assert_eq!(slow(&place.to_bytes(), more), Some(place.to_string()));
        assert!(place.to_string().ends_with(&key.to_string()));
        for (place, logged) in [
            (StoreKey::Email("ada@example.com".to_owned(), Id::default()), "email/.."),
            (StoreKey::Session(Digest::of(b"cookie")), "session/.."),
            (StoreKey::Taken(Digest::of(b"key")), "imported/.."),
        ] {
            assert_eq!(slow(&place.to_bytes(), more).as_deref(), Some(logged));
        }
        assert_eq!(slow(b"secret", more).as_deref(), Some("unknown"));
    }
}
