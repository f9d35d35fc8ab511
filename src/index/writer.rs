//! The index's writer: adds records, removes them, and rebuilds the index.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use keyhouse_storage::Revision;

use crate::index::digest_key::DigestKey;
use crate::index::facts::{HeldRole, OrganizationFacts, RoleFacts, Shared, SharedUser, UserFacts};
use crate::index::grant::{Grant, GrantHandles};
use crate::index::known_keys::KnownKeys;
use crate::index::live::OrganizationLive;
use crate::index::plan::SharedPlan;
use crate::index::profile::Profiles;
use crate::index::shared_organization::SharedOrganization;
use crate::index::standing::UserStatuses;
use crate::index::uses::LastUse;
use crate::index::{Index, IndexState};
use crate::model::gate::Gate;
use crate::model::id::{KeyId, OrganizationId, RoleId, UserId};
use crate::model::moment::Moment;
use crate::model::plan::Plan;
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::records::Stored;
use crate::records::access::{OrganizationRecord, UserRecord};
use crate::records::gate::GateRecord;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::uses::{USER_AGENT_BYTES_MAX, UseRecord, cut};

/// State of the writer, besides the index itself.
pub(super) struct Writer {
    pub(super) index: Arc<Index>,
    pub(super) lives: KnownKeys,
    pub(super) plans: HashMap<Box<str>, Arc<SharedPlan>>,
    standings: UserStatuses,
    profiles: Profiles,
}

impl Writer {
    pub(super) fn new(index: Arc<Index>) -> Self {
        let (lives, plans) = Default::default();
        let (standings, profiles) = Default::default();
        Self { index, lives, plans, standings, profiles }
    }

    pub(super) fn reach(&self, revision: Revision) {
        self.set_state(IndexState::Following);
        self.index.progress.reach(revision);
    }

    pub(super) fn set_state(&self, state: IndexState) {
        self.index.progress.set_state(state);
    }

    pub(super) fn put(&mut self, stored: Stored) {
        match stored {
            Stored::Gate(record) => self.put_gate(&record),
            Stored::Plan(record) => {
                self.plan(&record.name).store((&record).into());
            },
            Stored::Founded(record) => self.put_founded(record.organization),
            Stored::Organization(record) => self.put_organization(&record),
            Stored::User(record) => self.put_user(&record),
            Stored::Role(record) => self.role(record.id).store(Arc::new((&record).into())),
            Stored::Team(record) => {
                self.index.teams.pin().insert(record.id, Arc::new((&record).into()));
            },
            Stored::Key(record) => self.put_key(&record),
            Stored::Use(key, record) => self.put_use(key, &record),
            Stored::Quota(key, record) => {
                if let Some(live) = self.lives.get(key) {
                    live.quota_counter(&self.index.reservations).restore(&record);
                }
            },
            Stored::PlanQuota(organization, record) => {
                self.organization(organization).load().live.quota.restore(&record);
            },
            Stored::Session(digest, user) => self.index.sessions.put(digest, user),
            Stored::Taken(digest, record) => {
                if record.retired || (record.other && self.index.knows(&digest)) {
                    self.index.retired.pin().insert(digest.into(), ());
                }
            },
            Stored::NotIndexed => {},
        }
    }

    pub(super) fn delete(&mut self, place: &StoreKey) {
        match place {
            StoreKey::Gate(name) => {
                self.index.gates.pin().remove(name);
            },
            StoreKey::Plan(name) => {
                self.plan(name).store(Plan::unknown(name));
            },
            StoreKey::Organization(id) => {
                self.organization(*id).store(Arc::new(OrganizationFacts::unknown(*id)));
                self.index.organizations.pin().remove(id);
            },
            StoreKey::User(id) => {
                self.user(*id).store(UserFacts::unknown(*id));
                self.index.users.pin().remove(id);
            },
            StoreKey::Role(_, id) => {
                self.role(*id).store(Arc::new(RoleFacts::unknown(*id)));
                self.index.roles.pin().remove(id);
            },
            StoreKey::Team(_, id) => drop(self.index.teams.pin().remove(id)),
            StoreKey::Key(organization, id) => {
                self.delete_key(*id);
                self.index.key_lists.remove(*organization, *id);
            },
            StoreKey::Session(digest) => self.index.sessions.remove(*digest),
            StoreKey::Use(_)
            | StoreKey::Quota(_)
            | StoreKey::PlanQuota(_)
            | StoreKey::Format
            | StoreKey::Instance
            | StoreKey::UsageHours(..)
            | StoreKey::UsageDay(..)
            | StoreKey::Email(..)
            | StoreKey::Domain(_)
            | StoreKey::Sessions(_)
            | StoreKey::Founded
            | StoreKey::Setup
            | StoreKey::DeviceKey
            | StoreKey::Permission(_)
            | StoreKey::Invitation(_)
            | StoreKey::Reset(_)
            | StoreKey::Totp(_)
            | StoreKey::KeysMade(_)
            | StoreKey::GateCall(_)
            | StoreKey::People
            | StoreKey::Removal(_)
            | StoreKey::Taken(_)
            | StoreKey::Event(_)
            | StoreKey::Seal(_)
            | StoreKey::Cut
            | StoreKey::Retention
            | StoreKey::Exported
            | StoreKey::LastBackup => {},
        }
    }

    fn put_gate(&self, record: &GateRecord) {
        let mut gate = record.gate().unwrap_or_else(|fault| {
            // A gate with invalid routes denies every request. This program stores no such gate.
            tracing::error!(gate = %record.name, ?fault, "index: a gate has invalid routes and \
                rejects every request");
            Gate::closed()
        });
        gate.number = self.index.gate_names.number(&record.name);
        self.index.gates.pin().insert(record.name.clone(), Arc::new(gate));
    }

    /// Written once and never changed.
    fn put_founded(&self, id: OrganizationId) {
        self.index.founded.get_or_init(|| id);
        if let Some(shared) = self.index.organizations.pin().get(&id) {
            let known = shared.load_full();
            shared.store(Arc::new(OrganizationFacts { founding: true, ..(*known).clone() }));
        }
    }

    fn put_organization(&mut self, record: &OrganizationRecord) {
        let shared = self.organization(record.id);
        let live: Arc<OrganizationLive> = Arc::clone(&shared.load().live);
        let mut facts = OrganizationFacts::new(record, self.plan(&record.plan), live);
        facts.founding = self.index.founding_organization() == Some(record.id);
        shared.store(Arc::new(facts));
    }

    fn put_user(&mut self, record: &UserRecord) {
        let role = match record.role {
            Role::Builtin(role) => HeldRole::Builtin(role),
            Role::Custom(id) => HeldRole::Custom(self.role(id)),
        };
        self.user(record.id).store(UserFacts::new(record, role));
    }

    fn put_key(&mut self, record: &KeyRecord) {
        let live = self.lives.of(record.id);
        let owner = record.owner.map(|id| self.user(id));
        let organization = self.organization(record.organization);
        let profile = self.profiles.of(record);
        live.distinguish(&record.secrets);
        for secret in &record.secrets {
            let handles = GrantHandles {
                owner: owner.clone(),
                organization: Arc::clone(&organization),
                live: Arc::clone(&live),
                profile: Arc::clone(&profile),
            };
            self.insert_grant(secret.digest, Grant::new(record, secret, handles));
        }
        let digests: Vec<_> = record.secrets.iter().map(|secret| secret.digest).collect();
        live.replace_digests(&digests, |digest| self.remove_grant(digest));
        self.index.key_lists.put(record, &live);
    }

    pub(super) fn delete_key(&mut self, id: KeyId) {
        if let Some(live) = self.lives.remove(id) {
            live.replace_digests(&[], |digest| self.remove_grant(digest));
        }
        self.index.refused_calls.forget(id);
    }

    fn insert_grant(&self, digest: Digest, grant: Grant) {
        // The counts rise before the insertion, so that every check that could find the grant
        // computes its digest.
        for count in self.index.counts_of(grant.algorithm) {
            count.fetch_add(1, Ordering::Release);
        }
        let grants = self.index.grants.pin();
        if let Some(before) = grants.insert(digest.into(), grant) {
            self.uncount(before);
        }
    }

    fn remove_grant(&self, digest: Digest) {
        let grants = self.index.grants.pin();
        if let Some(stale) = grants.remove(&DigestKey::from(digest)) {
            self.uncount(stale);
        }
    }

    fn uncount(&self, stale: &Grant) {
        for count in self.index.counts_of(stale.algorithm) {
            count.fetch_sub(1, Ordering::Release);
        }
    }

    /// Loads a stored use, unless this process noted a newer use.
    fn put_use(&self, key: KeyId, record: &UseRecord) {
        let Some(live) = self.lives.get(key) else { return };
        if live.last_use().is_some_and(|known| known.at >= record.at) {
            return;
        }
        let last = |at: Moment, ip: Option<IpAddr>, agent: Option<&str>| {
            let agent = agent.map(|name| self.index.agent(cut(name, USER_AGENT_BYTES_MAX)));
            LastUse { at, ip, agent }
        };
        let of_secrets: Vec<_> = record
            .secrets
            .iter()
            .map(|used| (used.digest, last(used.at, used.ip, used.user_agent.as_deref())))
            .collect();
        live.restore(&last(record.at, record.ip, record.user_agent.as_deref()), &of_secrets);
    }

    /// The handle to a user's facts. If a key is read before its owner, the handle is created
    /// first.
    fn user(&mut self, id: UserId) -> Arc<SharedUser> {
        let users = self.index.users.pin();
        if let Some(user) = users.get(&id) {
            return Arc::clone(user);
        }
        let user = Arc::new(SharedUser::new(UserFacts::unknown(id), self.standings.take()));
        users.insert(id, Arc::clone(&user));
        user
    }

    /// The handle to a role's facts. If a user is read before the role, the handle is created
    /// first.
    fn role(&self, id: RoleId) -> Shared<RoleFacts> {
        let unknown = || Arc::new(ArcSwap::from_pointee(RoleFacts::unknown(id)));
        Arc::clone(self.index.roles.pin().get_or_insert_with(id, unknown))
    }

    /// The handle to a plan's facts. If an organization is read before its plan, the handle is
    /// created first. The handle stays when the record is deleted, since a later plan may have the
    /// same name.
    fn plan(&mut self, name: &str) -> Arc<SharedPlan> {
        if let Some(plan) = self.plans.get(name) {
            return Arc::clone(plan);
        }
        let plan = SharedPlan::new(Plan::unknown(name));
        self.plans.insert(name.into(), Arc::clone(&plan));
        plan
    }

    fn organization(&self, id: OrganizationId) -> Arc<SharedOrganization> {
        let unknown = || {
            let live = OrganizationLive::new(id, Arc::clone(&self.index.reservations));
            let facts =
                OrganizationFacts { live: Arc::new(live), ..OrganizationFacts::unknown(id) };
            Arc::new(SharedOrganization::new(facts))
        };
        Arc::clone(self.index.organizations.pin().get_or_insert_with(id, unknown))
    }
}
