//! Which passwords people may choose (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2).

/// Shortest password where nothing else proves who signs in.
pub const PASSWORD_CHARACTERS_MIN: usize = 15;
/// Shortest password beside a second factor.
pub const PASSWORD_CHARACTERS_MIN_WITH_CODE: usize = 8;
/// Longest password: enough for any manager or sentence, and a bound on the work of hashing.
pub const PASSWORD_CHARACTERS_MAX: usize = 256;

/// Words that make a password no longer: what is left without them must not be short.
const GUESSED_FIRST: &[&str] = &[
    "password",
    "passwort",
    "motdepasse",
    "contraseña",
    "qwertyuiop",
    "qwerty",
    "azerty",
    "1234567890",
    "123456789",
    "12345678",
    "123456",
    "12345",
    "1234",
    "abcdefgh",
    "letmein",
    "welcome",
    "iloveyou",
    "administrator",
    "admin",
    "keyhouse",
    "changeme",
    "secret",
];
/// How many characters must be left.
const REMAINDER_CHARACTERS_MIN: usize = 6;
/// How many different characters there must be.
const DIFFERENT_CHARACTERS_MIN: usize = 5;

/// What proves who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    /// A password and nothing else.
    Password,
    /// A password, and a code of a second factor that its user has confirmed.
    PasswordAndCode,
}

impl Factors {
    /// Fewest characters of a password.
    pub const fn characters_min(self) -> usize {
        match self {
            Self::Password => PASSWORD_CHARACTERS_MIN,
            Self::PasswordAndCode => PASSWORD_CHARACTERS_MIN_WITH_CODE,
        }
    }

    /// Whether a password is long enough beside them.
    pub fn admit(self, password: &str) -> bool {
        password.chars().count() >= self.characters_min()
    }
}

/// Why a password was not taken. Says what to do, never repeats the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Too short.
    #[error("must have at least {min} characters; any will do, a sentence is fine")]
    TooShort {
        /// The limit.
        min: usize,
    },
    /// Too long.
    #[error("must have at most {PASSWORD_CHARACTERS_MAX} characters")]
    TooLong,
    /// Among the first that somebody would try.
    #[error("is among the first that somebody would guess: choose other words")]
    Guessable,
}

/// Whether a password may be chosen by the user with this address and these factors. It is taken exactly as it is
/// typed: no character is changed, none is demanded.
///
/// # Errors
/// [`InvalidPassword`].
pub fn check_password(
    password: &str,
    email: &str,
    factors: Factors,
) -> Result<(), InvalidPassword> {
    if !factors.admit(password) {
        return Err(InvalidPassword::TooShort { min: factors.characters_min() });
    }
    if password.chars().count() > PASSWORD_CHARACTERS_MAX {
        return Err(InvalidPassword::TooLong);
    }
    let mut rest = password.to_lowercase();
    let different: std::collections::HashSet<char> = rest.chars().collect();
    let personal = email.split(['@', '.']).filter(|part| part.len() > 3);
    for word in personal.chain(GUESSED_FIRST.iter().copied()) {
        rest = rest.replace(word, "");
    }
    let short = rest.chars().count() < REMAINDER_CHARACTERS_MIN;
    if short || different.len() < DIFFERENT_CHARACTERS_MIN {
        return Err(InvalidPassword::Guessable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_what_is_guessed_first_does_not() {
        let (alone, beside) = (Factors::Password, Factors::PasswordAndCode);
        for (password, factors, outcome) in [
            ("correct horse battery", alone, Ok(())),
            ("fourteen chars", alone, Err(InvalidPassword::TooShort { min: 15 })),
            ("fourteen chars", beside, Ok(())),
            ("kx7 pa2q", beside, Ok(())),
            ("kx7 pa2", beside, Err(InvalidPassword::TooShort { min: 8 })),
            ("password", beside, Err(InvalidPassword::Guessable)),
            ("pässwörter sind länger", alone, Ok(())),
            ("passwordpassword123456", alone, Err(InvalidPassword::Guessable)),
            ("aaaaaaaaaaaaaaaaaaaa", alone, Err(InvalidPassword::Guessable)),
            ("ada.lovelace@example", alone, Err(InvalidPassword::Guessable)),
        ] {
            let email = "ada.lovelace@example.com";
            assert_eq!(check_password(password, email, factors), outcome, "{password}");
        }
        let long = "é1b2c3".repeat(50);
        assert_eq!(check_password(&long, "a@b.c", alone), Err(InvalidPassword::TooLong));
    }
}
