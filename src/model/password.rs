//! The passwords that people may choose (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2).
//!
//! A password is the NFC of the typed text, since keyboards encode the same text in several ways.
//! No class of characters is required: a password must be long enough and need enough guesses.
//!
//! Earlier versions hashed the text as typed. Such a hash is accepted, and replaced at sign-in.
//! zxcvbn rates only the first 40 characters, since rating 100 hostile characters takes 0.9 s. The
//! limit on concurrent hashes includes these ratings.

use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};
use zxcvbn::zxcvbn;

use crate::model::secret::Secret;

/// The shortest password without a second factor.
pub const PASSWORD_CHARACTERS_MIN: usize = 15;
/// The shortest password beside a second factor.
pub const PASSWORD_CHARACTERS_MIN_WITH_CODE: usize = 8;
/// The longest password: enough for any password manager or sentence, and a limit on the work of
/// hashing.
pub const PASSWORD_CHARACTERS_MAX: usize = 256;

/// The number of leading characters that are rated. zxcvbn takes up to 0.15 s for 40 characters and
/// 0.9 s for 100, since it tries all substitutions of letters. A password is at least as strong as
/// its beginning.
const JUDGED_CHARACTERS_MAX: usize = 40;
/// The fewest guesses that a password must require: the beginning of zxcvbn's score 3. Eight
/// characters in which zxcvbn finds no pattern require exactly this many guesses.
const GUESSES_MIN: u64 = 100_000_000;
/// Words that count as known in every instance, in addition to zxcvbn's lists.
const KNOWN_WORDS: [&str; 2] = ["keyhouse", "correcthorsebatterystaple"];
/// The longest word about a user that is searched for, and the most words.
const WORD_CHARACTERS_MAX: usize = 64;
const WORDS_MAX: usize = 32;

/// The factors of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    Password,
    /// A password, and a code of a confirmed second factor.
    PasswordAndCode,
}

impl Factors {
    /// The fewest characters of a password.
    pub const fn characters_min(self) -> usize {
        match self {
            Self::Password => PASSWORD_CHARACTERS_MIN,
            Self::PasswordAndCode => PASSWORD_CHARACTERS_MIN_WITH_CODE,
        }
    }

    /// Whether a password is long enough with these factors.
    pub fn admit(self, password: &str) -> bool {
        password.nfc().take(PASSWORD_CHARACTERS_MIN).count() >= self.characters_min()
    }
}

const TOO_SHORT: &str = "too_short";
const TOO_LONG: &str = "too_long";

/// Why a password was rejected. The error contains the remedy, never the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    #[error("must have at least {min} characters; a sentence works well")]
    TooShort { min: usize },
    #[error("must have at most {PASSWORD_CHARACTERS_MAX} characters")]
    TooLong,
    #[error("is too easy to guess. {reason}")]
    Guessable {
        /// The cause and the remedy.
        reason: String,
        /// The stable names of the cause and the remedy.
        names: Vec<&'static str>,
    },
}

impl InvalidPassword {
    /// Stable names of the reasons, under which the page finds their translations.
    pub fn reasons(&self) -> Vec<&'static str> {
        let length = match self {
            Self::TooShort { .. } => TOO_SHORT,
            Self::TooLong => TOO_LONG,
            Self::Guessable { names, .. } => return names.clone(),
        };
        vec![length]
    }
}

/// Names the reasons of the estimate. Both functions cover every variant, and the list every name.
macro_rules! reasons {
    (
        $($warning:ident = $cause:literal;)*
        --
        $($suggestion:ident = $remedy:literal;)*
    ) => {
        fn name_of(warning: Warning) -> &'static str {
            match warning {
                $(Warning::$warning => $cause,)*
            }
        }

        fn name_of_advice(suggestion: Suggestion) -> &'static str {
            match suggestion {
                $(Suggestion::$suggestion => $remedy,)*
            }
        }

        /// Every name that [`InvalidPassword::reasons`] can return.
        pub const PASSWORD_REASONS: &[&str] = &[TOO_SHORT, TOO_LONG, $($cause,)* $($remedy,)*];
    };
}

reasons! {
    StraightRowsOfKeysAreEasyToGuess = "keyboard_row";
    ShortKeyboardPatternsAreEasyToGuess = "keyboard_pattern";
    RepeatsLikeAaaAreEasyToGuess = "repeated_characters";
    RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess = "repeated_parts";
    ThisIsATop10Password = "top_10";
    ThisIsATop100Password = "top_100";
    ThisIsACommonPassword = "common";
    ThisIsSimilarToACommonlyUsedPassword = "similar_to_common";
    SequencesLikeAbcAreEasyToGuess = "sequence";
    RecentYearsAreEasyToGuess = "recent_year";
    AWordByItselfIsEasyToGuess = "single_word";
    DatesAreOftenEasyToGuess = "date";
    NamesAndSurnamesByThemselvesAreEasyToGuess = "single_name";
    CommonNamesAndSurnamesAreEasyToGuess = "common_name";
    --
    UseAFewWordsAvoidCommonPhrases = "use_words";
    NoNeedForSymbolsDigitsOrUppercaseLetters = "no_symbols_needed";
    AddAnotherWordOrTwo = "add_words";
    CapitalizationDoesntHelpVeryMuch = "capitals_help_little";
    AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase = "all_capitals_help_little";
    ReversedWordsArentMuchHarderToGuess = "reversal_helps_little";
    PredictableSubstitutionsDontHelpVeryMuch = "substitutions_help_little";
    UseALongerKeyboardPatternWithMoreTurns = "use_longer_pattern";
    AvoidRepeatedWordsAndCharacters = "avoid_repeats";
    AvoidSequences = "avoid_sequences";
    AvoidRecentYears = "avoid_recent_years";
    AvoidYearsThatAreAssociatedWithYou = "avoid_own_years";
    AvoidDatesAndYearsThatAreAssociatedWithYou = "avoid_own_dates";
}

/// Facts about a user that a stranger may know and would try first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Personal<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub organization: &'a str,
}

impl Personal<'_> {
    /// The whole texts and the words in them. Short words are left out, since they occur in many
    /// passwords.
    fn words(&self) -> Vec<String> {
        let texts = [self.name, self.email, self.organization];
        let parts = texts.iter().flat_map(|text| {
            text.split(|character: char| !character.is_alphanumeric()).chain([*text])
        });
        let cut = parts.map(|part| part.chars().take(WORD_CHARACTERS_MAX).collect::<String>());
        cut.filter(|part| part.chars().count() > 2).take(WORDS_MAX).collect()
    }
}

/// The normal form of a password.
pub fn normal_form(password: &Secret) -> Secret {
    Secret::new(password.reveal().nfc().collect())
}

/// Checks that the length of a password is allowed with these factors.
pub fn check_length(password: &Secret, factors: Factors) -> Result<(), InvalidPassword> {
    let characters = password.reveal().nfc().take(PASSWORD_CHARACTERS_MAX + 1).count();
    match characters {
        _ if characters < factors.characters_min() => {
            Err(InvalidPassword::TooShort { min: factors.characters_min() })
        },
        _ if characters > PASSWORD_CHARACTERS_MAX => Err(InvalidPassword::TooLong),
        _ => Ok(()),
    }
}

/// Checks that this user may choose a password with these factors. The check takes up to 0.15 s of
/// a core.
pub fn check_password(
    password: &Secret,
    about: &Personal<'_>,
    factors: Factors,
) -> Result<(), InvalidPassword> {
    check_length(password, factors)?;
    let judged: String = password.reveal().nfc().take(JUDGED_CHARACTERS_MAX).collect();
    let judged = zeroize::Zeroizing::new(judged);
    let personal = about.words();
    let words: Vec<&str> = KNOWN_WORDS.into_iter().chain(personal.iter().map(|it| &**it)).collect();
    let estimate = zxcvbn(&judged, &words);
    if estimate.guesses() >= GUESSES_MIN {
        return Ok(());
    }
    let warning = estimate.feedback().and_then(Feedback::warning);
    let advice = estimate.feedback().map(Feedback::suggestions).unwrap_or_default();
    let texts = warning.iter().map(ToString::to_string);
    let texts: Vec<_> = texts.chain(advice.iter().map(ToString::to_string)).collect();
    let names = warning.map(name_of).into_iter();
    let names = names.chain(advice.iter().copied().map(name_of_advice)).collect();
    Err(InvalidPassword::Guessable { reason: texts.join(" "), names })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Personal<'_> = Personal {
        name: "Ada Lovelace",
        email: "ada.lovelace@analytical.example",
        organization: "Difference Engines",
    };

    fn judged(password: &str, factors: Factors) -> Result<(), InvalidPassword> {
        check_password(&Secret::new(password.to_owned()), &ADA, factors)
    }

    /// Regression: passwords from lists of stolen passwords were accepted, since only 22 words were
    /// known.
    #[test]
    fn guessable_passwords_are_rejected_with_a_reason() {
        for (password, reason) in [
            ("1q2w3e4r5t6y7u8i9o0p", "similar to a commonly used password"),
            ("passw0rdpassw0rd", "Repeats like"),
            ("abcdefghijklmnop", "Sequences like abc"),
            ("correcthorsebatterystaple", "Add another word or two"),
            ("passwordpassword123456", "Repeats like"),
            ("aaaaaaaaaaaaaaaaaaaa", "Repeats like"),
            ("keyhousekeyhouse", "Repeats like"),
            ("ada.lovelace@analytical.example", "Add another word or two"),
            ("Difference Engines", "Add another word or two"),
            ("lovelacelovelace", "Repeats like"),
        ] {
            let refused = judged(password, Factors::Password);
            let Err(InvalidPassword::Guessable { reason: given, .. }) = refused else {
                panic!("{password}: {refused:?}")
            };
            assert!(given.contains(reason), "{password}: {given}");
        }
    }

    #[test]
    fn length_counts_in_the_one_form() {
        let (alone, beside) = (Factors::Password, Factors::PasswordAndCode);
        for (password, factors, outcome) in [
            ("correct horse battery", alone, Ok(())),
            ("fourteen chars", alone, Err(InvalidPassword::TooShort { min: 15 })),
            ("fourteen chars", beside, Ok(())),
            ("kx7 pa2q", beside, Ok(())),
            ("kx7 pa2", beside, Err(InvalidPassword::TooShort { min: 8 })),
            ("p\u{e4}ssw\u{f6}rter sind l\u{e4}nger", alone, Ok(())),
            // Fifteen code points, which compose to fourteen characters.
            ("zwe\u{308}lf ist kurz", alone, Err(InvalidPassword::TooShort { min: 15 })),
        ] {
            assert_eq!(judged(password, factors), outcome, "{password}");
        }
        let long = "\u{e9}1b2c3".repeat(50);
        assert_eq!(judged(&long, alone), Err(InvalidPassword::TooLong));
    }

    /// Characters after the limit are not rated: rating a hundred hostile characters takes 0.9 s.
    #[test]
    fn only_the_first_characters_are_judged() {
        let weak = "a".repeat(JUDGED_CHARACTERS_MAX);
        let strong = "kx7 pa2q seven slow snails on the wall";
        assert!(judged(&format!("{strong}{weak}"), Factors::Password).is_ok());
        let behind = judged(&format!("{weak}{strong}"), Factors::Password);
        assert_eq!(behind, judged(&weak, Factors::Password));
        assert!(matches!(behind, Err(InvalidPassword::Guessable { .. })), "{behind:?}");
    }

    #[test]
    fn forms_of_one_text_are_one_password() {
        let (composed, apart) = ["p\u{e4}ssw\u{f6}rter", "pa\u{308}sswo\u{308}rter"]
            .map(|it| Secret::new(it.to_owned()))
            .into();
        assert!(composed != apart && normal_form(&apart) == composed);
    }
}
