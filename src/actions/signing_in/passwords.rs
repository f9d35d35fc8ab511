//! Hashes passwords with Argon2id. A few hashes run at a time, and a short queue of callers waits.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng;

use crate::actions::ActionError;
use crate::model::password::{Factors, InvalidPassword, Personal, check_password, normal_form};
use crate::model::secret::Secret;

/// Maximum number of callers that wait for a turn.
pub(crate) const QUEUE_MAX: usize = 32;
/// The longest wait for a turn.
const QUEUE_WAIT: Duration = Duration::from_secs(2);
const SALT_BYTES: usize = 16;

/// Hashes with Argon2id at 19 MiB, two passes, one lane (OWASP ASVS 5.0, 11.4.2). As many hashes
/// run at once as there are cores. Each hash takes 19 MiB and about 40 ms.
#[derive(Debug)]
pub struct Passwords {
    hasher: Argon2<'static>,
    turns: Mutex<HashTurns>,
    freed: Condvar,
}

#[derive(Debug)]
struct HashTurns {
    free: usize,
    waiting: usize,
}

/// Whether a password matches a PHC string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    No,
    Yes,
    /// The password matches only as typed, not in canonical form: an earlier version hashed it as
    /// typed.
    AsTyped,
}

/// Why a hash was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("too many passwords are being checked: try again later")]
    Busy,
    /// The library returned an error.
    #[error("could not hash the password")]
    Failed,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            hasher: Argon2::default(),
            turns: Mutex::new(HashTurns { free: cores, waiting: 0 }),
            freed: Condvar::new(),
        }
    }
}

impl Passwords {
    /// The PHC string of a password in canonical form, with a salt from `random`.
    pub fn hash(&self, password: &Secret, random: &mut impl Rng) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        random.fill_bytes(&mut salt);
        let password = normal_form(password);
        self.in_turn(|| {
            let hash = self.hasher.hash_password_with_salt(password.reveal().as_bytes(), &salt);
            hash.map(|hash: PasswordHash| hash.to_string()).map_err(|_source| HashError::Failed)
        })
    }

    /// Whether a password matches a PHC string, in canonical form or as typed. Without a PHC
    /// string, as for a user that does not exist, the call takes the same time and returns
    /// [`Fit::No`].
    pub fn verify(&self, password: &Secret, stored: Option<&str>) -> Result<Fit, HashError> {
        let known = stored.is_some();
        let parsed =
            PasswordHash::new(stored.unwrap_or(DECOY_HASH)).map_err(|_s| HashError::Failed)?;
        let normal = normal_form(password);
        self.in_turn(|| {
            let fits = |text: &Secret| {
                self.hasher.verify_password(text.reveal().as_bytes(), &parsed).is_ok()
            };
            let fit = if fits(&normal) {
                Fit::Yes
            } else if normal != *password && fits(password) {
                Fit::AsTyped
            } else {
                Fit::No
            };
            Ok(if known { fit } else { Fit::No })
        })
    }

    /// Checks a new password. The check takes a turn, because it needs as much time as hashing.
    pub fn judge(
        &self,
        password: &Secret,
        about: &Personal<'_>,
        factors: Factors,
    ) -> Result<Result<(), InvalidPassword>, HashError> {
        self.in_turn(|| Ok(check_password(password, about, factors)))
    }

    /// Whether a PHC string has the current parameters. A PHC string with other parameters should
    /// be replaced at the next sign-in.
    pub fn is_current(&self, stored: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(stored) else { return false };
        let argon2id = parsed.algorithm == Algorithm::Argon2id.ident();
        let version = parsed.version == Some(Version::default().into());
        let parameters = Params::try_from(&parsed);
        argon2id
            && version
            && parameters.is_ok_and(|known| costs_as_much(&known, self.hasher.params()))
    }

    fn in_turn<T>(&self, work: impl FnOnce() -> Result<T, HashError>) -> Result<T, HashError> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.free == 0 && turns.waiting >= QUEUE_MAX {
            return Err(HashError::Busy);
        }
        turns.waiting += 1;
        let full = |turns: &mut HashTurns| turns.free == 0;
        let waited = self.freed.wait_timeout_while(turns, QUEUE_WAIT, full);
        let (mut turns, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        turns.waiting -= 1;
        if timeout.timed_out() {
            return Err(HashError::Busy);
        }
        turns.free -= 1;
        drop(turns);
        let _turn = HashTurn(self);
        work()
    }
}

fn costs_as_much(known: &Params, today: &Params) -> bool {
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    costs(known) == costs(today)
}

/// A caller's turn. The drop returns the turn, even after a panic.
struct HashTurn<'a>(&'a Passwords);

impl Drop for HashTurn<'_> {
    fn drop(&mut self) {
        self.0.turns.lock().unwrap_or_else(PoisonError::into_inner).free += 1;
        self.0.freed.notify_one();
    }
}

/// The hash of an account that does not exist. This hash has the parameters of real hashes, so a
/// guess at an unknown address costs as much as a guess at a known address (OWASP ASVS 5.0, 6.3.8).
const DECOY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$S2V5aG91c2Vub2JvZHlzIQ$\
                       AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(in crate::actions) fn hash_failed(error: HashError) -> ActionError {
    match error {
        HashError::Busy => ActionError::Busy,
        HashError::Failed => ActionError::StorageUnavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::default();
        let right = Secret::new("correct horse battery".to_owned());
        let wrong = Secret::new("correct horse batterz".to_owned());
        let stored = passwords.hash(&right, &mut rand::rng()).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(passwords.verify(&right, Some(&stored)), Ok(Fit::Yes));
        assert_eq!(passwords.verify(&wrong, Some(&stored)), Ok(Fit::No));
        assert_eq!(passwords.verify(&right, None), Ok(Fit::No));
    }

    /// Regression: a password was rejected if a keyboard sent it in decomposed Unicode.
    #[test]
    fn a_password_is_known_in_every_form_and_an_old_hash_as_it_was_typed() {
        let passwords = Passwords::default();
        let secret = |text: &str| Secret::new(text.to_owned());
        let (composed, apart) =
            (secret("p\u{e4}sswort von gestern"), secret("pa\u{308}sswort von gestern"));
        let stored = passwords.hash(&apart, &mut rand::rng()).unwrap();
        for form in [&composed, &apart] {
            assert_eq!(passwords.verify(form, Some(&stored)), Ok(Fit::Yes));
        }
        let raw = passwords.hasher.hash_password_with_salt(apart.reveal().as_bytes(), &[7; 16]);
        let raw = raw.unwrap().to_string();
        assert_eq!(passwords.verify(&apart, Some(&raw)), Ok(Fit::AsTyped));
        assert_eq!(passwords.verify(&composed, Some(&raw)), Ok(Fit::No));
        assert_eq!(passwords.verify(&apart, None), Ok(Fit::No));
    }

    #[test]
    fn a_hash_of_other_parameters_is_not_todays() {
        let passwords = Passwords::default();
        assert!(passwords.is_current(DECOY_HASH));
        for other in [
            DECOY_HASH.replace("m=19456", "m=9216"),
            DECOY_HASH.replace("t=2", "t=3"),
            DECOY_HASH.replace("argon2id", "argon2i"),
            DECOY_HASH.replace("v=19", "v=16"),
            "no hash".to_owned(),
        ] {
            assert!(!passwords.is_current(&other), "{other}");
        }
    }

    #[test]
    fn a_turn_comes_back_when_its_work_panics() {
        let passwords = Passwords::default();
        let free = passwords.turns.lock().unwrap().free;
        let panicking = || passwords.in_turn::<()>(|| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
        assert_eq!(passwords.turns.lock().unwrap().free, free);
    }

    #[test]
    fn the_queue_is_bounded() {
        let passwords = Passwords::default();
        *passwords.turns.lock().unwrap() = HashTurns { free: 0, waiting: QUEUE_MAX };
        let busy = passwords.verify(&Secret::new("any".to_owned()), None);
        assert_eq!(busy, Err(HashError::Busy));
    }
}
