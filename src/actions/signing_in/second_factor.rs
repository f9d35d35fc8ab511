//! Whether a user must enrol a second factor before other actions.
//!
//! The rule restricts sessions, not sign-ins. Each request on a route whose access is not
//! `Enrolling` tests the rule.

use crate::actions::{ActionError, Actions};
use crate::index::facts::{OrganizationFacts, UserFacts};
use crate::model::second_factor::RequiredOf;
use crate::records::Revised;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

impl Actions {
    /// Whether a user's organization requires a second factor that the user does not have. The
    /// user's sessions can then only enrol a second factor. The user's keys are not affected.
    pub fn must_enrol(
        &self,
        organization: &OrganizationFacts,
        user: &UserFacts,
    ) -> Result<bool, ActionError> {
        let is_named = |entry: &RequiredOf| match entry {
            RequiredOf::Operators => user.standing.operator,
            RequiredOf::Role(role) => *role == user.role.role(),
        };
        if !organization.second_factor_required_of.iter().any(is_named) {
            return Ok(false);
        }
        let factor: Option<Revised<TotpRecord>> = self.read(&StoreKey::Totp(user.id))?;
        Ok(!factor.is_some_and(|held| held.record.confirmed))
    }
}
