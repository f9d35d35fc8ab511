//! The order of changes, and the objects that a prune deletes.

use std::collections::{BTreeSet, HashSet};

use crate::manifest::current::Current;
use crate::manifest::declared::Declared;
use crate::manifest::names::{ObjectKind, ObjectName};
use crate::manifest::requests::ChangeKind;

/// The place of a change in the order: what others depend on is created first and deleted last. What
/// limits keys comes before the keys.
pub(super) const fn place_of(kind: ChangeKind, object: ObjectKind) -> u8 {
    match (kind, object) {
        (ChangeKind::Create | ChangeKind::Change, ObjectKind::Permission) => 0,
        (_, ObjectKind::Plan) => 1,
        (ChangeKind::Create | ChangeKind::Delete, ObjectKind::Organization) => 2,
        (ChangeKind::Create | ChangeKind::Change, ObjectKind::Role) => 3,
        (ChangeKind::Change, ObjectKind::Organization) => 4,
        (_, ObjectKind::Subscription) => 5,
        (_, ObjectKind::User) => 6,
        (ChangeKind::Create | ChangeKind::Change, ObjectKind::Team) => 7,
        (ChangeKind::Create | ChangeKind::Change, ObjectKind::Key) => 8,
        (ChangeKind::Create | ChangeKind::Change, ObjectKind::Gate) => 9,
        (ChangeKind::Delete, ObjectKind::Gate) => 10,
        (ChangeKind::Delete, ObjectKind::Key) => 11,
        (ChangeKind::Delete, ObjectKind::Team) => 12,
        (ChangeKind::Delete, ObjectKind::Role) => 13,
        (ChangeKind::Delete, ObjectKind::Permission) => 14,
    }
}

/// The objects of the files' lists that the files do not name, and that an apply may delete.
pub(super) fn unnamed(declared: &Declared, current: &Current) -> BTreeSet<ObjectName> {
    let keys = declared.objects.keys().filter(|name| name.kind == ObjectKind::Key);
    let named: HashSet<ObjectName> = keys.map(|name| current.name_of_key(name)).collect();
    let is_named = |name: &ObjectName| declared.objects.contains_key(name) || named.contains(name);
    let of_list =
        |name: &ObjectName| declared.lists.contains(&(name.kind, name.organization.clone()));
    let objects = current.objects.iter();
    let unnamed =
        objects.filter(|(name, object)| object.deletable && of_list(name) && !is_named(name));
    unnamed.map(|(name, _)| name.clone()).collect()
}
