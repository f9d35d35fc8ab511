//! Tests that a user who is removed while their request waits creates no key.

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::actions::keys::{
    ForeignKey, ForeignPast, ForeignSecret, Import, KeyDraft, KeyKind, OwnerName,
};
use crate::actions::test_instance::TestInstance;
use crate::model::code::Code;
use crate::model::foreign::Algorithm;
use crate::model::role::BuiltinRole;
use crate::model::secret::{Digest, Secret};
use crate::records::access::UserRecord;
use crate::records::place::StoreKey;

/// A request to create a key waits for its turn. If its user is removed during the wait, the
/// request creates no key.
#[test]
fn a_user_who_loses_rights_while_waiting_creates_no_key() {
    let demote: fn(&mut UserRecord) = |user| user.role = BuiltinRole::Guest.into();
    let stop: fn(&mut UserRecord) = |user| user.disabled = true;
    for (claim, change) in [("demoted", demote), ("stopped", stop)] {
        let instance = TestInstance::new();
        let kinds = [KeyKind::Service, KeyKind::Personal];
        let draft = |kind| KeyDraft { kind: Some(kind), ..KeyDraft::default() };
        let service = KeyDraft {
            permissions: Some("keyhouse:keys:manage keyhouse:keys:create".parse().unwrap()),
            ..draft(KeyKind::Service)
        };
        let (_, secret) = instance.actions.create_key(&instance.owner(), service).unwrap();
        let personal = KeyDraft {
            permissions: Some("keyhouse:keys:manage keyhouse:keys:create".parse().unwrap()),
            ..draft(KeyKind::Personal)
        };
        let (_, own) = instance.actions.create_key(&instance.owner(), personal).unwrap();
        let by = |secret: &Secret| {
            let grant = instance.actions.index().grant(&secret.digest()).unwrap();
            Actor::key(secret.digest(), &grant, None)
        };
        let (person, key, other) = (instance.owner(), by(&own), by(&secret));
        let place = StoreKey::User(instance.owner);
        let mut user = instance.actions.read::<UserRecord>(&place).unwrap().unwrap().record;
        change(&mut user);
        instance.put(&place, &user);
        for kind in kinds {
            for actor in [&person, &key] {
                let made = instance.actions.create_key(actor, draft(kind));
                assert!(made.is_err(), "{claim}: {kind:?} by {:?}", actor.author());
            }
        }
        instance.actions.create_key(&other, draft(KeyKind::Service)).unwrap();
        assert_eq!(instance.events("key.create").len(), 3, "{claim}");
    }
}

#[test]
fn a_key_that_was_revoked_while_it_waited_makes_none() {
    let instance = TestInstance::new();
    let service = KeyDraft {
        kind: Some(KeyKind::Service),
        permissions: Some("keyhouse:keys:manage".parse().unwrap()),
        ..KeyDraft::default()
    };
    let (record, secret) = instance.actions.create_key(&instance.owner(), service).unwrap();
    let grant = instance.actions.index().grant(&secret.digest()).unwrap();
    let key = Actor::key(secret.digest(), &grant, None);
    let target = Target { id: record.id, versions: None };
    instance.actions.revoke_key(&instance.owner(), &target, None).unwrap();
    let error = instance.actions.create_key(&key, KeyDraft::default()).unwrap_err();
    assert!(matches!(error, ActionError::KeyRefused(Code::Revoked)), "{error:?}");
}

#[test]
fn an_operator_who_is_disabled_while_waiting_imports_nothing() {
    let instance = TestInstance::new();
    let import = |digit| Import {
        keys: vec![ForeignKey {
            pointer: "/keys/0".to_owned(),
            secret: ForeignSecret {
                field: "digest",
                digest: Digest::from_bytes([digit; 32]),
                algorithm: Algorithm::Blake3,
                other_digest: None,
                last_part_digest: None,
                hint: "old".to_owned(),
            },
            owner: Some(OwnerName::Id(instance.owner)),
            organization: None,
            past: ForeignPast::default(),
            draft: KeyDraft::default(),
        }],
        faults: Vec::new(),
        applied: false,
        dry_run: false,
    };
    let person = instance.owner();
    instance.actions.import_keys(&person, &import(1)).unwrap();
    let place = StoreKey::User(instance.owner);
    let user = instance.actions.read::<UserRecord>(&place).unwrap().unwrap().record;
    instance.put(&place, &UserRecord { operator: false, ..user });
    let error = instance.actions.import_keys(&person, &import(2)).unwrap_err();
    assert!(matches!(error, ActionError::PermissionRequired(_)), "{error:?}");
}
