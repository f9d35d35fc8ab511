//! A grant: all that deciding needs of one key, packed small, since there may be a million.

use std::sync::Arc;

use crate::index::facts::{Ask, OrganizationFacts, Shared, SharedUser, UserFacts};
use crate::index::list::List;
use crate::index::live::{Live, OrganizationLive, RateCounter};
use crate::index::quota::QuotaCounter;
use crate::index::quota_rule::{QuotaRule, QuotaTerms};
use crate::index::report::ReportCell;
use crate::index::standing::{Standing, StandingSlot};
use crate::index::uses::{Agent, LastUse, Use, UseCell};
use crate::model::foreign::Algorithm;
use crate::model::id::TeamId;
use crate::model::limit::{Quota, RateLimit};
use crate::model::moment::Moment;
use crate::model::network::IpRules;
use crate::model::permission::PatternSet;
use crate::records::key::{KeyRecord, SecretRecord};

/// All that deciding needs of one secret of a key.
///
/// In this order in memory: what every decision reads lies with the map's key in the first two
/// cache lines of the entry, the rest behind them.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Grant {
    /// Handle to the organization's facts.
    pub organization: Shared<OrganizationFacts>,
    /// Not valid before; [`Moment::BEGINNING`] where nothing is said.
    pub not_before: Moment,
    /// Not valid from then on: the key's end or this secret's, whichever comes first.
    pub expires_at: Moment,
    /// The owner's standing; a service key has no owner.
    pub standing: Option<StandingSlot>,
    patterns: List,
    /// Rules that few keys have.
    pub rules: Option<Arc<Rules>>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Whether the secret is known by its SHA-256.
    pub(super) by_sha256: bool,
    /// Whether a former owner may have the secret.
    former_owner: bool,
    /// Handle to the owner's facts.
    pub owner: Option<Arc<SharedUser>>,
    /// Handle to the key's live state, which knows the key's id.
    pub live: Arc<Live>,
    label: Label,
    /// The report of what it is granted, where that is worth keeping.
    pub report: ReportCell,
}

/// Rules that few keys have.
#[derive(Debug, Default)]
pub struct Rules {
    /// The lists that are the maximum of a transferred key.
    pub maxima: Box<[List]>,
    /// The teams it is shared with; some may not be there any more.
    pub teams: Box<[TeamId]>,
    /// Networks.
    pub ip: IpRules,
    /// Rate limits, each with its counter.
    pub rate_limits: Box<[(RateLimit, Arc<RateCounter>)]>,
    quota: Option<(QuotaTerms, Arc<QuotaCounter>)>,
    /// Where the uses of this secret are noted, while the key has another.
    uses: Option<Arc<UseCell>>,
}

/// The key's other texts in one allocation: environment, name.
#[derive(Clone, Debug)]
struct Label {
    text: Box<str>,
    name_from: u16,
}

impl Grant {
    /// The grant of one secret of a key.
    pub fn new(
        record: &KeyRecord,
        secret: &SecretRecord,
        owner: Option<Arc<SharedUser>>,
        organization: Shared<OrganizationFacts>,
        live: Arc<Live>,
    ) -> Self {
        let rules = Rules::new(record, secret, &live, &organization.load().live);
        let ends = [record.expires_at, secret.ends_at].into_iter().flatten().min();
        Self {
            standing: owner.as_ref().map(|owner| owner.slot().clone()),
            owner,
            organization,
            live,
            not_before: record.not_before.unwrap_or(Moment::BEGINNING),
            expires_at: ends.unwrap_or(Moment::NEVER),
            revoked: record.revoked_at.is_some(),
            disabled: record.disabled.is_some(),
            by_sha256: secret.algorithm == Algorithm::Sha256,
            former_owner: record.rotation_advised || secret.former_owner,
            rules,
            patterns: List::from(&record.patterns()),
            label: Label::new(record),
            report: ReportCell::default(),
        }
    }

    /// The owner to name to an upstream or a service: none while a former owner may have the secret,
    /// whose calls would pass for the new owner's. A service key has none either.
    pub fn named_owner(&self) -> Option<Arc<UserFacts>> {
        self.owner.as_ref().filter(|_owner| !self.former_owner).map(|owner| owner.facts())
    }

    /// The last use of this secret.
    pub fn last_use(&self) -> Option<LastUse> {
        match self.own_uses() {
            Some(cell) => cell.read(),
            None => self.live.last_use(),
        }
    }

    /// Notes a use of this secret. Returns whether there is something new to be written.
    pub(super) fn note(&self, last: Use<'_>, shared: impl Fn(&str) -> Arc<Agent>) -> bool {
        let by_secret = self.own_uses().is_some_and(|cell| cell.note(last, &shared));
        self.live.note(last, &shared) | by_secret
    }

    fn own_uses(&self) -> Option<&UseCell> {
        self.rules.as_deref()?.uses.as_deref()
    }

    /// The environment.
    pub fn environment(&self) -> &str {
        self.label.text.get(..usize::from(self.label.name_from)).unwrap_or_default()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.label.text.get(usize::from(self.label.name_from)..).unwrap_or_default()
    }

    /// The patterns listed, or what the absence of a list means.
    pub fn patterns(&self) -> PatternSet<'_> {
        self.patterns.as_set()
    }

    /// The lists that are the maximum of a transferred key.
    pub fn maxima(&self) -> &[List] {
        self.rules.as_deref().map(|rules| &*rules.maxima).unwrap_or_default()
    }

    /// Whether the key is granted what is asked: by its own list, by each list of its maximum, by
    /// its owner's role today, and within the organization's ceiling.
    pub fn grants(
        &self,
        owner: Option<Standing>,
        organization: &OrganizationFacts,
        ask: Ask<'_>,
    ) -> bool {
        self.patterns.holds(ask) && self.is_within_bounds(owner, organization, ask)
    }

    /// Whether all that bounds the key's own list holds what is asked: its maximum, its owner's role
    /// today, and the organization's ceiling.
    pub fn is_within_bounds(
        &self,
        owner: Option<Standing>,
        organization: &OrganizationFacts,
        ask: Ask<'_>,
    ) -> bool {
        if !self.maxima().iter().all(|maximum| maximum.holds(ask)) {
            return false;
        }
        match (owner, &self.owner) {
            (Some(standing), Some(user)) => standing.holds(user, organization, ask),
            (None, None) => organization.admits(ask),
            // A standing without its user, or a user without a standing: never made.
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Rules {
    /// The quota.
    pub fn quota(&self) -> Option<QuotaRule<'_>> {
        self.quota.as_ref().map(|(terms, counter)| QuotaRule::new(terms, counter))
    }

    fn new(
        record: &KeyRecord,
        secret: &SecretRecord,
        live: &Live,
        organization: &OrganizationLive,
    ) -> Option<Arc<Self>> {
        let uses = if record.secrets.len() > 1 { live.use_cell(&secret.digest) } else { None };
        let ip = record.ip_rules();
        // A list of the maximum that is the key's own grants nothing less.
        let maxima: Box<[List]> = record
            .maxima
            .iter()
            .filter(|list| Some(*list) != record.permissions.as_ref())
            .map(List::from)
            .collect();
        let plain = ip.is_empty() && record.rate_limits.is_empty() && record.quota.is_none();
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
        Some(Arc::new(Self { maxima, teams, ip, rate_limits, quota, uses }))
    }
}

impl Label {
    fn new(record: &KeyRecord) -> Self {
        let environment = record.environment.as_str();
        // An environment has at most 16 bytes.
        let name_from = u16::try_from(environment.len()).unwrap_or(u16::MAX);
        Self { name_from, text: [environment, &record.name].concat().into() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use arc_swap::ArcSwap;

    use super::*;
    use crate::records::key::tests::record;

    /// A grant of the key that leaves its traces there.
    pub(crate) fn grant_of(live: Arc<Live>) -> Grant {
        let mut record = record();
        (record.id, record.owner) = (live.key, None);
        let organization = OrganizationFacts::unknown(record.organization);
        let organization = Arc::new(ArcSwap::from_pointee(organization));
        Grant::new(&record, &record.secrets[0], None, organization, live)
    }

    #[test]
    fn a_grant_is_small_and_keeps_its_texts_apart() {
        assert!(size_of::<Grant>() <= 152, "{}", size_of::<Grant>());
        let record = record();
        let id = record.id;
        let grant = |record: &KeyRecord| {
            let organization = OrganizationFacts::unknown(record.organization);
            let organization = Arc::new(ArcSwap::from_pointee(organization));
            Grant::new(record, &record.secrets[0], None, organization, Arc::new(Live::new(id)))
        };
        let short = grant(&record);
        assert_eq!(short.environment(), "live");
        assert_eq!(short.name(), "build bot");
        assert_eq!(short.patterns().as_str(), "diagrams:read diagrams:write");
    }
}
