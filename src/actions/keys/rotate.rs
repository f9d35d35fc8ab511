//! Rotation: gives a key a new secret. The old secret ends at once, or after an overlap.
//!
//! Only an actor that holds all that the key grants may rotate the key, since the response contains
//! the new secret.
//!
//! Only the owner rotates a personal key, in a session. Keys and the operator on the host do not
//! rotate personal keys.

use std::cmp::min;
use std::time::Duration;

use keyhouse_storage::Batch;

use crate::actions::actor::{Actor, KEY_OWNER};
use crate::actions::changes::Target;
use crate::actions::keys::bounds::require_access;
use crate::actions::keys::{refuse_itself, refuse_revoked};
use crate::actions::{ActionError, Actions, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::id::KeyId;
use crate::model::key_text;
use crate::model::moment::Moment;
use crate::model::role::KEYS_MANAGE;
use crate::model::secret::Secret;
use crate::records::key::{KeyRecord, SecretRecord};
use crate::records::place::StoreKey;
use crate::records::taken::TakenRecord;

/// Longest overlap of an old secret.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

impl Actions {
    /// Gives a key a new secret. Only the response contains the new secret.
    ///
    /// The old secret ends after `overlap` or with the next rotation: a key has at most two
    /// secrets. The key keeps its usage and events.
    ///
    /// # Errors
    /// The errors of [`Actions::change_key`]; [`ActionError::PermissionRequired`] for every actor
    /// but the owner in a session, or, for a service key, an actor that holds all of the key's
    /// permissions; [`ActionError::SubscriptionRequired`]; [`ActionError::Conflict`] for a key that
    /// has ended; [`ActionError::ProofRequired`].
    pub fn rotate_key(
        &self,
        actor: &Actor,
        target: &Target<KeyId>,
        overlap: Duration,
    ) -> Result<(KeyRecord, Secret), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize(actor)?;
            let (today, now) = (&decided.actor, decided.now);
            let held = self.find_key(today, target.id)?;
            self.standing(today, &held.record)?.refuse_team_mate()?;
            require_all_of(today, &held.record)?;
            decided.require_over(&held.record)?;
            let mut record = target.current(&held)?;
            refuse_ended(&held.record, now)?;
            let organization = self.index.organization(held.record.organization);
            let organization = organization.ok_or(ActionError::NotFound("organization"))?;
            require_access(&organization, now)?;
            decided.require_proof()?;
            let (secret, dropped) = self.renew(&mut record, now, min(overlap, OVERLAP_MAX));
            let batch = retire(Batch::new(), record.id, &dropped)?;
            let attempt = self.update(decided, AuditAction::KEY_ROTATE, (&held, record), batch)?;
            Ok(attempt.map(|record| (record, secret)))
        })
    }

    /// Adds a new secret as the newest. The previous secret ends after `overlap`. Returns the new
    /// secret and the older secrets, which are dropped.
    fn renew(
        &self,
        record: &mut KeyRecord,
        now: Moment,
        overlap: Duration,
    ) -> (Secret, Vec<SecretRecord>) {
        let environment = &record.environment;
        let made = key_text::generate(&self.prefix, environment, &mut *self.random());
        // A secret that ends at once is also kept until the next rotation, so that a client that
        // still sends it receives the error "expired" instead of "not found".
        let dropped = record.secrets.drain(1.min(record.secrets.len())..).collect();
        for old in &mut record.secrets {
            old.ends_at = Some(now.after(overlap));
            old.former_owner |= record.rotation_advised;
        }
        record.secrets.insert(0, SecretRecord::of(&made, now));
        record.rotation_advised = false;
        (made.secret, dropped)
    }
}

/// Adds to a batch the records that mark these secrets as retired, so that no import accepts them
/// again.
pub(super) fn retire(
    batch: Batch,
    key: KeyId,
    secrets: &[SecretRecord],
) -> Result<Batch, ActionError> {
    secrets.iter().try_fold(batch, |batch, secret| {
        let knew_the_text = secret.other_digest.is_some();
        let record = if knew_the_text { TakenRecord::of(key) } else { TakenRecord::retired(key) };
        let batch = put(batch, &StoreKey::Taken(secret.digest), &record)?;
        let others = [secret.other_digest, secret.last_part_digest];
        others.into_iter().flatten().try_fold(batch, |batch, other| {
            put(batch, &StoreKey::Taken(other), &TakenRecord::other(key))
        })
    })
}

/// Requires that the actor may see the new secret of this key.
///
/// The secret of a personal key is shown only to its owner in a session: not to the owner's other
/// keys, key managers or the operator on the host, because they could act as the owner with it.
fn require_all_of(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    refuse_itself(actor, record)?;
    if record.is_service() {
        actor.require(KEYS_MANAGE)?;
        return require_all_granted(actor, record);
    }
    if record.owner == actor.user_id() && !actor.is_key() {
        Ok(())
    } else {
        Err(ActionError::PermissionRequired(KEY_OWNER.to_owned()))
    }
}

/// Requires that the actor holds all that a service key grants: its whole list, or one whole list
/// of its maximum.
fn require_all_granted(actor: &Actor, record: &KeyRecord) -> Result<(), ActionError> {
    if record.maxima.iter().any(|list| actor.lacks(list.as_set()).is_none()) {
        return Ok(());
    }
    actor.require_all(record.patterns().as_set())
}

fn refuse_ended(record: &KeyRecord, now: Moment) -> Result<(), ActionError> {
    refuse_revoked(record)?;
    if record.expires_at.is_some_and(|end| end <= now) {
        return Err(ActionError::Conflict {
            error: errors::KEY_EXPIRED,
            detail: "the key has expired, and a new secret would be expired too: set a later \
                expires_at first",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::keys::{HolderRevoked, KeyDraft, KeyKind, PresentedKey};
    use crate::actions::test_instance::TestInstance;
    use crate::index::CallOrigin;
    use crate::model::code::Code;
    use crate::model::plan::API_ACCESS;
    use crate::model::secret::Digest;
    use crate::records::Revised;
    use crate::records::access::{OrganizationRecord, PlanRecord};
    use crate::verify::{Request, decide};

    const HOUR: Duration = Duration::from_hours(1);
    const MOMENT: Duration = Duration::from_millis(1);

    fn target(id: KeyId) -> Target<KeyId> {
        Target { id, versions: None }
    }

    fn code(instance: &TestInstance, secret: &Secret) -> Code {
        let grant = instance.actions.index().grant(&secret.digest());
        let decided = |grant| decide(&grant, &Request::default(), instance.clock_now()).unwrap();
        grant.map_or(Code::NotFound, |grant| decided(grant).code)
    }

    fn use_it(instance: &TestInstance, secret: &Secret, agent: &str) {
        let grant = instance.actions.index().grant(&secret.digest()).unwrap();
        let origin = CallOrigin { ip: None, user_agent: Some(agent), ..CallOrigin::default() };
        instance.actions.index().note_call(&grant, Code::Valid, instance.clock_now().wall, origin);
    }

    fn agent(instance: &TestInstance, secret: &Secret) -> Option<String> {
        let last = instance.actions.index().grant(&secret.digest()).unwrap().last_use()?;
        last.agent_name().map(ToOwned::to_owned)
    }

    #[test]
    fn the_old_secret_ends_by_time_and_the_new_one_does_not() {
        let instance = TestInstance::new();
        let (key, old) =
            instance.actions.create_key(&instance.owner(), KeyDraft::default()).unwrap();
        let rotated = instance.actions.rotate_key(&instance.owner(), &target(key.id), 24 * HOUR);
        let (key, new) = rotated.unwrap();
        for (wait, expected) in [
            (Duration::ZERO, Code::Valid),
            ((24 * HOUR).saturating_sub(MOMENT), Code::Valid),
            (MOMENT, Code::Expired),
            (2_000 * HOUR, Code::Expired),
        ] {
            instance.clock.advance(wait);
            assert_eq!(code(&instance, &old), expected, "{wait:?}");
            assert_eq!(code(&instance, &new), Code::Valid, "{wait:?}");
        }
        // The key's own expiry ends both secrets.
        let soon = instance.clock_now().wall.after(HOUR);
        let change = crate::actions::keys::KeyChange {
            expires_at: crate::model::edit::Edit::Set(soon),
            ..Default::default()
        };
        instance.actions.change_key(&instance.owner(), &target(key.id), &change).unwrap();
        instance.actions.rotate_key(&instance.owner(), &target(key.id), 24 * HOUR).unwrap();
        assert_eq!(code(&instance, &new), Code::Valid);
        instance.clock.advance(HOUR);
        assert_eq!(code(&instance, &new), Code::Expired);
    }

    #[test]
    fn uses_of_each_secret_survive_a_restart_and_a_rotation() {
        let mut instance = TestInstance::new();
        let (key, old) =
            instance.actions.create_key(&instance.owner(), KeyDraft::default()).unwrap();
        use_it(&instance, &old, "early");
        instance.restart();
        assert!(instance.actions.index().grant(&old.digest()).unwrap().rules.is_none());
        instance.clock.advance(HOUR);
        let (_, new) =
            instance.actions.rotate_key(&instance.owner(), &target(key.id), 24 * HOUR).unwrap();
        assert_eq!((agent(&instance, &old), agent(&instance, &new)), (Some("early".into()), None));
        instance.restart();
        assert_eq!((agent(&instance, &old), agent(&instance, &new)), (Some("early".into()), None));
        // Uses of two secrets at the same moment from the same address are both written.
        use_it(&instance, &old, "same");
        instance.restart();
        use_it(&instance, &new, "same");
        assert_eq!(agent(&instance, &new), Some("same".into()));
        instance.restart();
        assert_eq!(agent(&instance, &old), Some("same".into()));
        assert_eq!(agent(&instance, &new), Some("same".into()));
    }

    #[test]
    fn without_api_access_there_is_no_new_secret_and_a_holder_may_still_end_the_key() {
        let instance = TestInstance::new();
        let (key, secret) =
            instance.actions.create_key(&instance.owner(), KeyDraft::default()).unwrap();
        let plan = PlanRecord::unlimited("pro", &[]);
        instance.put(&StoreKey::Plan("pro".into()), &plan);
        let error =
            instance.actions.rotate_key(&instance.owner(), &target(key.id), HOUR).unwrap_err();
        assert!(
            matches!(&error, ActionError::SubscriptionRequired { plan, feature }
                if plan == "pro" && *feature == API_ACCESS),
            "{error:?}"
        );
        assert_eq!(code(&instance, &secret), Code::SubscriptionRequired);
        let place = StoreKey::Organization(key.organization);
        let held: Revised<OrganizationRecord> = instance.actions.read(&place).unwrap().unwrap();
        instance.put(&place, &OrganizationRecord { suspended: true, ..held.record });
        let presented =
            PresentedKey { organization: key.organization, key: key.id, digest: secret.digest() };
        let done = instance.actions.revoke_by_holder(presented, None).unwrap();
        assert_eq!((done, code(&instance, &secret)), (HolderRevoked::Done, Code::Revoked));
        let [event] = &instance.events("key.revoke")[..] else { panic!("one event") };
        assert_eq!(event.actor, Some(crate::records::key::Author::Key(key.id)));
    }

    #[test]
    fn an_advised_rotation_is_done_by_rotating_and_its_event_shows_hints_alone() {
        let instance = TestInstance::new();
        let draft = KeyDraft { kind: Some(KeyKind::Service), ..KeyDraft::default() };
        let (mut key, old) = instance.actions.create_key(&instance.local(), draft).unwrap();
        key.rotation_advised = true;
        key.maxima = vec!["diagrams:read".parse().unwrap()];
        instance.put(&key.place(), &key);
        let (rotated, new) =
            instance.actions.rotate_key(&instance.local(), &target(key.id), HOUR).unwrap();
        assert!(!rotated.rotation_advised);
        assert_eq!(rotated.maxima, key.maxima, "what was frozen stays frozen");
        let [event] = &instance.events("key.rotate")[..] else { panic!("one event") };
        let text = format!("{:?} {:?}", event.before, event.after);
        for hint in rotated.secrets.iter().map(|secret| &secret.hint) {
            assert!(text.contains(hint), "{hint}: {text}");
        }
        for secret in [&old, &new] {
            assert!(!text.contains(secret.reveal()), "{text}");
            assert!(!text.contains(&secret.digest().to_string()), "{text}");
        }
    }

    /// Regression: the index never removed the digests of secrets that were rotated out, at 64
    /// bytes each.
    #[test]
    fn rotations_leave_nothing_in_the_index() {
        let mut instance = TestInstance::new();
        let (key, first) =
            instance.actions.create_key(&instance.owner(), KeyDraft::default()).unwrap();
        for _ in 0..2 {
            instance.actions.rotate_key(&instance.owner(), &target(key.id), HOUR).unwrap();
        }
        instance.restart();
        let index = instance.actions.index();
        assert!(!index.knows(&first.digest()));
        let unknown = Digest::of(b"unknown");
        // If no key has either digest, the first digest decides, unless the index holds one as
        // retired.
        assert_eq!(index.deciding(&[unknown, first.digest()]), Some(unknown));
    }
}
