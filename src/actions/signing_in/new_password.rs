//! Checks of new passwords against the rules for passwords.

use crate::actions::signing_in::passwords::hash_failed;
use crate::actions::{ActionError, Actions};
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::OrganizationId;
use crate::model::password::{Factors, InvalidPassword, Personal, check_length};
use crate::model::secret::Secret;

impl Actions {
    /// The faults of a new password. The caller must have proved that they may set a password,
    /// because the check takes a turn and as much time as hashing.
    pub(in crate::actions) fn judge(
        &self,
        password: &Secret,
        about: &Personal<'_>,
        factors: Factors,
    ) -> Result<Option<Fault>, ActionError> {
        let judged = self.passwords.judge(password, about, factors).map_err(hash_failed)?;
        Ok(judged.err().map(|error| fault(&error)))
    }

    /// Like `judge`, but returns an error, for requests with no other fault.
    pub(in crate::actions) fn require_good(
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

    /// The name of an organization, or an empty text if the index does not have it.
    pub(in crate::actions) fn organization_name(&self, id: OrganizationId) -> String {
        self.index.organization(id).map(|known| known.name.clone()).unwrap_or_default()
    }
}

/// Checks the length only: the required length may have changed since `judge`.
pub(in crate::actions) fn require_length(
    password: &Secret,
    factors: Factors,
) -> Result<(), ActionError> {
    check_length(password, factors).map_err(|error| ActionError::Invalid(vec![fault(&error)]))
}

fn fault(error: &InvalidPassword) -> Fault {
    Fault::new("/password", FaultCode::INVALID_PASSWORD, error).because(error.reasons())
}
