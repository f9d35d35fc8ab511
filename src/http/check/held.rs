//! The description of a key, for its holder and for services that may check it.

use crate::clock::Now;
use crate::http::problem::seconds_up;
use crate::http::schema::{Schema, choice, count, each, nullable, text};
use crate::http::view::view;
use crate::index::Index;
use crate::index::grant::{Grant, Rules};
use crate::model::id::{KeyId, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::verify::with_granted;

view! {
    HeldView {
        /// The key.
        key: HeldKeyView,
        /// Owner of a personal key. Null for a service key.
        owner: Option<HeldOwnerView>,
        /// Organization of the key.
        organization: HeldOrganizationView,
        /// Teams with which the key is shared.
        teams: Vec<HeldTeamView>,
        /// State of the key's rate limits.
        rate_limits: Vec<LimitStateView>,
        /// State of the key's quota. Null without a quota.
        quota: Option<QuotaStateView>,
    }
}

view! {
    HeldKeyView {
        /// Id of the key.
        id: KeyId,
        /// Name of the key.
        name: String => text("deploy"),
        /// A personal key belongs to a user, a service key to the organization.
        kind: &'static str => choice(&["personal", "service"]),
        /// Environment of the key.
        environment: String => text("live"),
        /// Time of expiry. Null: never.
        expires_at: Option<Moment>,
    }
}

view! {
    HeldOwnerView {
        /// Id of the user.
        id: UserId,
        /// Name of the user.
        name: String => text("Ada"),
        /// Verified email address. Null if there is none.
        email: Option<String> => nullable(text("ada@example.com").into()),
        /// Name of a built-in role, or id of a custom role.
        role: String => text("user"),
    }
}

view! {
    HeldOrganizationView {
        /// Id of the organization.
        id: OrganizationId,
        /// Name of the organization.
        name: String => text("example.com"),
        /// Name of the plan.
        plan: Box<str> => text("pro"),
    }
}

view! {
    HeldTeamView {
        /// Id of the team.
        id: TeamId,
        /// Name of the team.
        name: String => text("Build"),
    }
}

view! {
    LimitStateView = "LimitState" {
        /// Name of the rate limit.
        name: Box<str> => text("burst"),
        /// Calls per window.
        limit: u32 => count(20),
        /// Length of the window in seconds.
        window_seconds: u32 => count(10),
        /// Calls that are left now.
        remaining: u32 => count(19),
        /// Seconds until the full limit is available.
        reset_seconds: u64 => count(1),
    }
}

view! {
    QuotaStateView = "QuotaState" {
        /// Calls per period.
        limit: u64 => count(100_000),
        /// Calendar period of the quota.
        period: String => choice(&["day", "week", "month"]),
        /// IANA name of the time zone in which the periods start.
        timezone: String => text("Europe/Paris"),
        /// Calls in the current period.
        used: u64 => count(1),
        /// Calls that are left in the current period.
        remaining: u64 => count(99_999),
        /// Time at which the next period starts.
        resets_at: Moment,
    }
}

pub(super) fn held_view(index: &Index, grant: &Grant, now: Now) -> HeldView {
    let organization = grant.organization.load();
    let rules = grant.rules.as_deref();
    let owner = grant.named_owner().map(|owner| HeldOwnerView {
        id: owner.id,
        name: owner.name.clone(),
        email: organization.verified_email(&owner).map(str::to_owned),
        role: owner.role.role().to_string(),
    });
    HeldView {
        key: HeldKeyView {
            id: grant.live.key,
            name: grant.name().to_owned(),
            kind: if grant.owner.is_some() { "personal" } else { "service" },
            environment: grant.environment().to_owned(),
            expires_at: Some(grant.expires_at).filter(|end| *end != Moment::NEVER),
        },
        owner,
        organization: HeldOrganizationView {
            id: organization.id,
            name: organization.name.clone(),
            plan: organization.subscription.plan.clone(),
        },
        teams: team_views(index, grant),
        rate_limits: rules.map(|rules| limit_views(rules, now)).unwrap_or_default(),
        quota: rules.and_then(|rules| quota_view(rules, now)),
    }
}

/// A secret team is listed only if the key's owner is a member.
fn team_views(index: &Index, grant: &Grant) -> Vec<HeldTeamView> {
    let teams = index.teams_of(grant).into_iter();
    let listed = teams.filter(|(team, is_represented)| *is_represented || !team.secret);
    listed.map(|(team, _)| HeldTeamView { id: team.id, name: team.name.clone() }).collect()
}

fn limit_views(rules: &Rules, now: Now) -> Vec<LimitStateView> {
    let limits = rules.rate_limits.iter().map(|(limit, counter)| {
        let arrival = counter.arrival();
        LimitStateView {
            name: limit.name.clone(),
            limit: limit.limit,
            window_seconds: limit.window_seconds,
            remaining: limit.remaining(arrival, now.ticks),
            reset_seconds: seconds_up(limit.full_after(arrival, now.ticks)),
        }
    });
    limits.collect()
}

fn quota_view(rules: &Rules, now: Now) -> Option<QuotaStateView> {
    let rule = rules.quota()?;
    let (quota, used) = (rule.quota(), rule.used(now.wall));
    Some(QuotaStateView {
        limit: quota.limit,
        period: quota.period.to_string(),
        timezone: quota.zone.to_string(),
        used,
        remaining: quota.limit.saturating_sub(used),
        resets_at: rule.span(now.wall).ends,
    })
}

/// The permissions that a key is granted now, as patterns: its own list, or the default without a
/// list, limited by its owner's role and all maximums. `None` if no short list is exact.
pub(super) fn permissions(grant: &Grant) -> Option<Vec<String>> {
    with_granted(grant, |granted| Some(granted?.texts().map(str::to_owned).collect()))
}

pub(super) fn patterns() -> Schema {
    nullable(each(text("diagrams:*")).into())
}
