//! A grant: all that deciding needs of one key, packed small, since there may be a million.

use std::sync::Arc;

use crate::index::facts::{Ask, OrganizationFacts, Shared, UserFacts};
use crate::index::live::{Live, QuotaCounter, RateCounter};
use crate::model::limit::{Quota, RateLimit};
use crate::model::moment::Moment;
use crate::model::network::IpRules;
use crate::model::permission::PatternSet;
use crate::records::key::{KeyRecord, SecretRecord};

/// All that deciding needs of one secret of a key.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Handle to the owner's facts; a service key has none.
    pub owner: Option<Shared<UserFacts>>,
    /// Handle to the organization's facts.
    pub organization: Shared<OrganizationFacts>,
    /// Handle to the key's live state, which knows the key's id.
    pub live: Arc<Live>,
    /// Not valid before; [`Moment::BEGINNING`] where nothing is said.
    pub not_before: Moment,
    /// Not valid from then on: the key's end or this secret's, whichever comes first.
    pub expires_at: Moment,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether it is switched off.
    pub disabled: bool,
    /// Rules that few keys have.
    pub rules: Option<Arc<Rules>>,
    label: Label,
}

/// Rules that few keys have.
#[derive(Debug, Default)]
pub struct Rules {
    /// Networks.
    pub ip: IpRules,
    /// Rate limits, each with its counter.
    pub rate_limits: Box<[(RateLimit, Arc<RateCounter>)]>,
    /// The quota, with its counter.
    pub quota: Option<(Quota, Arc<QuotaCounter>)>,
}

/// The key's texts in one allocation: environment, name, patterns.
#[derive(Clone, Debug)]
struct Label {
    text: Box<str>,
    name_from: u16,
    patterns_from: u16,
}

impl Grant {
    /// The grant of one secret of a key.
    pub fn new(
        record: &KeyRecord,
        secret: &SecretRecord,
        owner: Option<Shared<UserFacts>>,
        organization: Shared<OrganizationFacts>,
        live: Arc<Live>,
    ) -> Self {
        let rules = Rules::new(record, &live);
        let ends = [record.expires_at, secret.ends_at].into_iter().flatten().min();
        Self {
            owner,
            organization,
            live,
            not_before: record.not_before.unwrap_or(Moment::BEGINNING),
            expires_at: ends.unwrap_or(Moment::NEVER),
            revoked: record.revoked_at.is_some(),
            disabled: record.disabled.is_some(),
            rules,
            label: Label::new(record),
        }
    }

    /// The environment.
    pub fn environment(&self) -> &str {
        self.label.text.get(..usize::from(self.label.name_from)).unwrap_or_default()
    }

    /// The name.
    pub fn name(&self) -> &str {
        let span = usize::from(self.label.name_from)..usize::from(self.label.patterns_from);
        self.label.text.get(span).unwrap_or_default()
    }

    /// The patterns listed, or what the absence of a list means.
    pub fn patterns(&self) -> PatternSet<'_> {
        let from = usize::from(self.label.patterns_from);
        PatternSet::trusted(self.label.text.get(from..).unwrap_or_default())
    }

    /// Whether the key is granted what is asked: by its own list, by its owner's role today, and
    /// within the organization's ceiling.
    pub fn grants(
        &self,
        owner: Option<&UserFacts>,
        organization: &OrganizationFacts,
        ask: Ask<'_>,
    ) -> bool {
        ask.of(self.patterns())
            && owner
                .map_or_else(|| organization.admits(ask), |owner| owner.holds(organization, ask))
    }
}

impl Rules {
    fn new(record: &KeyRecord, live: &Live) -> Option<Arc<Self>> {
        let ip = record.ip_rules();
        if ip.is_empty() && record.rate_limits.is_empty() && record.quota.is_none() {
            return None;
        }
        let with_counter = |limit: RateLimit| {
            let counter = live.rate_counter(&limit.name);
            (limit, counter)
        };
        let rate_limits =
            record.rate_limits.iter().map(RateLimit::from).map(with_counter).collect();
        let quota = record.quota.as_ref().map(|quota| (quota.into(), live.quota_counter()));
        Some(Arc::new(Self { ip, rate_limits, quota }))
    }
}

impl Label {
    fn new(record: &KeyRecord) -> Self {
        let patterns = record.patterns();
        let parts = [record.environment.as_str(), &record.name, patterns.as_set().as_str()];
        let name_from = record.environment.as_str().len();
        // Names have 256 characters of at most 4 bytes, so both offsets fit.
        let offset = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        Self {
            name_from: offset(name_from),
            patterns_from: offset(name_from + record.name.len()),
            text: parts.concat().into(),
        }
    }
}
