//! The index: an in-memory map from the digest of a secret to its grant.
//!
//! Readers never wait: lookups run under papaya's guard, and each change replaces facts as a whole.
//! Except for live state, [`follow`] is the only writer. The index reads no store during a check, and
//! contains no rules: `verify` decides.

pub mod calls;
mod digest_key;
pub mod facts;
mod flush_queue;
pub mod follow;
pub mod gate_names;
pub mod grant;
mod grants;
pub mod key_lists;
mod known_keys;
pub mod list;
pub mod live;
mod name;
mod organization_status;
mod organizations;
pub mod pending_usage;
pub mod plan;
pub(crate) mod profile;
mod progress;
pub mod quota;
mod rebuild;
pub mod refused_calls;
pub mod report;
mod right_query;
mod scan;
mod sessions;
pub mod shared_organization;
pub mod standing;
mod step;
mod stopped;
pub mod uses;
mod watched;
mod writer;

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use keyhouse_storage::Revision;
use papaya::{HashMap, ResizeMode};

use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::model::foreign::Algorithm;
use crate::model::gate::{DEFAULT_GATE, Gate, GateNumber};
use crate::model::id::{OrganizationId, RoleId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::records::uses::{USER_AGENT_BYTES_MAX, cut};
use crate::telemetry::measure::Histogram;
use calls::StripedKeys;
use digest_key::{DigestHasher, DigestKey};
use facts::{RoleFacts, Shared, SharedUser, TeamFacts, UserFacts};
use flush_queue::FlushQueue;
use gate_names::GateNames;
use grant::Grant;
use key_lists::KeyLists;
use live::KeyCounters;
use pending_usage::PendingUsage;
use quota::Reservations;
use refused_calls::RefusedCalls;
use sessions::Sessions;
use shared_organization::SharedOrganization;
use uses::{Agent, Use};

pub use flush_queue::USES_WAITING_MAX;
pub use grants::Grants;
use progress::IndexProgress;
pub use progress::IndexState;

/// The most shared names of user agents. When there are more names, the shared names are cleared,
/// and each key keeps its own name.
pub(crate) const AGENTS_MAX: usize = 16_384;

#[derive(Debug)]
pub struct Index {
    grants: HashMap<DigestKey, Grant, BuildHasherDefault<DigestHasher>>,
    /// The number of grants whose digest comes from a SHA-256.
    by_sha256: AtomicUsize,
    /// The number of grants whose digest comes from the SHA-256 of the last part of the text.
    by_last_part: AtomicUsize,
    /// Retired digests that a check must look up, at 64 bytes each: digests whose text Keyhouse
    /// never had, and digests under which another key was imported.
    retired: HashMap<DigestKey, (), BuildHasherDefault<DigestHasher>>,
    users: HashMap<UserId, Arc<SharedUser>>,
    organizations: HashMap<OrganizationId, Arc<SharedOrganization>>,
    /// The first organization of the instance, once it is known.
    founded: OnceLock<OrganizationId>,
    roles: HashMap<RoleId, Shared<RoleFacts>>,
    teams: HashMap<TeamId, Arc<TeamFacts>>,
    gates: HashMap<Box<str>, Arc<Gate>>,
    gate_names: Arc<GateNames>,
    sessions: Sessions,
    default_gate: Arc<Gate>,
    /// The names of user agents. Keys with the same user agent share one text.
    agents: HashMap<Arc<str>, Arc<Agent>>,
    progress: IndexProgress,
    flush_queue: FlushQueue,
    pending_usage: Mutex<PendingUsage>,
    /// The last moment at which all waiting uses were in the store, in ticks.
    flushed_at: AtomicU64,
    reservations: Arc<Reservations>,
    /// The durations of the writer's steps.
    steps: Histogram,
    striped_keys: StripedKeys,
    refused_calls: RefusedCalls,
    /// The lists of keys that are open.
    pub key_lists: KeyLists,
}

/// The origin of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOrigin<'a> {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
    /// The gate that the call comes through.
    pub gate: GateNumber,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    pub fn new() -> Self {
        let gate_names: Arc<GateNames> = Arc::default();
        Self {
            // Blocking growth blocks only writers, and the map has a single writer. With
            // incremental growth, readers would have to search two tables.
            grants: HashMap::builder()
                .hasher(BuildHasherDefault::default())
                .resize_mode(ResizeMode::Blocking)
                .build(),
            by_sha256: AtomicUsize::new(0),
            by_last_part: AtomicUsize::new(0),
            retired: HashMap::builder().hasher(BuildHasherDefault::default()).build(),
            users: HashMap::new(),
            organizations: HashMap::new(),
            founded: OnceLock::new(),
            roles: HashMap::new(),
            teams: HashMap::new(),
            gates: HashMap::new(),
            sessions: Sessions::default(),
            default_gate: Arc::new(Gate { number: GateNames::default_gate(), ..Gate::any_key() }),
            agents: HashMap::new(),
            progress: IndexProgress::new(),
            flush_queue: FlushQueue::new(),
            pending_usage: Mutex::new(PendingUsage::new(Arc::clone(&gate_names))),
            gate_names,
            flushed_at: AtomicU64::new(0),
            reservations: Arc::default(),
            steps: Histogram::default(),
            striped_keys: StripedKeys::default(),
            refused_calls: RefusedCalls::default(),
            key_lists: KeyLists::default(),
        }
    }

    /// Holds the grants in memory, so that a reader can use one in place. A reader must not block
    /// while it has this.
    pub fn grants(&self) -> Grants<'_> {
        Grants::of(self.grants.pin())
    }

    /// Looks up a digest and calls `read` with its grant while the entry is held in memory.
    pub fn with_grant<T>(&self, digest: &Digest, read: impl FnOnce(Option<&Grant>) -> T) -> T {
        let guard = self.grants.guard();
        read(self.grants.get(&DigestKey::from(*digest), &guard))
    }

    /// A copy of a digest's grant. A copy is cheap, since it shares all large parts.
    pub fn grant(&self, digest: &Digest) -> Option<Grant> {
        let guard = self.grants.guard();
        self.grants.get(&DigestKey::from(*digest), &guard).cloned()
    }

    pub fn knows(&self, digest: &Digest) -> bool {
        self.grants.pin().contains_key(&DigestKey::from(*digest))
    }

    /// Whether any secret is stored as a digest of a SHA-256. If no secret is stored this way, checks
    /// compute no SHA-256.
    pub fn knows_sha256(&self) -> bool {
        self.by_sha256.load(Ordering::Relaxed) > 0
    }

    /// Whether any secret is stored as a digest of its last part. If no secret is stored this way,
    /// checks do not hash parts of texts.
    pub fn knows_last_parts(&self) -> bool {
        self.by_last_part.load(Ordering::Relaxed) > 0
    }

    /// The counts of grants to which a grant with a digest of this algorithm belongs.
    fn counts_of(&self, algorithm: Algorithm) -> impl Iterator<Item = &AtomicUsize> {
        let counts = match algorithm {
            Algorithm::Blake3 => [None, None],
            Algorithm::Sha256 => [Some(&self.by_sha256), None],
            Algorithm::Sha256OfLastPart => [Some(&self.by_sha256), Some(&self.by_last_part)],
        };
        counts.into_iter().flatten()
    }

    /// Of the digests of one text, the digest that decides: the digest of a revoked key; otherwise,
    /// if any is retired, a digest without a key, so that the text is not found; otherwise the first
    /// digest of a key; otherwise the first digest. `None` if all digests have keys and one is
    /// retired, which no order of changes causes.
    pub fn deciding(&self, digests: &[Digest]) -> Option<Digest> {
        let (mut known, mut unknown, mut is_ended) = (None, None, false);
        for digest in digests {
            match self.with_grant(digest, |grant| grant.map(|grant| grant.revoked)) {
                Some(true) => return Some(*digest),
                Some(false) => known = known.or(Some(*digest)),
                None => unknown = unknown.or(Some(*digest)),
            }
            is_ended |= self.retired.pin().contains_key(&DigestKey::from(*digest));
        }
        // A retired digest has no key, or the digest because of which it was retired has none.
        if is_ended { unknown } else { known.or(unknown) }
    }

    /// The number of known secrets.
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// The user of a session cookie, if the store has the session; the session may have expired.
    pub fn session_user(&self, cookie: &Digest) -> Option<UserId> {
        self.sessions.user(cookie)
    }

    /// The facts of a user.
    pub fn user(&self, id: UserId) -> Option<Arc<UserFacts>> {
        self.users.pin().get(&id).map(|shared| shared.facts())
    }

    /// The handle to a user's facts, which all of the user's keys share.
    pub fn shared_user(&self, id: UserId) -> Option<Arc<SharedUser>> {
        self.users.pin().get(&id).map(Arc::clone)
    }

    /// The operators of the instance, oldest first.
    pub fn operators(&self) -> Vec<Arc<UserFacts>> {
        let users = self.users.pin();
        let facts = users.values().map(|shared| shared.facts());
        let mut operators: Vec<_> = facts.filter(|facts| facts.standing.operator).collect();
        operators.sort_unstable_by_key(|facts| facts.id);
        operators
    }

    pub fn role(&self, id: RoleId) -> Option<Arc<RoleFacts>> {
        self.roles.pin().get(&id).map(|shared| shared.load_full())
    }

    /// The handle to a role's facts, if the organization has the role.
    pub fn shared_role(
        &self,
        id: RoleId,
        organization: OrganizationId,
    ) -> Option<Shared<RoleFacts>> {
        let roles = self.roles.pin();
        let shared = roles.get(&id).filter(|shared| shared.load().organization == organization);
        shared.map(Arc::clone)
    }

    /// The facts of a team; `None` after it was removed.
    pub fn team(&self, id: TeamId) -> Option<Arc<TeamFacts>> {
        self.teams.pin().get(&id).map(Arc::clone)
    }

    /// A gate by its name.
    pub fn gate(&self, name: &str) -> Option<Arc<Gate>> {
        if name == DEFAULT_GATE {
            return Some(Arc::clone(&self.default_gate));
        }
        self.gates.pin().get(name).map(Arc::clone)
    }

    /// The teams with which a key is shared, each with whether the key represents the team. A key
    /// represents a team if its owner is a member and may be named. A service key represents all of
    /// its teams.
    pub fn teams_of(&self, grant: &Grant) -> Vec<(Arc<TeamFacts>, bool)> {
        let Some(rules) = grant.rules.as_deref().filter(|rules| !rules.teams.is_empty()) else {
            return Vec::new();
        };
        let owner = grant.named_owner();
        let organization = grant.organization.id();
        let live = rules.teams.iter().filter_map(|id| self.team(*id));
        live.filter(|team| team.organization == organization)
            .map(|team| {
                let is_member = owner.as_ref().map(|owner| owner.teams.contains(&team.id));
                let is_represented = is_member.unwrap_or(grant.represents_its_teams());
                (team, is_represented)
            })
            .collect()
    }

    /// Counts a call of a key by its code, and notes the origin of a valid call. Readers of the
    /// index see the call and its origin at once; the store receives them later.
    pub fn note_call(&self, grant: &Grant, code: Code, at: Moment, origin: CallOrigin<'_>) {
        // The use is noted before the count, so that a thread that takes the count sees the use.
        let is_new = code == Code::Valid && {
            let agent = origin.user_agent.map(|name| cut(name, USER_AGENT_BYTES_MAX));
            grant.note(Use { at, ip: origin.ip, agent }, |name| self.agent(name))
        };
        let counted_for = (grant.organization.id(), origin.gate);
        grant.live.count(Hour::of(at), code, counted_for, &self.striped_keys);
        if let (true, Some(ip)) = (is_new, origin.ip) {
            grant.live.note_address(ip, at);
        }
        self.flush_queue.push(&grant.live);
    }

    pub fn refused_calls(&self) -> &RefusedCalls {
        &self.refused_calls
    }

    /// The usage that is not in the store yet, locked.
    pub fn pending_usage(&self) -> MutexGuard<'_, PendingUsage> {
        self.pending_usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up to `limit` keys whose use waits to be written, longest waiting first. The caller
    /// then calls [`PendingUsage::take_use`] for each key. Until then, a key's uses do not enter the queue
    /// again.
    pub fn take_used(&self, pending: &mut PendingUsage, limit: usize) -> Vec<Arc<KeyCounters>> {
        let missing = limit.saturating_sub(pending.fresh.len());
        self.gather(pending, missing);
        let count = limit.min(pending.fresh.len());
        pending.fresh.drain(..count).collect()
    }

    /// Adds all keys whose use waits to be written to [`PendingUsage::waiting`].
    pub fn gather_used(&self, pending: &mut PendingUsage) {
        self.gather(pending, usize::MAX);
    }

    fn gather(&self, pending: &mut PendingUsage, limit: usize) {
        // After an overflow the queue is incomplete, so all keys are examined, except those that
        // already wait.
        let left_out = || {
            let mut known: HashSet<_> = pending.waiting().map(Arc::as_ptr).collect();
            let grants = self.grants.pin();
            let lives = grants.values().map(|grant| &grant.live);
            lives.filter(|live| known.insert(Arc::as_ptr(live))).map(Arc::clone).collect()
        };
        let taken = self.flush_queue.take(limit, left_out);
        pending.fresh.extend(taken);
    }

    /// The quotas whose reservation must be renewed.
    pub fn reservations(&self) -> &Arc<Reservations> {
        &self.reservations
    }

    /// Waits until the index has reached a revision. If the wait takes longer than `timeout`, the
    /// index counts as behind, and checks are not answered until it has reached the revision.
    pub fn wait_for(&self, revision: Revision, timeout: Duration) -> bool {
        self.progress.wait_for(revision, timeout)
    }

    /// Whether the index lacks a change that was acknowledged.
    pub fn is_behind(&self) -> bool {
        self.progress.is_behind()
    }

    /// The shared name of a user agent.
    fn agent(&self, name: &str) -> Arc<Agent> {
        let agents = self.agents.pin();
        if let Some(agent) = agents.get(name) {
            return Arc::clone(agent);
        }
        if self.agents.len() >= AGENTS_MAX {
            agents.clear();
        }
        let name: Arc<str> = name.into();
        let agent = Arc::new(Agent(Arc::clone(&name)));
        agents.insert(name, Arc::clone(&agent));
        agent
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::index::uses::LastUse;
    use crate::model::id::KeyId;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    /// An index with one grant.
    pub(crate) fn index_of(digest: Digest, grant: Grant) -> Index {
        let index = Index::new();
        index.grants.pin().insert(digest.into(), grant);
        index
    }

    fn call(index: &Index, live: &Arc<KeyCounters>, agent: Option<&str>) -> LastUse {
        let origin = CallOrigin { ip: None, user_agent: agent, ..CallOrigin::default() };
        let grant = grant::tests::grant_of(Arc::clone(live));
        index.note_call(&grant, Code::Valid, Moment::from_milliseconds(5_000), origin);
        live.last_use().unwrap()
    }

    #[test]
    fn user_agents_are_cut_between_characters_and_kept_once() {
        let index = Index::new();
        let [one, other] =
            [1, 2].map(|byte| Arc::new(KeyCounters::new(KeyId::from_bytes([byte; 16]))));
        let long = "é".repeat(200);
        let used = call(&index, &one, Some(&long));
        assert_eq!(used.agent_name().unwrap().len(), USER_AGENT_BYTES_MAX);
        let same = call(&index, &other, Some(&long));
        assert!(Arc::ptr_eq(&used.agent.unwrap(), &same.agent.unwrap()));
        assert_eq!(call(&index, &other, Some("curl/8")).agent_name(), Some("curl/8"));
        assert_eq!(call(&index, &other, None).agent, None);
    }

    #[test]
    fn a_revoked_or_retired_digest_decides_about_a_text() {
        let index = Index::new();
        let [revoked, known, retired, known_and_retired, unknown, other] =
            [1, 2, 3, 4, 5, 6].map(|byte| Digest::of(&[byte]));
        for digest in [revoked, known, known_and_retired] {
            let mut grant = grant::tests::grant_of(Arc::new(KeyCounters::new(KeyId::default())));
            grant.revoked = digest == revoked;
            index.grants.pin().insert(digest.into(), grant);
        }
        for digest in [retired, known_and_retired] {
            index.retired.pin().insert(digest.into(), ());
        }
        let deciding = |one, other| {
            let digest = index.deciding(&[one, other]);
            assert_eq!(digest, index.deciding(&[other, one]), "the order has no effect");
            digest.unwrap()
        };
        for second in [known, retired, known_and_retired, unknown] {
            assert_eq!(deciding(revoked, second), revoked);
        }
        assert_eq!(deciding(known, unknown), known);
        assert_eq!(deciding(known, retired), retired);
        assert_eq!(deciding(known_and_retired, unknown), unknown, "the text is not found");
        assert_eq!(index.deciding(&[unknown, other]), Some(unknown));
        for (digests, expected) in [
            ([known, unknown, revoked], Some(revoked)),
            ([known, unknown, retired], Some(unknown)),
            ([unknown, other, known], Some(known)),
            ([known, known_and_retired, unknown], Some(unknown)),
        ] {
            assert_eq!(index.deciding(&digests), expected);
        }
        assert_eq!(index.deciding(&[known_and_retired]), None);
    }

    /// Regression: one key with 16,384 invented user agents removed the last user agent of every
    /// key.
    #[test]
    fn the_user_agents_of_one_key_take_no_other_keys_away() {
        let index = Index::new();
        let [quiet, loud] =
            [1, 2].map(|byte| Arc::new(KeyCounters::new(KeyId::from_bytes([byte; 16]))));
        call(&index, &quiet, Some("quiet/1"));
        for number in 0..=AGENTS_MAX {
            let name = format!("loud/{number}");
            assert_eq!(call(&index, &loud, Some(&name)).agent_name(), Some(&*name));
            assert!(index.agents.len() <= AGENTS_MAX);
        }
        assert_eq!(quiet.last_use().unwrap().agent_name(), Some("quiet/1"));
    }

    #[test]
    fn a_used_key_waits_once_until_it_is_taken() {
        let index = Index::new();
        let live = Arc::new(KeyCounters::new(KeyId::default()));
        let grant = grant::tests::grant_of(Arc::clone(&live));
        for second in 1..4 {
            let at = Moment::from_milliseconds(second * 1_000);
            index.note_call(&grant, Code::Valid, at, CallOrigin::default());
        }
        let mut pending = index.pending_usage();
        assert_eq!(index.take_used(&mut pending, 10).len(), 1);
        let (seven, nine) = (Moment::from_milliseconds(7_000), Moment::from_milliseconds(9_000));
        index.note_call(&grant, Code::Expired, seven, CallOrigin::default());
        index.note_call(&grant, Code::Valid, seven, CallOrigin::default());
        assert!(index.take_used(&mut pending, 10).is_empty(), "it is in the caller's hands");
        assert_eq!(pending.take_use(&live).unwrap().at, seven);
        index.note_call(&grant, Code::Expired, nine, CallOrigin::default());
        index.gather_used(&mut pending);
        assert_eq!(pending.waiting().count(), 1, "a refused call is something to be written too");
        assert_eq!(index.take_used(&mut pending, 10).len(), 1);
    }

    #[test]
    fn a_thread_that_takes_a_call_sees_its_use() {
        const CALLS: u32 = 20_000;
        let index = Index::new();
        let live = Arc::new(KeyCounters::new(KeyId::default()));
        let grant = grant::tests::grant_of(Arc::clone(&live));
        let at = |call: u64| Moment::from_milliseconds(i64::try_from(call).unwrap() * 1_000);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for call in 1..=u64::from(CALLS) {
                    let ip = Some(u32::try_from(call).unwrap().to_be_bytes().into());
                    let origin = CallOrigin { ip, user_agent: None, ..CallOrigin::default() };
                    index.note_call(&grant, Code::Valid, at(call), origin);
                }
            });
            let mut taken = 0;
            while taken < u64::from(CALLS) {
                let before = taken;
                if let Some(calls) = live.calls() {
                    calls.take(|_, _, counts| taken += counts.calls());
                }
                if taken > before {
                    assert!(live.last_use().unwrap().at >= at(taken));
                }
            }
        });
    }

    #[test]
    fn keys_that_wait_are_gathered_once_however_often_the_queue_overflows() {
        let index = Index::new();
        let at = Moment::from_milliseconds(1_000);
        let any = grant::tests::grant_of(Arc::new(KeyCounters::new(KeyId::default())));
        let mut random = StdRng::seed_from_u64(7);
        let mut pending = index.pending_usage();
        for round in 1..=2_usize {
            for _ in 0..=USES_WAITING_MAX {
                let mut grant = any.clone();
                grant.live = Arc::new(KeyCounters::new(KeyId::default()));
                index.grants.pin().insert(DigestKey([random.next_u64(); 4]), grant.clone());
                index.note_call(&grant, Code::Valid, at, CallOrigin::default());
            }
            index.gather_used(&mut pending);
            assert_eq!(pending.waiting().count(), round * (USES_WAITING_MAX + 1));
        }
    }
}
