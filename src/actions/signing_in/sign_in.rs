//! Sign-in: checks the credentials and opens a session.
//!
//! Each code of a second factor is accepted once.

use keyhouse_storage::Batch;

use crate::actions::accounts::emails::account_of;
use crate::actions::signing_in::failed_sign_ins::SignInFailure;
use crate::actions::signing_in::passwords::Fit;
use crate::actions::signing_in::passwords::hash_failed;
use crate::actions::signing_in::session_user::Me;
use crate::actions::signing_in::sessions::{Admitted, NewSession};
use crate::actions::signing_in::throttle::{Attempter, Guess, Source};
use crate::actions::{ActionError, Actions, put};
use crate::index::CallOrigin;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{OrganizationId, UserId};
use crate::model::name::parse_email;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

/// The input of a sign-in.
#[derive(Debug)]
pub struct SignIn {
    pub email: String,
    /// The organization, if several organizations have a user with the address.
    pub organization: Option<OrganizationId>,
    pub password: Secret,
    /// A code of the second factor, or a backup code.
    pub code: Option<Secret>,
    /// The client's address and network.
    pub source: Source,
    pub user_agent: Option<String>,
    pub device: Option<Secret>,
}

/// Correct credentials. The credentials are compared with the stored records again when the session
/// is written.
struct VerifiedUser<'a> {
    user: &'a UserRecord,
    code: Option<&'a Secret>,
    /// The password's new hash, if the stored hash has outdated parameters.
    rehashed: Option<String>,
}

impl Actions {
    /// Opens a session for a user who presents the right password, and a code if the user has a
    /// second factor. An unknown address takes as much time as an address with one user.
    ///
    /// # Errors
    /// [`ActionError::OrganizationRequired`] if the password matches several users of the address
    /// and the request names no organization.
    pub fn sign_in(&self, credentials: &SignIn) -> Result<NewSession, ActionError> {
        let outcome = self.try_sign_in(credentials);
        self.sign_ins.note(&outcome);
        outcome
    }

    fn try_sign_in(&self, credentials: &SignIn) -> Result<NewSession, ActionError> {
        // A text that is not an address matches no user and counts as one account.
        let email = parse_email(&credentials.email).unwrap_or_default();
        let (mut fitting, mut wrong, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusal = ActionError::SignInFailed;
        let devices = self.known_devices(credentials.device.as_ref())?;
        for account in self.accounts(&email, credentials.organization)? {
            let browser = account.user.as_ref().and_then(|user| devices.browser_of(user));
            // An account that must wait does not block another account.
            let by = Attempter { source: credentials.source, browser };
            let guess = match self.throttle.begin(&account.name, by, &*self.clock) {
                Ok(guess) => guess,
                Err(wait) => {
                    refusal = ActionError::Throttled { wait };
                    waiting.push(account.name);
                    continue;
                },
            };
            let stored = account.user.as_ref().map(|user| user.password.as_str());
            let fit = self.passwords.verify(&credentials.password, stored).map_err(hash_failed)?;
            match account.user.filter(|user| fit != Fit::No && !user.disabled) {
                Some(user) => fitting.push((guess, user, fit)),
                None => wrong.push((guess, account.name)),
            }
        }
        if fitting.is_empty() {
            for (guess, name) in wrong {
                self.refuse(guess, &name, credentials.source);
            }
            for name in waiting {
                self.failed_sign_ins.note(&name, credentials.source, SignInFailure::Throttled);
            }
            return Err(refusal);
        }
        // The failures at the other accounts count: otherwise a user could guess the password of
        // another account of the address without limit. No audit log of the other organizations
        // records these failures.
        for (guess, _name) in wrong {
            guess.failed_beside_a_fit();
        }
        if fitting.len() > 1 {
            let organizations = fitting.iter().map(|(_, user, _)| user.organization);
            return Err(self.organization_required(organizations));
        }
        let Some((guess, user, fit)) = fitting.pop() else { return Err(refusal) };
        let opened = self.open_for(&user, credentials, fit);
        match &opened {
            Ok(_) => guess.succeeded(),
            Err(ActionError::SignInFailed) => {
                self.refuse(guess, &account_of(user.id), credentials.source);
            },
            // A missing code is neither a failure nor a success.
            Err(_) => drop(guess),
        }
        opened
    }

    fn organization_required(&self, ids: impl Iterator<Item = OrganizationId>) -> ActionError {
        let name = |id| self.index.organization(id).map(|known| known.name.clone());
        let named = ids.map(|id| (id, name(id).unwrap_or_default()));
        ActionError::OrganizationRequired(named.collect())
    }

    fn open_for(
        &self,
        user: &UserRecord,
        credentials: &SignIn,
        fit: Fit,
    ) -> Result<NewSession, ActionError> {
        let weak = fit == Fit::AsTyped || !self.passwords.is_current(&user.password);
        // If no turn is free, the next sign-in updates the hash.
        let rehashed = weak.then(|| self.hash(&credentials.password).ok()).flatten();
        let user_agent = credentials.user_agent.as_deref();
        let origin =
            CallOrigin { ip: credentials.source.address, user_agent, ..CallOrigin::default() };
        let verified = VerifiedUser { user, code: credentials.code.as_ref(), rehashed };
        let admit = |batch| self.admit(batch, &verified);
        self.open_session_with(user.id, user.organization, origin, admit)
    }

    /// Adds guards to a session's batch so that it is committed only if the credentials are still
    /// correct, and uses up the code. Each attempt reads the current records.
    fn admit(&self, batch: Batch, verified: &VerifiedUser<'_>) -> Result<Admitted, ActionError> {
        let place = StoreKey::User(verified.user.id);
        let held: Revised<UserRecord> = self.read(&place)?.ok_or(ActionError::SignInFailed)?;
        // The user was reset or disabled meanwhile, which ended all sessions. No new session may
        // open.
        if held.record.disabled || held.record.password != verified.user.password {
            return Err(ActionError::SignInFailed);
        }
        let mut batch = batch.unchanged(place.to_bytes(), held.revision);
        if let Some(password) = &verified.rehashed {
            let user = UserRecord { password: password.clone(), ..held.record };
            batch = put(batch, &place, &user)?;
        }
        self.admit_code(batch, verified.user.id, verified.code)
    }

    fn admit_code(
        &self,
        batch: Batch,
        user: UserId,
        code: Option<&Secret>,
    ) -> Result<Admitted, ActionError> {
        let place = StoreKey::Totp(user);
        let Some(held) = self.read::<TotpRecord>(&place)? else {
            return Ok(Admitted::by_password(batch.absent(place.to_bytes())));
        };
        let batch = batch.unchanged(place.to_bytes(), held.revision);
        if !held.record.confirmed {
            return Ok(Admitted::by_password(batch));
        }
        let code = code.ok_or(ActionError::CodeRequired)?;
        let now = self.clock.now().wall;
        let spent = self.spend(user, held.record, code, now).ok_or(ActionError::SignInFailed)?;
        Ok(Admitted { batch: put(batch, &place, &spent)?, second_factor: true })
    }

    /// Verifies the password of a session's user. The returned guess has no result yet. The caller
    /// drops the guess, or records a failure if the next credential is wrong. Only a complete
    /// sign-in clears earlier failures.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] at `/current_password`.
    pub(in crate::actions) fn prove(
        &self,
        user: &UserRecord,
        password: &Secret,
        me: &Me<'_>,
    ) -> Result<Guess<'_>, ActionError> {
        let account = account_of(user.id);
        let guess = self.guess(&account, me.attempter())?;
        let fit = self.passwords.verify(password, Some(&user.password)).map_err(hash_failed)?;
        if fit != Fit::No {
            return Ok(guess);
        }
        self.refuse(guess, &account, me.source);
        Err(wrong_password())
    }

    /// Counts a guess at an account before the credentials are checked.
    pub(in crate::actions) fn guess(
        &self,
        account: &str,
        by: Attempter,
    ) -> Result<Guess<'_>, ActionError> {
        self.throttle.begin(account, by, &*self.clock).map_err(|wait| {
            self.failed_sign_ins.note(account, by.source, SignInFailure::Throttled);
            ActionError::Throttled { wait }
        })
    }

    /// Records a failed guess: the next guess waits longer, and the audit log receives an event.
    pub(in crate::actions) fn refuse(&self, guess: Guess<'_>, account: &str, source: Source) {
        guess.failed();
        self.failed_sign_ins.note(account, source, SignInFailure::Failed);
    }
}

pub(in crate::actions) fn wrong_password() -> ActionError {
    let detail = "is incorrect";
    ActionError::Invalid(vec![Fault::new("/current_password", FaultCode::WRONG_PASSWORD, detail)])
}
