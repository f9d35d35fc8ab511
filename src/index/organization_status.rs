//! The part of an organization's facts that a check reads.

use crate::index::list::IndexedList;
use crate::index::plan::SharedPlan;
use crate::index::right_query::RightQuery;
use crate::model::id::OrganizationId;
use crate::model::moment::Moment;
use crate::model::permission::is_own;

/// The part of an organization's facts that a check reads.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationStatus<'a> {
    pub id: OrganizationId,
    pub suspended: bool,
    /// The end of the access that the subscription gives, if the plan includes API access.
    pub access_ends: Moment,
    pub bounds: OrganizationBounds<'a>,
    pub plan: &'a SharedPlan,
}

impl OrganizationStatus<'_> {
    /// Whether the plan and the subscription give API access at `now`.
    pub fn has_access(self, now: Moment) -> bool {
        self.plan.gives_api_access() && now < self.access_ends
    }
}

/// The limits of an organization on the permissions of its users and keys.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationBounds<'a> {
    /// Whether users with the role `user` may create personal keys.
    pub members_create_keys: bool,
    /// The organization's maximum; `None` for `*`.
    pub ceiling: Option<&'a IndexedList>,
}

impl OrganizationBounds<'_> {
    /// Whether the organization's maximum allows its keys to be granted `query`.
    ///
    /// The maximum limits protected APIs only; roles limit management. The default maximum `*` does
    /// not match `keyhouse:`, so a maximum that limited management would lock out every user.
    pub fn admits(self, query: RightQuery<'_>) -> bool {
        self.ceiling.is_none_or(|ceiling| is_own(query.text()) || ceiling.holds(query))
    }
}
