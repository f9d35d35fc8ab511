//! One-time codes of authenticator apps (RFC 6238: SHA-1, six digits, 30 s), and backup codes.
//!
//! A user who lost the app signs in with a backup code.

use rand::Rng;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::model::moment::Moment;
use crate::model::secret::{Digest, Secret};

/// The number of backup codes of a user.
pub const BACKUP_CODES: usize = 8;
/// The time for which a code is valid, in seconds.
pub const STEP_SECONDS: u64 = 30;
/// The number of steps by which a client's clock may be wrong, in either direction (RFC 6238, 5.2).
const STEPS_OFF_MAX: u64 = 1;
/// The length of the hash (RFC 4226, 4, R6).
const SEED_BYTES: usize = 20;
const CODE_DIGITS: usize = 6;
/// The characters of a backup code: 80 bits, too many for a search through all digests.
const BACKUP_CHARACTERS: usize = 16;
/// The number of characters in a group.
const BACKUP_GROUP: usize = 4;
/// Crockford's base 32: without the letters that resemble digits.
const BACKUP_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The issuer that authenticator apps show beside the code.
const ISSUER: &str = "Keyhouse";

/// A new shared secret, in base 32 as authenticator apps expect it.
pub fn new_seed(random: &mut impl Rng) -> Secret {
    let mut bytes = Zeroizing::new([0; SEED_BYTES]);
    random.fill_bytes(&mut *bytes);
    Secret::new(totp_rs::Secret::new(Box::new(*bytes)).to_base32())
}

/// The content of a QR code for an authenticator app, in the "Key URI Format".
pub fn url(seed: &Secret, email: &str) -> Secret {
    let label: String = form_urlencoded::byte_serialize(email.as_bytes()).collect();
    Secret::new(format!(
        "otpauth://totp/{ISSUER}:{label}?secret={}&issuer={ISSUER}&algorithm=SHA1\
         &digits={CODE_DIGITS}&period={STEP_SECONDS}",
        seed.reveal()
    ))
}

/// The time step of a code, if that step is at most one away from now, and later than `step_last`,
/// the last accepted step.
pub fn step_of(seed: &str, code: &str, now: Moment, step_last: u64) -> Option<u64> {
    let code = without_spaces(code);
    if code.len() != CODE_DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let totp = generator(seed)?;
    let today = step_at(now);
    let steps = today.saturating_sub(STEPS_OFF_MAX)..=today.saturating_add(STEPS_OFF_MAX);
    // All steps are compared even after a match, so that the duration reveals nothing about the
    // client's clock.
    let fitting = |step: &u64| totp.check(&code, step.saturating_mul(STEP_SECONDS)).is_some();
    steps.filter(fitting).filter(|step| *step > step_last).max()
}

/// The code that an app shows at a moment.
pub fn code_at(seed: &str, now: Moment) -> Option<Secret> {
    let totp = generator(seed)?;
    Some(Secret::new(totp.generate(step_at(now) * STEP_SECONDS).to_string()))
}

/// A new backup code, such as `7k3m-x2pd-90ab-q5wt`.
pub fn new_backup_code(random: &mut impl Rng) -> Secret {
    let mut text = String::with_capacity(BACKUP_CHARACTERS * 2);
    let mut bytes = Zeroizing::new([0; BACKUP_CHARACTERS]);
    random.fill_bytes(&mut *bytes);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % BACKUP_GROUP == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32, so all characters are equally likely.
        let letter = BACKUP_ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'0');
        text.push(char::from(letter));
    }
    Secret::new(text)
}

/// The digest under which a backup code is stored; `None` for an invalid code. Case, hyphens and
/// spaces are ignored, and letters that resemble digits count as these digits.
pub fn backup_digest(code: &str) -> Option<Digest> {
    let mut plain = Zeroizing::new(String::with_capacity(BACKUP_CHARACTERS));
    for letter in without_spaces(code).chars().filter(|letter| *letter != '-') {
        let letter = match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let known = u8::try_from(letter).is_ok_and(|byte| BACKUP_ALPHABET.contains(&byte));
        if !known || plain.len() >= BACKUP_CHARACTERS {
            return None;
        }
        plain.push(letter);
    }
    (plain.len() == BACKUP_CHARACTERS).then(|| Digest::of(plain.as_bytes()))
}

fn generator(seed: &str) -> Option<Totp> {
    let secret = totp_rs::Secret::try_from_base32(seed).ok()?;
    // `skew` is 0: the library would not return which of several steps matches.
    Builder::new().with_secret(secret).with_step_duration(STEP_SECONDS).with_skew(0).build().ok()
}

fn step_at(now: Moment) -> u64 {
    u64::try_from(now.milliseconds()).unwrap_or(0) / 1_000 / STEP_SECONDS
}

fn without_spaces(code: &str) -> Zeroizing<String> {
    Zeroizing::new(code.chars().filter(|letter| !letter.is_whitespace()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ASCII text of RFC 6238, appendix B, in base 32.
    const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: i64) -> Moment {
        Moment::from_milliseconds(seconds * 1_000)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(SEED, at(seconds)).unwrap().reveal(), code);
            let step = u64::try_from(seconds).unwrap() / 30;
            assert_eq!(step_of(SEED, code, at(seconds), 0), Some(step));
        }
    }

    #[test]
    fn a_code_is_good_one_step_either_side_and_never_again() {
        let code = code_at(SEED, at(3_000)).unwrap();
        for (seconds, step_last, taken) in [
            (3_000, 0, true),
            (3_000 + 59, 0, true),
            (3_000 + 60, 0, false),
            (3_000 - 30, 0, true),
            (3_000 - 31, 0, false),
            (3_000, 99, true),
            (3_000, 100, false),
            (3_000, 101, false),
        ] {
            let step = step_of(SEED, code.reveal(), at(seconds), step_last);
            assert_eq!(step, taken.then_some(100), "{seconds} {step_last}");
        }
    }

    #[test]
    fn invalid_codes_are_rejected() {
        for wrong in ["", "28708", "2870820", "28708a", "２８７０８２", "-28708"] {
            assert_eq!(step_of(SEED, wrong, at(59), 0), None, "{wrong}");
        }
        assert_eq!(step_of(SEED, " 287 082 ", at(59), 0), Some(1));
        assert_eq!(step_of("not base 32!", "287082", at(59), 0), None);
    }

    #[test]
    fn seeds_are_160_bits_and_read_by_apps() {
        let seed = new_seed(&mut rand::rng());
        assert_eq!(seed.reveal().len(), 32);
        assert!(code_at(seed.reveal(), at(0)).is_some());
        let url = url(&seed, "ada+x@example.com");
        let expected = format!(
            "otpauth://totp/Keyhouse:ada%2Bx%40example.com?secret={}&issuer=Keyhouse\
             &algorithm=SHA1&digits=6&period=30",
            seed.reveal()
        );
        assert_eq!(url.reveal(), expected);
    }

    #[test]
    fn backup_codes_are_known_again_however_they_are_typed() {
        let code = new_backup_code(&mut rand::rng());
        assert_eq!(code.reveal().len(), 19, "{}", code.reveal());
        let digest = backup_digest(code.reveal()).unwrap();
        for typed in [
            code.reveal().to_uppercase(),
            code.reveal().replace('-', " "),
            code.reveal().replace('-', "").replace('0', "O").replace('1', "l"),
        ] {
            assert_eq!(backup_digest(&typed), Some(digest), "{typed}");
        }
        for wrong in
            ["", "7k3m", "7k3m-x2pd-90ab-q5w", "7k3m-x2pd-90ab-q5wtu", "7k3m-x2pd-90ab-q5wu"]
        {
            assert_eq!(backup_digest(wrong), None, "{wrong}");
        }
    }
}
