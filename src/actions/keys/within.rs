//! Limits what a key may create or change: the result must not be wider than the key itself in any
//! respect.
//!
//! Without these rules, a leaked key could create a second key and use it to change the expiry,
//! address rules and limits of the first. The start time of a key limits nothing, because the key
//! cannot act before it.
//!
//! `Authorized::require_within` checks the keys that a key creates, `require_over` the keys that it
//! changes, and `require_lasting` rights that would outlive the key. A rate limit is wider than
//! another if its burst or its sustained rate is greater. A change that widens a key (permissions,
//! networks, limits, times, enabling) needs an actor that holds everything that the key is granted,
//! or the key's owner within their role. Narrowing and renaming a key need less.

use crate::actions::ActionError;
use crate::actions::authority::Authorized;
use crate::model::fault::{Fault, FaultCode};
use crate::model::limit::{Quota, RateLimit};
use crate::records::key::KeyRecord;

impl Authorized {
    /// Requires that a key is no wider than the acting key, regardless of permissions. Sessions and
    /// the operator on the host have no such limits.
    ///
    /// # Errors
    /// [`ActionError::BeyondKey`], with every respect in which the key is wider.
    pub(in crate::actions) fn require_within(&self, other: &KeyRecord) -> Result<(), ActionError> {
        let faults = self.key.as_deref().map(|key| beyond(key, other)).unwrap_or_default();
        if faults.is_empty() { Ok(()) } else { Err(ActionError::BeyondKey(faults)) }
    }

    /// Requires that the acting key may change a key: the other key must not be wider, including
    /// its permissions. `refuse_itself` limits what a key changes about itself.
    ///
    /// # Errors
    /// The errors of [`Authorized::require_within`]; [`ActionError::PermissionRequired`].
    pub(in crate::actions) fn require_over(&self, other: &KeyRecord) -> Result<(), ActionError> {
        if self.key.as_deref().is_none_or(|key| key.id == other.id) {
            return Ok(());
        }
        self.require_within(other)?;
        self.actor.require_all(other.patterns().as_set())
    }

    /// Rejects a key with limits if it would grant a right that outlives these limits: an
    /// invitation, a reset, a role, a team membership, an email address or a gate.
    ///
    /// # Errors
    /// [`ActionError::BeyondKey`].
    pub(in crate::actions) fn require_lasting(&self) -> Result<(), ActionError> {
        if self.key.as_deref().is_some_and(KeyRecord::is_bounded) {
            let detail = "a key with an expiry, networks or limits cannot give rights that outlast \
                or exceed these: sign in, or use a key without an expiry, networks and limits";
            return Err(ActionError::BeyondKey(vec![Fault::new(
                "",
                FaultCode::BEYOND_KEY,
                detail,
            )]));
        }
        Ok(())
    }
}

/// Returns the respects in which another key is wider than the acting key.
fn beyond(key: &KeyRecord, other: &KeyRecord) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, detail: String| {
        faults.push(Fault::new(pointer, FaultCode::BEYOND_KEY, detail));
    };
    if let Some(end) = key.expires_at
        && other.expires_at.is_none_or(|theirs| theirs > end)
    {
        fault(
            "/expires_at",
            format!("must be at most {end}, the time at which the calling key expires"),
        );
    }
    if key.environment != other.environment {
        let environment = key.environment.as_str();
        fault("/environment", format!("must be {environment}, the environment of the calling key"));
    }
    if !other.ip_rules().is_within(&key.ip_rules()) {
        fault("/ip_rules", "must be within the networks of the calling key".to_owned());
    }
    let theirs: Vec<RateLimit> = other.rate_limits.iter().map(Into::into).collect();
    let is_looser = |limit: &RateLimit| !theirs.iter().any(|their| their.is_within(limit));
    if let Some(limit) = key.rate_limits.iter().map(RateLimit::from).find(is_looser) {
        let (calls, seconds) = (limit.limit, limit.window_seconds);
        let detail = format!("must include a limit of at most {calls} calls in {seconds} s");
        fault("/rate_limits", format!("{detail}, the limit of the calling key"));
    }
    if let Some(quota) = key.quota.as_ref().map(Quota::from) {
        let their = other.quota.as_ref().map(Quota::from);
        if !their.is_some_and(|their| their.is_within(&quota)) {
            let detail = format!("must be at most {} a {}", quota.limit, quota.period);
            fault("/quota", format!("{detail} in {}, the quota of the calling key", quota.zone));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::key::tests::record;

    fn key(change: impl FnOnce(&mut KeyRecord)) -> KeyRecord {
        let mut key = record();
        (key.expires_at, key.quota) = (None, None);
        (key.ip_allow, key.ip_deny, key.rate_limits) = (Vec::new(), Vec::new(), Vec::new());
        change(&mut key);
        key
    }

    type Change<'a> = &'a dyn Fn(&mut KeyRecord);

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases is one thing")]
    fn each_respect_bounds_what_a_key_may_give() {
        let limit = |limit, window_seconds| {
            vec![crate::records::key::RateLimitRecord { name: "m".into(), limit, window_seconds }]
        };
        let quota = |limit, period: &str, zone: &str| {
            let (period, zone) = (period.parse().unwrap(), zone.parse().unwrap());
            Some(crate::records::key::QuotaRecord { limit, period, zone })
        };
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let moment = crate::model::moment::Moment::from_milliseconds;
        let cases: [(&str, Change<'_>, Change<'_>, Option<&str>); 22] = [
            ("unbounded", &|_| {}, &|_| {}, None),
            ("no end", &|it| it.expires_at = Some(moment(9)), &|_| {}, Some("/expires_at")),
            (
                "later end",
                &|it| it.expires_at = Some(moment(9)),
                &|it| it.expires_at = Some(moment(10)),
                Some("/expires_at"),
            ),
            (
                "same end",
                &|it| it.expires_at = Some(moment(9)),
                &|it| it.expires_at = Some(moment(9)),
                None,
            ),
            (
                "environment",
                &|_| {},
                &|it| it.environment = "test".parse().unwrap(),
                Some("/environment"),
            ),
            ("anywhere", &|it| it.ip_allow = networks(&["10.0.0.0/8"]), &|_| {}, Some("/ip_rules")),
            (
                "inside",
                &|it| it.ip_allow = networks(&["10.0.0.0/8", "192.0.2.0/24"]),
                &|it| it.ip_allow = networks(&["10.1.0.0/16", "10.2.3.4/32"]),
                None,
            ),
            (
                "two halves",
                &|it| it.ip_allow = networks(&["10.0.0.0/9", "10.128.0.0/9"]),
                &|it| it.ip_allow = networks(&["10.0.0.0/8"]),
                None,
            ),
            (
                "partly outside",
                &|it| it.ip_allow = networks(&["10.0.0.0/8"]),
                &|it| it.ip_allow = networks(&["10.1.0.0/16", "11.0.0.0/8"]),
                Some("/ip_rules"),
            ),
            (
                "denied is left out",
                &|it| it.ip_deny = networks(&["10.0.0.0/8"]),
                &|_| {},
                Some("/ip_rules"),
            ),
            (
                "denied too",
                &|it| it.ip_deny = networks(&["10.0.0.0/8"]),
                &|it| it.ip_deny = networks(&["10.0.0.0/7"]),
                None,
            ),
            (
                "denied is not among the allowed",
                &|it| it.ip_deny = networks(&["10.0.0.0/8"]),
                &|it| it.ip_allow = networks(&["192.0.2.0/24"]),
                None,
            ),
            ("no limit", &|it| it.rate_limits = limit(50, 60), &|_| {}, Some("/rate_limits")),
            (
                "same limit",
                &|it| it.rate_limits = limit(50, 60),
                &|it| it.rate_limits = limit(50, 60),
                None,
            ),
            (
                "slower",
                &|it| it.rate_limits = limit(50, 60),
                &|it| it.rate_limits = limit(50, 120),
                None,
            ),
            (
                "smaller burst, faster in the long run",
                &|it| it.rate_limits = limit(50, 60),
                &|it| it.rate_limits = limit(10, 10),
                Some("/rate_limits"),
            ),
            (
                "larger burst",
                &|it| it.rate_limits = limit(50, 60),
                &|it| it.rate_limits = limit(100, 600),
                Some("/rate_limits"),
            ),
            ("no quota", &|it| it.quota = quota(9, "day", "UTC"), &|_| {}, Some("/quota")),
            (
                "as much in a month as in a day",
                &|it| it.quota = quota(9, "day", "UTC"),
                &|it| it.quota = quota(9, "month", "UTC"),
                None,
            ),
            (
                "a month crosses a week",
                &|it| it.quota = quota(9, "week", "UTC"),
                &|it| it.quota = quota(9, "month", "UTC"),
                Some("/quota"),
            ),
            (
                "more",
                &|it| it.quota = quota(9, "day", "UTC"),
                &|it| it.quota = quota(10, "day", "UTC"),
                Some("/quota"),
            ),
            (
                "in another zone",
                &|it| it.quota = quota(9, "day", "UTC"),
                &|it| it.quota = quota(9, "day", "Europe/Paris"),
                Some("/quota"),
            ),
        ];
        for (claim, asking, other, expected) in cases {
            let faults = beyond(&key(asking), &key(other));
            let named: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(named, expected.into_iter().collect::<Vec<_>>(), "{claim}");
        }
    }
}
