//! A user's second factor: enrolment, confirmation, use of codes, backup codes and removal.

use keyhouse_storage::Batch;

use crate::actions::accounts::emails::account_of;
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::session_user::Me;
use crate::actions::signing_in::sessions::SessionKept;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::audit_action::AuditAction;
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::password::{Factors, PASSWORD_CHARACTERS_MIN};
use crate::model::secret::{Digest, Secret};
use crate::model::totp::{BACKUP_CODES, backup_digest, new_backup_code, new_seed, step_of, url};
use crate::records::Revised;
use crate::records::access::UserRecord;
use crate::records::people::TotpRecord;
use crate::records::place::StoreKey;

/// A second factor that its user has not confirmed yet.
#[derive(Debug)]
pub struct NewTotp {
    /// The shared secret in base 32.
    pub seed: Secret,
    /// The URL of the QR code for authenticator apps.
    pub url: Secret,
}

/// The credentials for a change of a confirmed second factor.
#[derive(Debug)]
pub struct Proof {
    pub current_password: Secret,
    /// A code or a backup code.
    pub code: Secret,
}

impl Actions {
    /// Creates a second factor for a user who presents the password. The second factor has no
    /// effect until it is confirmed, and replaces an earlier unconfirmed second factor.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] if a second factor is confirmed.
    pub fn begin_totp(
        &self,
        me: &Me<'_>,
        current_password: &Secret,
    ) -> Result<NewTotp, ActionError> {
        let user = self.own_record(me.user)?.record;
        if self.factors(Batch::new(), me.user)?.0 == Factors::PasswordAndCode {
            return Err(already_on());
        }
        drop(self.prove(&user, current_password, me)?);
        let seed = new_seed(&mut *self.random());
        let place = StoreKey::Totp(me.user);
        Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let (factors, batch) = self.factors(Batch::new(), me.user)?;
            if factors == Factors::PasswordAndCode {
                return Err(already_on());
            }
            let now = self.clock.now().wall;
            // Held until the commit, so that a rotation of the keys does not miss this seed.
            let keys = self.seed_keys.read();
            let record = TotpRecord {
                seed: keys.encrypt(me.user, &seed, &mut *self.random())?,
                confirmed: false,
                step_last: 0,
                backup: Vec::new(),
                created_at: now,
            };
            let batch = put(self.while_password(batch, &user)?, &place, &record)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::TOTP_BEGIN, me.user);
            self.commit_change(decided, batch, audit_entry, ())
        })?;
        let url = url(&seed, &user.email);
        Ok(NewTotp { seed, url })
    }

    /// Confirms a second factor with its first code. Later sign-ins require a code, and all other
    /// sessions end. Returns the backup codes, which cannot be retrieved again.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] if there is no unconfirmed second factor; [`ActionError::Invalid`]
    /// at `/code`.
    pub fn confirm_totp(&self, me: &Me<'_>, code: &Secret) -> Result<Vec<Secret>, ActionError> {
        let user = self.own_record(me.user)?.record;
        let account = account_of(user.id);
        let guess = self.guess(&account, me.attempter())?;
        let place = StoreKey::Totp(me.user);
        let codes = self.new_backup_codes();
        let confirmed = Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let held: Revised<TotpRecord> = self.read(&place)?.ok_or_else(not_begun)?;
            if held.record.confirmed {
                return Err(already_on());
            }
            let now = self.clock.now().wall;
            let seed = self.seed_of(me.user, &held.record);
            let step = seed.and_then(|seed| step_of(seed.reveal(), code.reveal(), now, 0));
            let Some(step_last) = step else {
                return Ok(Attempt::Done(false));
            };
            let backup = digests(&codes);
            let record = TotpRecord { confirmed: true, step_last, backup, ..held.record };
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let batch = put(batch, &place, &record)?;
            let batch = self.keep_session(batch, me, SessionKept::WithSecondFactor)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::TOTP_ENABLE, me.user);
            self.commit_change(decided, batch, audit_entry, true)
        })?;
        if confirmed {
            return Ok(codes);
        }
        self.refuse(guess, &account, me.source);
        Err(wrong_code())
    }

    /// Removes a second factor for a user who presents the password and a code, and whose password
    /// is long enough without a second factor.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] if no second factor is confirmed; [`ActionError::Invalid`] at
    /// `/current_password` or `/code`; [`ActionError::Conflict`] for a short password.
    pub fn remove_totp(&self, me: &Me<'_>, proof: &Proof) -> Result<(), ActionError> {
        let user = self.own_record(me.user)?.record;
        if self.factors(Batch::new(), me.user)?.0 == Factors::Password {
            return Err(ActionError::NotFound("second factor"));
        }
        let guess = self.prove(&user, &proof.current_password, me)?;
        if !Factors::Password.admit(proof.current_password.reveal()) {
            return Err(too_short());
        }
        let place = StoreKey::Totp(me.user);
        let removed = Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let held: Option<Revised<TotpRecord>> = self.read(&place)?;
            let held = held.filter(|held| held.record.confirmed);
            let held = held.ok_or(ActionError::NotFound("second factor"))?;
            let now = self.clock.now().wall;
            if self.spend(me.user, held.record, &proof.code, now).is_none() {
                return Ok(Attempt::Done(false));
            }
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let batch = self.while_password(batch.delete(place.to_bytes()), &user)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::TOTP_DISABLE, me.user);
            self.commit_change(decided, batch, audit_entry, true)
        })?;
        if removed {
            return Ok(());
        }
        self.refuse(guess, &account_of(user.id), me.source);
        Err(wrong_code())
    }

    /// Replaces the backup codes for a user who presents the password and a code. The old codes
    /// become invalid, and the new codes cannot be retrieved again.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] if no second factor is confirmed; [`ActionError::Invalid`] at
    /// `/current_password` or `/code`.
    pub fn renew_backup_codes(
        &self,
        me: &Me<'_>,
        proof: &Proof,
    ) -> Result<Vec<Secret>, ActionError> {
        let user = self.own_record(me.user)?.record;
        if self.factors(Batch::new(), me.user)?.0 == Factors::Password {
            return Err(ActionError::NotFound("second factor"));
        }
        let guess = self.prove(&user, &proof.current_password, me)?;
        let place = StoreKey::Totp(me.user);
        let codes = self.new_backup_codes();
        let renewed = Self::until_done(|| {
            let decided = self.authorize(me.actor)?;
            let held: Option<Revised<TotpRecord>> = self.read(&place)?;
            let held = held.filter(|held| held.record.confirmed);
            let held = held.ok_or(ActionError::NotFound("second factor"))?;
            let now = self.clock.now().wall;
            let Some(spent) = self.spend(me.user, held.record, &proof.code, now) else {
                return Ok(Attempt::Done(false));
            };
            let record = TotpRecord { backup: digests(&codes), ..spent };
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            let batch = self.while_password(put(batch, &place, &record)?, &user)?;
            let audit_entry = AuditEntry::by(&decided, AuditAction::TOTP_RENEW_CODES, me.user);
            self.commit_change(decided, batch, audit_entry, true)
        })?;
        if renewed {
            return Ok(codes);
        }
        self.refuse(guess, &account_of(user.id), me.source);
        Err(wrong_code())
    }

    fn new_backup_codes(&self) -> Vec<Secret> {
        (0..BACKUP_CODES).map(|_| new_backup_code(&mut *self.random())).collect()
    }

    /// Adds a guard to a batch so that it is committed only if the verified password is still the
    /// user's.
    fn while_password(&self, batch: Batch, proven: &UserRecord) -> Result<Batch, ActionError> {
        let held = self.own_record(proven.id)?;
        if held.record.password != proven.password {
            return Err(super::sign_in::wrong_password());
        }
        Ok(batch.unchanged(StoreKey::User(proven.id).to_bytes(), held.revision))
    }

    /// The record after the use of a code; `None` for a wrong code. A code is accepted only if its
    /// time step is later than the last accepted step. A backup code is accepted once.
    pub(in crate::actions) fn spend(
        &self,
        user: UserId,
        record: TotpRecord,
        code: &Secret,
        now: Moment,
    ) -> Option<TotpRecord> {
        if let Some(step_last) = self.step_of_code(user, &record, code, now) {
            return Some(TotpRecord { step_last, ..record });
        }
        let digest = backup_digest(code.reveal())?;
        let at = record.backup.iter().position(|known| *known == digest)?;
        let mut record = record;
        record.backup.remove(at);
        Some(record)
    }

    /// The time step of a code, if it is later than the last accepted step. `None` for an incorrect code
    /// and for a backup code.
    pub(in crate::actions) fn step_of_code(
        &self,
        user: UserId,
        record: &TotpRecord,
        code: &Secret,
        now: Moment,
    ) -> Option<u64> {
        let seed = self.seed_of(user, record)?;
        step_of(seed.reveal(), code.reveal(), now, record.step_last)
    }

    /// The seed of a user. `None` if the key file does not have its key: backup codes then still
    /// work, and codes do not.
    fn seed_of(&self, user: UserId, record: &TotpRecord) -> Option<Secret> {
        let seed = self.seed_keys.read().decrypt(user, &record.seed);
        seed.inspect_err(|error| tracing::error!(%user, %error, "totp: could not read a seed")).ok()
    }
}

fn digests(codes: &[Secret]) -> Vec<Digest> {
    codes.iter().filter_map(|code| backup_digest(code.reveal())).collect()
}

pub(in crate::actions) fn wrong_code() -> ActionError {
    let detail = "is incorrect, expired or already used: enter a new code";
    ActionError::Invalid(vec![Fault::new("/code", FaultCode::WRONG_CODE, detail)])
}

fn already_on() -> ActionError {
    let detail = "a second factor is already set: remove it first";
    ActionError::Conflict { error: errors::TOTP_ALREADY_ON, detail }
}

fn not_begun() -> ActionError {
    let detail = "no second factor is being set up: send current_password first";
    ActionError::Conflict { error: errors::TOTP_NOT_BEGUN, detail }
}

const TOO_SHORT: &str = "without a second factor a password needs at least 15 characters: change \
    the password (PATCH /v1/me), then remove the second factor";
const _: () = assert!(PASSWORD_CHARACTERS_MIN == 15);

fn too_short() -> ActionError {
    ActionError::Conflict { error: errors::PASSWORD_TOO_SHORT, detail: TOO_SHORT }
}
