//! Entries of the index that a new scan of the store has not found. Such entries are removed when
//! the scan ends.

use std::collections::HashSet;

use crate::index::DigestKey;
use crate::index::writer::Writer;
use crate::model::id::{KeyId, OrganizationId, RoleId, TeamId, UserId};
use crate::records::Stored;
use crate::records::place::StoreKey;

/// Entries of the index that a scan has not found yet.
pub(super) struct Stale {
    keys: HashSet<KeyId>,
    users: HashSet<UserId>,
    organizations: HashSet<OrganizationId>,
    roles: HashSet<RoleId>,
    teams: HashSet<TeamId>,
    plans: HashSet<Box<str>>,
    gates: HashSet<Box<str>>,
    sessions: HashSet<DigestKey>,
}

impl Stale {
    pub(super) fn all_of(writer: &Writer) -> Self {
        Self {
            keys: writer.lives.keys().copied().collect(),
            users: writer.index.users.pin().keys().copied().collect(),
            organizations: writer.index.organizations.pin().keys().copied().collect(),
            roles: writer.index.roles.pin().keys().copied().collect(),
            teams: writer.index.teams.pin().keys().copied().collect(),
            plans: writer.plans.keys().cloned().collect(),
            gates: writer.index.gates.pin().keys().cloned().collect(),
            sessions: writer.index.sessions.all(),
        }
    }

    pub(super) fn keep(&mut self, stored: &Stored) {
        match stored {
            Stored::Key(record) => drop(self.keys.remove(&record.id)),
            Stored::User(record) => drop(self.users.remove(&record.id)),
            Stored::Organization(record) => drop(self.organizations.remove(&record.id)),
            Stored::Plan(record) => drop(self.plans.remove(&record.name)),
            Stored::Gate(record) => drop(self.gates.remove(&record.name)),
            Stored::Role(record) => drop(self.roles.remove(&record.id)),
            Stored::Team(record) => drop(self.teams.remove(&record.id)),
            Stored::Session(digest, _) => drop(self.sessions.remove(&(*digest).into())),
            Stored::Founded(_)
            | Stored::Use(..)
            | Stored::Quota(..)
            | Stored::PlanQuota(..)
            | Stored::Taken(..)
            | Stored::NotIndexed => {},
        }
    }

    pub(super) fn remove_from(self, writer: &mut Writer) {
        for id in self.keys {
            writer.delete_key(id);
        }
        for id in self.users {
            writer.delete(&StoreKey::User(id));
        }
        for id in self.organizations {
            writer.delete(&StoreKey::Organization(id));
        }
        for id in self.roles {
            writer.delete(&StoreKey::Role(OrganizationId::default(), id));
        }
        for id in self.teams {
            writer.delete(&StoreKey::Team(OrganizationId::default(), id));
        }
        for name in self.plans {
            writer.delete(&StoreKey::Plan(name));
        }
        for name in self.gates {
            writer.delete(&StoreKey::Gate(name));
        }
        writer.index.sessions.forget(self.sessions);
    }
}
