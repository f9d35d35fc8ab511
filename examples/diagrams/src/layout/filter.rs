//! The filter of a snapshot: which resources are drawn.
//!
//! ```text
//! filter = any
//! any    = all *( "OR" all )
//! all    = one *( [ "AND" ] one )
//! one    = *"NOT" ( term / "(" any ")" )
//! term   = text / key "=" text
//! ```
//!
//! Spaces and commas separate terms. `"` begins and ends a part of a term in which spaces, commas and parentheses are
//! letters. The operators are in capitals. A text matches a resource if its name, id, type or the value of a tag
//! contains the text; `key=text` matches if the field or the tag `key` has exactly this value. All are compared without
//! case.

use std::fmt;

/// The UTF-8 length of a filter.
pub const FILTER_BYTES_MAX: usize = 2_048;
/// The terms of a filter.
const TERMS_MAX: usize = 50;
/// The parentheses around a term.
const DEPTH_MAX: usize = 20;

/// A filter that was read. The default one matches every resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    text: String,
    root: Option<Clause>,
}

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The character at which reading ended; the first one is 1.
    position: usize,
    detail: String,
}

/// The texts of a resource that filters match, in lower case.
#[derive(Debug, Default)]
pub(super) struct Facts {
    texts: Vec<String>,
    pairs: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Clause {
    Text(String),
    Pair(String, String),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(Clause),
}

/// Reads tokens from left to right.
struct Reader {
    /// The tokens and their positions.
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token)>>,
    /// The position after the last character.
    end: usize,
    depth: usize,
}

impl Filter {
    /// Reads a filter. A text without a term matches every resource.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > FILTER_BYTES_MAX {
            return error(1, format!("a filter has at most {FILTER_BYTES_MAX} bytes"));
        }
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Ok(Self::default());
        }
        let is_term = |(_, token): &&(usize, Token)| matches!(token, Token::Term(_));
        if let Some((position, _)) = tokens.iter().filter(is_term).nth(TERMS_MAX) {
            return error(*position, format!("a filter has at most {TERMS_MAX} terms"));
        }
        let end = text.chars().count() + 1;
        let mut reader = Reader { tokens: tokens.into_iter().peekable(), end, depth: 0 };
        let root = reader.any()?;
        match reader.tokens.next() {
            None => Ok(Self { text: text.to_owned(), root: Some(root) }),
            Some((position, _)) => error(position, "the parenthesis was not opened"),
        }
    }

    /// The text that was read; `None` for a filter that matches every resource.
    pub(super) fn text(&self) -> Option<&str> {
        self.root.as_ref().map(|_| self.text.as_str())
    }

    pub(super) fn matches(&self, facts: &Facts) -> bool {
        self.root.as_ref().is_none_or(|root| root.matches(facts))
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.position, self.detail)
    }
}

impl std::error::Error for FilterError {}

impl Facts {
    pub(super) fn text(&mut self, text: &str) {
        self.texts.push(text.to_lowercase());
    }

    pub(super) fn pair(&mut self, key: &str, value: &str) {
        self.pairs.push((key.to_lowercase(), value.to_lowercase()));
    }
}

impl Clause {
    fn matches(&self, facts: &Facts) -> bool {
        match self {
            Self::Text(text) => facts.texts.iter().any(|it| it.contains(text)),
            Self::Pair(key, value) => {
                facts.pairs.iter().any(|(its_key, its_value)| its_key == key && its_value == value)
            },
            Self::Not(inner) => !inner.matches(facts),
            Self::All(parts) => parts.iter().all(|part| part.matches(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(facts)),
        }
    }
}

impl Reader {
    fn any(&mut self) -> Result<Clause, FilterError> {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(only_or(parts, Clause::Any))
    }

    fn all(&mut self) -> Result<Clause, FilterError> {
        let mut parts = vec![self.one()?];
        loop {
            let is_joined = self.take(&Token::And);
            let next = self.tokens.peek().map(|(_, token)| token);
            if !is_joined && matches!(next, None | Some(Token::Or | Token::Close)) {
                return Ok(only_or(parts, Clause::All));
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Clause, FilterError> {
        let mut is_negated = false;
        while self.take(&Token::Not) {
            is_negated = !is_negated;
        }
        let clause = match self.tokens.next() {
            Some((_, Token::Term(term))) => term,
            Some((position, Token::Open)) => self.inside(position)?,
            Some((position, Token::Close | Token::And | Token::Or | Token::Not)) => {
                return error(position, "a term is missing");
            },
            None => return error(self.end, "a term is missing"),
        };
        Ok(if is_negated { Clause::Not(Box::new(clause)) } else { clause })
    }

    /// The rest of parentheses that were opened at `position`.
    fn inside(&mut self, position: usize) -> Result<Clause, FilterError> {
        if self.depth == DEPTH_MAX {
            return error(position, format!("at most {DEPTH_MAX} parentheses may be open"));
        }
        self.depth += 1;
        let clause = self.any()?;
        self.depth -= 1;
        if self.take(&Token::Close) {
            return Ok(clause);
        }
        error(position, "the parenthesis is not closed")
    }

    fn take(&mut self, token: &Token) -> bool {
        self.tokens.next_if(|(_, next)| next == token).is_some()
    }
}

fn only_or(mut parts: Vec<Clause>, several: impl FnOnce(Vec<Clause>) -> Clause) -> Clause {
    if parts.len() > 1 {
        return several(parts);
    }
    parts.pop().unwrap_or(Clause::All(Vec::new()))
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let mut found = Vec::new();
    let mut letters = (1..).zip(text.chars()).peekable();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '(' => found.push((position, Token::Open)),
            ')' => found.push((position, Token::Close)),
            _ if is_separator(letter) => {},
            _ => {
                let mut word = Word::default();
                word.push(letter);
                while let Some((_, letter)) =
                    letters.next_if(|(_, letter)| word.is_quoting || !is_end(*letter))
                {
                    word.push(letter);
                }
                found.push((position, word.token(position)?));
            },
        }
    }
    Ok(found)
}

/// One word of a filter while it is read.
#[derive(Debug, Default)]
struct Word {
    key: Option<String>,
    text: String,
    is_quoting: bool,
    has_quotes: bool,
}

impl Word {
    fn push(&mut self, letter: char) {
        match letter {
            '"' => {
                self.is_quoting = !self.is_quoting;
                self.has_quotes = true;
            },
            '=' if self.key.is_none() && !self.is_quoting => {
                self.key = Some(std::mem::take(&mut self.text));
            },
            _ => self.text.push(letter),
        }
    }

    fn token(self, position: usize) -> Result<Token, FilterError> {
        if self.is_quoting {
            return error(position, "the quotation mark is not closed");
        }
        let text = self.text.to_lowercase();
        match (self.key, self.text.as_str()) {
            (Some(key), _) if key.is_empty() => error(position, "the key before = is missing"),
            (Some(key), _) => Ok(Token::Term(Clause::Pair(key.to_lowercase(), text))),
            (None, "AND") if !self.has_quotes => Ok(Token::And),
            (None, "OR") if !self.has_quotes => Ok(Token::Or),
            (None, "NOT") if !self.has_quotes => Ok(Token::Not),
            (None, "") => error(position, "the term is empty"),
            (None, _) => Ok(Token::Term(Clause::Text(text))),
        }
    }
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || letter == ','
}

fn is_end(letter: char) -> bool {
    is_separator(letter) || matches!(letter, '(' | ')')
}

fn error<T>(position: usize, detail: impl Into<String>) -> Result<T, FilterError> {
    Err(FilterError { position, detail: detail.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A production web server of the team "shop, north".
    fn facts() -> Facts {
        let mut facts = Facts::default();
        for text in ["Web-1", "i-0a1b", "ec2", "Production", "shop, north"] {
            facts.text(text);
        }
        for (key, value) in
            [("name", "Web-1"), ("type", "ec2"), ("env", "Production"), ("Team", "shop, north")]
        {
            facts.pair(key, value);
        }
        facts
    }

    #[test]
    fn a_filter_means_what_the_grammar_says() {
        for (text, expected) in [
            ("", true),
            (" , ", true),
            ("web", true),
            ("WEB", true),
            ("prod", true),
            ("a1B", true),
            ("database", false),
            ("env", false),
            ("env=production", true),
            ("ENV=PRODUCTION", true),
            ("env=prod", false),
            ("team=shop", false),
            ("team=\"shop, north\"", true),
            ("\"team\"=\"Shop, North\"", true),
            ("\"team=shop\"", false),
            ("name=web-1 type=ec2", true),
            ("name=web-1 type=rds", false),
            ("name=web-1,type=ec2", true),
            ("name=web-1,type=rds", false),
            ("web AND ec2", true),
            ("web AND rds", false),
            ("rds OR web", true),
            ("rds OR lambda", false),
            ("NOT rds", true),
            ("NOT web", false),
            ("NOT NOT web", true),
            ("web NOT rds", true),
            ("rds AND web OR ec2", true),
            ("rds AND (web OR ec2)", false),
            ("ec2 OR web AND rds", true),
            ("(ec2 OR web) rds", false),
            ("NOT (rds OR lambda)", true),
            ("NOT rds web", true),
            ("(web)(ec2)", true),
            ("((web))", true),
            ("and", false),
            ("or", true),
            ("\"OR\"", true),
            ("\"NOT\"", false),
            ("env=", false),
            ("env=a=b", false),
        ] {
            let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.matches(&facts()), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_filter_is_refused_with_the_position() {
        let deep = format!("{}a{}", "(".repeat(21), ")".repeat(21));
        let many = "a ".repeat(51);
        let long = "a".repeat(64 << 10);
        for (text, expected) in [
            ("(", "character 2: a term is missing"),
            ("()", "character 2: a term is missing"),
            (")", "character 1: a term is missing"),
            ("web)", "character 4: the parenthesis was not opened"),
            ("é (web", "character 3: the parenthesis is not closed"),
            ("OR web", "character 1: a term is missing"),
            ("web OR", "character 7: a term is missing"),
            ("web AND OR rds", "character 9: a term is missing"),
            ("NOT", "character 4: a term is missing"),
            ("web NOT AND", "character 9: a term is missing"),
            ("=web", "character 1: the key before = is missing"),
            ("a \"web", "character 3: the quotation mark is not closed"),
            ("\"\"", "character 1: the term is empty"),
            (&deep, "character 21: at most 20 parentheses may be open"),
            (&many, "character 101: a filter has at most 50 terms"),
            (&long, "character 1: a filter has at most 2048 bytes"),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn the_deepest_filter_is_read() {
        let text = format!("{}web{}", "(".repeat(20), ")".repeat(20));
        assert!(Filter::parse(&text).unwrap().matches(&facts()));
    }

    #[test]
    fn many_negations_need_no_stack() {
        let text = "NOT ".repeat(500) + "web";
        assert!(Filter::parse(&text).unwrap().matches(&facts()));
    }
}
