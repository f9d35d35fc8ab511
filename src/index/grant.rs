//! A grant: the facts about one key that a check reads. Grants are small, since an instance may
//! have a million.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::index::facts::{OrganizationBounds, RightQuery, SharedUser, UserFacts};
use crate::index::list::IndexedList;
use crate::index::live::{KeyCounters, OrganizationLive, RateCounter};
use crate::index::name::KeyName;
use crate::index::profile::Profile;
use crate::index::quota::{QuotaCounter, QuotaRule, QuotaTerms};
use crate::index::report::ReportCell;
use crate::index::shared_organization::SharedOrganization;
use crate::index::standing::{StatusChunk, UserStatus};
use crate::index::uses::{Agent, LastUse, Use, UseCell};
use crate::model::foreign::Algorithm;
use crate::model::id::{TeamId, UserId};
use crate::model::limit::{Quota, RateLimit};
use crate::model::moment::Moment;
use crate::model::network::IpRules;
use crate::model::permission::PatternSet;
use crate::records::key::{KeyRecord, SecretRecord};

/// The facts about one secret of a key that a check reads.
///
/// The fields are in memory order. The fields that every check reads come first, in the same cache
/// line as the map's key. Key and grant take 128 bytes together, which is a size of allocations.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Grant {
    pub organization: Arc<SharedOrganization>,
    /// The key is not valid from this moment on: the end of the key or of this secret, whichever is
    /// earlier.
    pub expires_at: Moment,
    profile: Arc<Profile>,
    pub revoked: bool,
    /// Whether the key is disabled.
    pub disabled: bool,
    /// Whether the key is not valid before a moment, which is in the rules.
    starts_later: bool,
    text_checked: TextChecked,
    /// The algorithm of the secret's digest.
    pub(super) algorithm: Algorithm,
    /// Whether a former owner may still have the secret.
    former_owner: bool,
    /// The number of the owner's status in its chunk.
    standing_at: u16,
    /// The owner's status is in this chunk; a service key has no owner.
    standing: Option<Arc<StatusChunk>>,
    /// Rules that few keys have.
    pub rules: Option<Arc<Rules>>,
    /// Handle to the key's live state, which holds the key's id.
    pub live: Arc<KeyCounters>,
    /// Handle to the owner's facts; a service key has no owner.
    pub owner: Option<Arc<SharedUser>>,
    name: KeyName,
    /// The cached report of the key's permissions; empty if the report is cheap to compute.
    pub report: ReportCell,
}

/// What a key is granted, apart from its state: handles that an actor may keep after the lookup. A copy of the whole
/// grant would cost a dozen atomic operations.
#[derive(Clone, Debug)]
pub struct KeyRights {
    profile: Arc<Profile>,
    rules: Option<Arc<Rules>>,
    owner: Option<Arc<SharedUser>>,
}

/// Handles that a grant shares with other grants.
#[derive(Debug)]
pub struct GrantHandles {
    pub owner: Option<Arc<SharedUser>>,
    pub organization: Arc<SharedOrganization>,
    pub live: Arc<KeyCounters>,
    pub(super) profile: Arc<Profile>,
}

/// Rules that few keys have.
#[derive(Debug)]
pub struct Rules {
    /// The key is not valid before this moment; [`Moment::BEGINNING`] if none is set.
    not_before: Moment,
    /// The lists of patterns that limit a transferred key.
    pub maxima: Box<[IndexedList]>,
    /// The teams that the key is shared with; some may have been removed.
    pub teams: Box<[TeamId]>,
    pub ip: IpRules,
    /// Rate limits, each with its counter.
    pub rate_limits: Box<[(RateLimit, Arc<RateCounter>)]>,
    quota: Option<(QuotaTerms, Arc<QuotaCounter>)>,
    /// The cell for uses of this secret, while the key has two secrets.
    uses: Option<Arc<UseCell>>,
}

/// Whether the checksum of the text needs no check.
#[derive(Debug)]
struct TextChecked(AtomicBool);

impl Clone for TextChecked {
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Grant {
    pub fn new(record: &KeyRecord, secret: &SecretRecord, handles: GrantHandles) -> Self {
        let GrantHandles { owner, organization, live, profile } = handles;
        let rules = Rules::new(record, secret, &live, &organization.load().live);
        let ends = [record.expires_at, secret.ends_at].into_iter().flatten().min();
        let standing = owner.as_ref().map(|owner| owner.slot().parts());
        Self {
            standing_at: standing.as_ref().map_or(0, |(_, at)| *at),
            standing: standing.map(|(chunk, _)| chunk),
            owner,
            organization,
            live,
            expires_at: ends.unwrap_or(Moment::NEVER),
            revoked: record.revoked_at.is_some(),
            disabled: record.disabled.is_some(),
            starts_later: record.not_before.is_some(),
            algorithm: secret.algorithm,
            former_owner: record.rotation_advised || secret.former_owner,
            // Keyhouse generated the text, or an import checked it.
            text_checked: TextChecked(AtomicBool::new(secret.other_digest.is_some())),
            rules,
            profile,
            name: KeyName::from(&*record.name),
            report: ReportCell::default(),
        }
    }

    /// The key is not valid before this moment; [`Moment::BEGINNING`] if none is set.
    pub fn not_before(&self) -> Moment {
        let rules = self.rules.as_deref().filter(|_rules| self.starts_later);
        rules.map_or(Moment::BEGINNING, |rules| rules.not_before)
    }

    /// The owner's status; `None` for a service key, which has no owner.
    pub fn owner_status(&self) -> Option<UserStatus> {
        self.standing.as_deref().map(|chunk| chunk.load(self.standing_at))
    }

    /// Whether the text with this digest is known not to be a Keyhouse key with a wrong checksum.
    /// The digest determines the text, so the result of one check holds for all.
    pub fn text_is_checked(&self) -> bool {
        self.text_checked.0.load(Ordering::Relaxed)
    }

    /// Notes that the text with this digest does not have a wrong checksum.
    pub fn set_text_checked(&self) {
        self.text_checked.0.store(true, Ordering::Relaxed);
    }

    /// The owner whose identity upstreams and services receive. `None` while a former owner may
    /// have the secret, since the former owner's calls would be attributed to the new owner. `None`
    /// for a service key.
    pub fn named_owner(&self) -> Option<Arc<UserFacts>> {
        self.owner.as_ref().filter(|_owner| !self.former_owner).map(|owner| owner.facts())
    }

    /// Like [`Grant::named_owner`], without the count of a handle, which threads would share.
    pub fn named_owner_id(&self) -> Option<UserId> {
        self.owner.as_ref().filter(|_owner| !self.former_owner).map(|owner| owner.id())
    }

    /// Whether the key represents every team with which it is shared. A service key represents its
    /// teams, unless a former owner, who may have left a team, may have the secret.
    pub fn represents_its_teams(&self) -> bool {
        self.owner.is_none() && !self.former_owner
    }

    pub fn last_use(&self) -> Option<LastUse> {
        match self.own_uses() {
            Some(cell) => cell.read(),
            None => self.live.last_use(),
        }
    }

    /// Notes a use of this secret. Returns whether the use must be written to the store.
    pub(super) fn note(&self, last: Use<'_>, shared: impl Fn(&str) -> Arc<Agent>) -> bool {
        let by_secret = self.own_uses().is_some_and(|cell| cell.note(last, &shared));
        self.live.note(last, &shared) | by_secret
    }

    fn own_uses(&self) -> Option<&UseCell> {
        self.rules.as_deref()?.uses.as_deref()
    }

    pub fn environment(&self) -> &str {
        &self.profile.environment
    }

    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The key's own patterns, or the default patterns of a key without a list.
    pub fn patterns(&self) -> PatternSet<'_> {
        self.profile.patterns.as_set()
    }

    /// The lists of patterns that limit a transferred key.
    pub fn maxima(&self) -> &[IndexedList] {
        maxima_of(self.rules.as_deref())
    }

    /// What the key is granted, apart from its state.
    pub fn rights(&self) -> KeyRights {
        let (profile, rules) = (Arc::clone(&self.profile), self.rules.clone());
        KeyRights { profile, rules, owner: self.owner.clone() }
    }

    /// Whether the key is granted `query`: by its own list, by each list of its maximum, by its
    /// owner's current role, and by the organization's maximum.
    pub fn grants(
        &self,
        owner: Option<UserStatus>,
        bounds: OrganizationBounds<'_>,
        query: RightQuery<'_>,
    ) -> bool {
        self.profile.patterns.holds(query) && self.is_within_bounds(owner, bounds, query)
    }

    /// Whether every limit on the key's own list grants `query`: its maximum, its owner's current
    /// role, and the organization's maximum.
    pub fn is_within_bounds(
        &self,
        owner: Option<UserStatus>,
        bounds: OrganizationBounds<'_>,
        query: RightQuery<'_>,
    ) -> bool {
        are_within(self.maxima(), self.owner.as_deref(), owner, bounds, query)
    }
}

impl KeyRights {
    /// Whether the key is granted `query`, as [`Grant::grants`] decides it.
    pub fn grants(
        &self,
        owner: Option<UserStatus>,
        bounds: OrganizationBounds<'_>,
        query: RightQuery<'_>,
    ) -> bool {
        let maxima = maxima_of(self.rules.as_deref());
        self.profile.patterns.holds(query)
            && are_within(maxima, self.owner.as_deref(), owner, bounds, query)
    }
}

fn maxima_of(rules: Option<&Rules>) -> &[IndexedList] {
    rules.map(|rules| &*rules.maxima).unwrap_or_default()
}

fn are_within(
    maxima: &[IndexedList],
    owner: Option<&SharedUser>,
    standing: Option<UserStatus>,
    bounds: OrganizationBounds<'_>,
    query: RightQuery<'_>,
) -> bool {
    if !maxima.iter().all(|maximum| maximum.holds(query)) {
        return false;
    }
    match (standing, owner) {
        (Some(standing), Some(user)) => standing.holds(user, bounds, query),
        (None, None) => bounds.admits(query),
        // A grant has both an owner's status and an owner, or neither.
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Rules {
    /// Whether the key has a rate limit or a quota.
    pub fn limits_calls(&self) -> bool {
        !self.rate_limits.is_empty() || self.quota.is_some()
    }

    pub fn quota(&self) -> Option<QuotaRule<'_>> {
        self.quota.as_ref().map(|(terms, counter)| QuotaRule::new(terms, counter))
    }

    fn new(
        record: &KeyRecord,
        secret: &SecretRecord,
        live: &KeyCounters,
        organization: &OrganizationLive,
    ) -> Option<Arc<Self>> {
        let uses = if record.secrets.len() > 1 { live.use_cell(&secret.digest) } else { None };
        let ip = record.ip_rules();
        // A list of the maximum that equals the key's own list restricts nothing.
        let maxima: Box<[IndexedList]> = record
            .maxima
            .iter()
            .filter(|list| Some(*list) != record.permissions.as_ref())
            .map(IndexedList::from)
            .collect();
        let limited = !record.rate_limits.is_empty() || record.quota.is_some();
        let plain = ip.is_empty() && !limited && record.not_before.is_none();
        if plain && maxima.is_empty() && record.teams.is_empty() && uses.is_none() {
            return None;
        }
        let teams = record.teams.iter().map(|share| share.team).collect();
        let in_use: Vec<&str> = record.rate_limits.iter().map(|limit| &*limit.name).collect();
        let with_counter = |limit: RateLimit| {
            let counter = live.rate_counter(&limit.name, &in_use);
            (limit, counter)
        };
        let rate_limits =
            record.rate_limits.iter().map(RateLimit::from).map(with_counter).collect();
        let quota = record.quota.as_ref().map(|quota| {
            let (quota, counter) =
                (Quota::from(quota), live.quota_counter(&organization.reservations));
            counter.change(&quota, record.updated_at);
            (QuotaTerms::new(quota), counter)
        });
        let not_before = record.not_before.unwrap_or(Moment::BEGINNING);
        Some(Arc::new(Self { not_before, maxima, teams, ip, rate_limits, quota, uses }))
    }
}

impl GrantHandles {
    /// Handles with a profile of the key's own.
    pub fn unshared(
        record: &KeyRecord,
        owner: Option<Arc<SharedUser>>,
        organization: Arc<SharedOrganization>,
        live: Arc<KeyCounters>,
    ) -> Self {
        Self { owner, organization, live, profile: Profile::new(record) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::index::facts::OrganizationFacts;
    use crate::records::key::tests::record;

    /// A grant of the key with this live state.
    pub(crate) fn grant_of(live: Arc<KeyCounters>) -> Grant {
        let mut record = record();
        (record.id, record.owner) = (live.key, None);
        let organization = OrganizationFacts::unknown(record.organization);
        let organization = Arc::new(SharedOrganization::new(organization));
        let handles = GrantHandles::unshared(&record, None, organization, live);
        Grant::new(&record, &record.secrets[0], handles)
    }

    #[test]
    fn a_grant_is_small_and_keeps_its_texts_apart() {
        assert_eq!(size_of::<Grant>(), 96);
        let record = record();
        let id = record.id;
        let grant = |record: &KeyRecord| {
            let organization = OrganizationFacts::unknown(record.organization);
            let organization = Arc::new(SharedOrganization::new(organization));
            let live = Arc::new(KeyCounters::new(id));
            let handles = GrantHandles::unshared(record, None, organization, live);
            Grant::new(record, &record.secrets[0], handles)
        };
        let short = grant(&record);
        assert_eq!(short.environment(), "live");
        assert_eq!(short.name(), "build bot");
        assert_eq!(short.patterns().as_str(), "diagrams:read diagrams:write");
    }
}
