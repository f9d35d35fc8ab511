//! The proof in a session: the user enters the password or a code of the second factor again, before a
//! response contains a new secret.
//!
//! Without a proof, a stolen cookie or an unattended browser would be enough to create a key that outlives
//! the session. The password alone, or a code alone, is enough, because the session began with a complete
//! sign-in. A backup code is not accepted: it replaces a lost device at a sign-in, and a user who has lost
//! the device can enter the password.
//!
//! Proofs are throttled like sign-ins, with the same counters. A successful proof does not clear the
//! counters of failures: otherwise a thief who knows the password could guess codes without a limit. A
//! proof does not extend the session. See decision 0018.

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::accounts::emails::account_of;
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::passwords::{Fit, hash_failed};
use crate::actions::signing_in::session_user::Me;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::fault::{Fault, FaultCode};
use crate::model::moment::Moment;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::{SessionRecord, UserRecord};
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

/// The password or the code that the user of a session enters.
#[derive(Debug)]
pub enum PresentedFactor {
    Password(Secret),
    /// A code of the second factor.
    Code(Secret),
}

impl PresentedFactor {
    /// The name of the field in the API and in the audit event.
    const fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Code(_) => "code",
        }
    }

    fn is_wrong(&self) -> ActionError {
        let (pointer, code, detail) = match self {
            Self::Password(_) => ("/password", FaultCode::WRONG_PASSWORD, "is incorrect"),
            Self::Code(_) => (
                "/code",
                FaultCode::WRONG_CODE,
                "is incorrect, expired or already used: enter a new code, or send the password",
            ),
        };
        ActionError::Invalid(vec![Fault::new(pointer, code, detail)])
    }
}

impl Actions {
    /// Stores in the session that its user has entered the password or a code of the second factor now. A
    /// code is not accepted a second time. No other field of the session changes.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] at `/password` or `/code` if it is incorrect, and at `/code` for an account
    /// without a second factor; [`ActionError::Throttled`].
    pub fn prove_session(
        &self,
        me: &Me<'_>,
        presented: &PresentedFactor,
    ) -> Result<(), ActionError> {
        let user = self.own_record(me.user)?.record;
        let account = account_of(user.id);
        let guess = self.guess(&account, me.attempter())?;
        if self.may_fit(&user, presented)? {
            let is_proven = Self::until_done(|| {
                let decided = self.authorize(me.actor)?;
                let Some(batch) = self.admit_factor(&user, presented, decided.now)? else {
                    return Ok(Attempt::Done(false));
                };
                let place = StoreKey::Session(me.token.digest());
                let held: Option<Revised<SessionRecord>> = self.read(&place)?;
                let held = held.ok_or(ActionError::SessionEnded)?;
                let session = SessionRecord { proven_at: Some(decided.now), ..held.record };
                let batch = batch.unchanged(place.to_bytes(), held.revision);
                let batch = put(batch, &place, &session)?;
                let proven = AuditEntry::by(&decided, AuditAction::SESSION_PROVE, me.user)
                    .with_change(&json!({}), &json!({ presented.name(): true }));
                self.commit_change(decided, batch, proven, true)
            })?;
            if is_proven {
                return Ok(());
            }
        }
        self.refuse(guess, &account, me.source);
        Err(presented.is_wrong())
    }

    /// Whether a password is correct. True for a code, which [`Actions::admit_factor`] checks.
    fn may_fit(&self, user: &UserRecord, presented: &PresentedFactor) -> Result<bool, ActionError> {
        match presented {
            PresentedFactor::Password(password) => {
                let fit = self.passwords.verify(password, Some(&user.password));
                Ok(fit.map_err(hash_failed)? != Fit::No)
            },
            PresentedFactor::Code(_) => Ok(true),
        }
    }

    /// For a password, a batch with a guard on the user's record, so that nothing is committed after the
    /// password was changed. For a code, a batch that stores its time step as used. `None` if the password
    /// was changed or the code is incorrect.
    fn admit_factor(
        &self,
        user: &UserRecord,
        presented: &PresentedFactor,
        now: Moment,
    ) -> Result<Option<Batch>, ActionError> {
        match presented {
            PresentedFactor::Password(_) => {
                let held = self.own_record(user.id)?;
                let fits = held.record.password == user.password;
                let place = StoreKey::User(user.id).to_bytes();
                Ok(fits.then(|| Batch::new().unchanged(place, held.revision)))
            },
            PresentedFactor::Code(code) => {
                let place = StoreKey::Totp(user.id);
                let held: Option<Revised<TotpRecord>> = self.read(&place)?;
                let Some(held) = held.filter(|held| held.record.confirmed) else {
                    return Ok(None);
                };
                let Some(step_last) = self.step_of_code(user.id, &held.record, code, now) else {
                    return Ok(None);
                };
                let spent = TotpRecord { step_last, ..held.record };
                let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
                put(batch, &place, &spent).map(Some)
            },
        }
    }
}
