//! A requirement: permissions joined by AND, OR and parentheses.
//!
//! `a:b AND (c:d OR e:f)`: operators in any case, AND binds tighter than OR.

use std::fmt;
use std::str::FromStr;

use crate::model::permission::{InvalidPermission, Permission};

/// The most permissions named in one requirement.
pub const REQUIREMENT_NAMES_MAX: usize = 100;
/// The most characters of one requirement.
pub const REQUIREMENT_CHARACTERS_MAX: usize = 1_000;

/// A parsed requirement. The order is postfix, so that evaluation needs neither recursion nor
/// allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    text: Box<str>,
    steps: Vec<CompiledStep>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CompiledStep {
    Name(Permission),
    And,
    Or,
}

/// Why a text is not a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequirement {
    /// The text names no permission.
    #[error("must name at least one permission")]
    Empty,
    #[error("must be at most {REQUIREMENT_CHARACTERS_MAX} characters")]
    TooLong,
    #[error("must name at most {REQUIREMENT_NAMES_MAX} permissions")]
    TooManyNames,
    /// A word is neither a permission nor an operator.
    #[error("{word:?} {source}")]
    Word {
        word: String,
        /// The reason why the word is not a permission.
        source: InvalidPermission,
    },
    /// A permission stands where an operator is expected, or the reverse.
    #[error("expected {expected} at character {at}")]
    Unexpected {
        /// The word that is expected.
        expected: &'static str,
        /// The position, counted from 1.
        at: usize,
    },
}

impl Requirement {
    /// The requirement of all these permissions.
    ///
    /// # Errors
    ///
    /// [`InvalidRequirement::Empty`], [`InvalidRequirement::TooManyNames`].
    pub fn all(permissions: Vec<Permission>) -> Result<Self, InvalidRequirement> {
        if permissions.is_empty() {
            return Err(InvalidRequirement::Empty);
        }
        if permissions.len() > REQUIREMENT_NAMES_MAX {
            return Err(InvalidRequirement::TooManyNames);
        }
        let names: Vec<_> = permissions.iter().map(Permission::as_str).collect();
        let text = names.join(" AND ").into();
        let mut steps = Vec::with_capacity(permissions.len() * 2);
        for (at, permission) in permissions.into_iter().enumerate() {
            steps.push(CompiledStep::Name(permission));
            if at > 0 {
                steps.push(CompiledStep::And);
            }
        }
        Ok(Self { text, steps })
    }

    /// Whether the requirement is met; `granted` returns whether a permission is granted.
    pub fn is_met(&self, mut granted: impl FnMut(&Permission) -> bool) -> bool {
        // A stack of bits. The stack holds at most `REQUIREMENT_NAMES_MAX` values, which is fewer
        // than 128.
        let mut stack = 0_u128;
        for step in &self.steps {
            stack = match step {
                CompiledStep::Name(permission) => (stack << 1) | u128::from(granted(permission)),
                CompiledStep::And => (stack >> 1) & (stack | !1),
                CompiledStep::Or => (stack >> 1) | (stack & 1),
            };
        }
        stack & 1 == 1
    }

    /// The named permissions, in order.
    pub fn names(&self) -> impl Iterator<Item = &Permission> {
        self.steps.iter().filter_map(|step| match step {
            CompiledStep::Name(permission) => Some(permission),
            CompiledStep::And | CompiledStep::Or => None,
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Requirement {
    type Err = InvalidRequirement;

    /// Parses with two stacks, after Dijkstra's shunting yard.
    fn from_str(text: &str) -> Result<Self, InvalidRequirement> {
        if text.chars().count() > REQUIREMENT_CHARACTERS_MAX {
            return Err(InvalidRequirement::TooLong);
        }
        if text.trim().is_empty() {
            return Err(InvalidRequirement::Empty);
        }
        let mut parser = Parser { steps: Vec::new(), waiting: Vec::new(), names: 0 };
        let mut operand_due = true;
        for (at, word) in words(text) {
            operand_due = parser.take(word, at, operand_due)?;
        }
        let at = text.chars().count() + 1;
        if operand_due {
            return Err(InvalidRequirement::Unexpected { expected: "a permission or '('", at });
        }
        let steps = parser.finish(at)?;
        Ok(Self { text: text.trim().into(), steps })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PendingOperator {
    And,
    Or,
    Open,
}

struct Parser {
    steps: Vec<CompiledStep>,
    waiting: Vec<PendingOperator>,
    names: usize,
}

impl Parser {
    /// Parses one word; returns whether an operand is expected next.
    fn take(&mut self, word: &str, at: usize, due: bool) -> Result<bool, InvalidRequirement> {
        let unexpected = |expected| Err(InvalidRequirement::Unexpected { expected, at });
        let operator = operator(word);
        match (word, operator, due) {
            ("(", _, true) => {
                self.waiting.push(PendingOperator::Open);
                Ok(true)
            },
            (")", _, false) => {
                self.close(at)?;
                Ok(false)
            },
            (_, Some(operator), false) => {
                self.settle(operator);
                self.waiting.push(operator);
                Ok(true)
            },
            ("(", _, false) => unexpected("AND, OR or ')'"),
            (")", _, true) | (_, Some(_), true) => unexpected("a permission or '('"),
            (_, None, due) => {
                let permission = word.parse().map_err(|source| InvalidRequirement::Word {
                    word: word.chars().take(60).collect(),
                    source,
                })?;
                if !due {
                    return unexpected("AND, OR or ')'");
                }
                self.names += 1;
                if self.names > REQUIREMENT_NAMES_MAX {
                    return Err(InvalidRequirement::TooManyNames);
                }
                self.steps.push(CompiledStep::Name(permission));
                Ok(false)
            },
        }
    }

    /// Moves the operators that bind at least as tightly as `next` to the output.
    fn settle(&mut self, next: PendingOperator) {
        while let Some(top) = self.waiting.last().copied() {
            let step = match top {
                PendingOperator::And => CompiledStep::And,
                PendingOperator::Or if next == PendingOperator::Or => CompiledStep::Or,
                PendingOperator::Or | PendingOperator::Open => return,
            };
            self.waiting.pop();
            self.steps.push(step);
        }
    }

    fn close(&mut self, at: usize) -> Result<(), InvalidRequirement> {
        self.settle(PendingOperator::Or);
        match self.waiting.pop() {
            Some(PendingOperator::Open) => Ok(()),
            Some(PendingOperator::And | PendingOperator::Or) | None => {
                Err(InvalidRequirement::Unexpected { expected: "the end, AND or OR", at })
            },
        }
    }

    fn finish(mut self, at: usize) -> Result<Vec<CompiledStep>, InvalidRequirement> {
        self.settle(PendingOperator::Or);
        if self.waiting.is_empty() {
            Ok(self.steps)
        } else {
            Err(InvalidRequirement::Unexpected { expected: "')'", at })
        }
    }
}

fn operator(word: &str) -> Option<PendingOperator> {
    if word.eq_ignore_ascii_case("and") {
        Some(PendingOperator::And)
    } else if word.eq_ignore_ascii_case("or") {
        Some(PendingOperator::Or)
    } else {
        None
    }
}

/// The words of a text, each with the position of its first character, counted from 1.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    let mut at = 1;
    std::iter::from_fn(move || {
        let trimmed = rest.trim_start();
        at += rest.chars().count() - trimmed.chars().count();
        let first = trimmed.chars().next()?;
        let end = if matches!(first, '(' | ')') {
            1
        } else {
            let ends =
                |character: char| character.is_whitespace() || matches!(character, '(' | ')');
            trimmed.find(ends).unwrap_or(trimmed.len())
        };
        let (word, left) = trimmed.split_at(end);
        let begins = at;
        at += word.chars().count();
        rest = left;
        Some((begins, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn met(text: &str, granted: &[&str]) -> bool {
        let requirement: Requirement = text.parse().unwrap();
        requirement.is_met(|permission| granted.contains(&permission.as_str()))
    }

    #[test]
    fn and_binds_tighter_than_or_and_case_does_not_matter() {
        assert!(met("a:b OR c:d AND e:f", &["a:b"]));
        assert!(!met("(a:b OR c:d) AND e:f", &["a:b"]));
        assert!(met("a:b and (c:d Or e:f)", &["a:b", "e:f"]));
        assert!(!met("a:b AND (c:d OR e:f)", &["a:b"]));
        assert!(met("((a:b))", &["a:b"]));
    }

    #[test]
    fn errors_name_their_position() {
        for (text, message) in [
            ("", "must name at least one permission"),
            ("a:b AND", "expected a permission or '(' at character 8"),
            ("a:b c:d", "expected AND, OR or ')' at character 5"),
            ("AND a:b", "expected a permission or '(' at character 1"),
            ("(a:b", "expected ')' at character 5"),
            ("a:b)", "expected the end, AND or OR at character 4"),
            ("a:b (c:d)", "expected AND, OR or ')' at character 5"),
            ("()", "expected a permission or '(' at character 2"),
            ("a:b AND bad", "\"bad\" must be 2 to 8 segments"),
        ] {
            let error = text.parse::<Requirement>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_hold() {
        let names = |count| vec!["a:b"; count].join(" OR ");
        assert!(names(100).parse::<Requirement>().is_ok());
        assert_eq!(names(101).parse::<Requirement>(), Err(InvalidRequirement::TooManyNames));
        let long = format!("a:b{}", " ".repeat(REQUIREMENT_CHARACTERS_MAX));
        assert_eq!(long.parse::<Requirement>(), Err(InvalidRequirement::TooLong));
        let deep = format!("{}a:b{}", "(".repeat(400), ")".repeat(400));
        assert!(met(&deep, &["a:b"]));
        // The deepest stack for the maximum number of names: each operand waits for the next
        // operand.
        let right = format!("{}a:b{}", "a:b AND(".repeat(99), ")".repeat(99));
        assert!(right.len() <= REQUIREMENT_CHARACTERS_MAX && met(&right, &["a:b"]));
    }

    #[derive(Clone, Debug)]
    enum Tree {
        Name(u8),
        And(Box<Self>, Box<Self>),
        Or(Box<Self>, Box<Self>),
    }

    impl Tree {
        fn text(&self) -> String {
            match self {
                Self::Name(name) => format!("p{name}:x"),
                Self::And(one, other) => format!("({} AND {})", one.text(), other.text()),
                Self::Or(one, other) => format!("({} or {})", one.text(), other.text()),
            }
        }

        fn is_met(&self, granted: u16) -> bool {
            match self {
                Self::Name(name) => granted >> name & 1 == 1,
                Self::And(one, other) => one.is_met(granted) && other.is_met(granted),
                Self::Or(one, other) => one.is_met(granted) || other.is_met(granted),
            }
        }
    }

    fn tree() -> impl Strategy<Value = Tree> {
        (0_u8..12).prop_map(Tree::Name).prop_recursive(5, 40, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone())
                    .prop_map(|(one, other)| Tree::And(Box::new(one), Box::new(other))),
                (inner.clone(), inner)
                    .prop_map(|(one, other)| Tree::Or(Box::new(one), Box::new(other))),
            ]
        })
    }

    /// Splits at the loosest operator, recursively: precedence as in a grammar.
    fn naive(words: &[&str], granted: u16) -> bool {
        if let Some(cut) = words.iter().rposition(|word| *word == "OR") {
            return naive(&words[..cut], granted) || naive(&words[cut + 1..], granted);
        }
        if let Some(cut) = words.iter().rposition(|word| *word == "AND") {
            return naive(&words[..cut], granted) && naive(&words[cut + 1..], granted);
        }
        let number: u32 = words[0].trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        granted >> number & 1 == 1
    }

    proptest! {
        #[test]
        fn parsed_text_means_what_the_tree_means(tree in tree(), granted: u16) {
            let requirement: Requirement = tree.text().parse().unwrap();
            let has = |permission: &Permission| {
                let digits = permission.as_str().trim_matches(|c: char| !c.is_ascii_digit());
                granted >> digits.parse::<u32>().unwrap() & 1 == 1
            };
            prop_assert_eq!(requirement.is_met(has), tree.is_met(granted));
        }

        #[test]
        fn flat_text_keeps_precedence(
            names in proptest::collection::vec(0_u8..12, 1..10),
            operators in proptest::collection::vec(any::<bool>(), 10),
            granted: u16,
        ) {
            let mut text = String::new();
            for (at, name) in names.iter().enumerate() {
                if at > 0 {
                    text.push_str(if operators[at] { " AND " } else { " OR " });
                }
                text.extend(["p", &name.to_string(), ":x"]);
            }
            let words: Vec<_> = text.split(' ').collect();
            let requirement: Requirement = text.parse().unwrap();
            let has = |permission: &Permission| {
                let digits = permission.as_str().trim_matches(|c: char| !c.is_ascii_digit());
                granted >> digits.parse::<u32>().unwrap() & 1 == 1
            };
            prop_assert_eq!(requirement.is_met(has), naive(&words, granted));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a:b ()ANDor*é]{0,60}") {
            let (Ok(_) | Err(_)) = text.parse::<Requirement>();
        }
    }
}
