//! New passwords: whether one may be chosen, and why not.

use crate::actions::access::hash_failed;
use crate::actions::{ActionError, Actions};
use crate::model::fault::Fault;
use crate::model::id::OrganizationId;
use crate::model::password::{Factors, InvalidPassword, Personal, check_length};
use crate::model::secret::Secret;

impl Actions {
    /// What is wrong with a new password, if anything. For those alone who have shown that they may
    /// set one: judging takes a turn, and as long as hashing does.
    ///
    /// # Errors
    /// [`ActionError::Busy`].
    pub(super) fn judge(
        &self,
        password: &Secret,
        about: &Personal<'_>,
        factors: Factors,
    ) -> Result<Option<Fault>, ActionError> {
        let judged = self.passwords.judge(password, about, factors).map_err(hash_failed)?;
        Ok(judged.err().map(|error| fault(&error)))
    }

    /// The same, where nothing else can be wrong.
    pub(super) fn require_good(
        &self,
        password: &Secret,
        about: &Personal<'_>,
        factors: Factors,
    ) -> Result<(), ActionError> {
        match self.judge(password, about, factors)? {
            Some(fault) => Err(ActionError::Invalid(vec![fault])),
            None => Ok(()),
        }
    }

    /// The name of an organization, as far as it is known.
    pub(super) fn organization_name(&self, id: OrganizationId) -> String {
        self.index.organization(id).map(|known| known.name.clone()).unwrap_or_default()
    }
}

/// Checks the length alone: what may have changed since a password was judged.
pub(super) fn require_length(password: &Secret, factors: Factors) -> Result<(), ActionError> {
    check_length(password, factors).map_err(|error| ActionError::Invalid(vec![fault(&error)]))
}

fn fault(error: &InvalidPassword) -> Fault {
    Fault::new("/password", "invalid_password", error).because(error.reasons())
}
