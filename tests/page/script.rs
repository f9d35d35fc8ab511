//! Reads the literals of a script: enough of ECMAScript's lexical grammar for this page's own code.

/// A text in the code.
#[derive(Debug)]
pub(crate) struct Literal {
    /// Its content; of a template, the part before, between or after `${...}`.
    pub(crate) text: String,
    /// On which line it begins.
    pub(crate) line: usize,
    /// Whether it is the part of a template before its first `${`.
    pub(crate) is_begun: bool,
    /// The name before the opening bracket, if it is a first argument.
    called: Option<String>,
}

impl Literal {
    /// Whether it is the first argument of one of these functions.
    pub(crate) fn is_argument_of(&self, functions: &[&str]) -> bool {
        self.called.as_deref().is_some_and(|name| functions.contains(&name))
    }
}

/// All literals of a script, in order.
pub(crate) fn literals(code: &str) -> Vec<Literal> {
    let mut reader = Reader {
        code: code.chars().collect(),
        at: 0,
        line: 1,
        open: Vec::new(),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

struct Reader {
    code: Vec<char>,
    at: usize,
    line: usize,
    /// Open braces; `true` for one that closes a `${` of a template.
    open: Vec<bool>,
    found: Vec<Literal>,
}

impl Reader {
    fn read(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '/' if self.peek() == Some('/') => self.skip_until("\n"),
                '/' if self.peek() == Some('*') => self.skip_until("*/"),
                '/' if self.begins_expression() => self.skip_regex(),
                '"' | '\'' => {
                    let (line, called) = (self.line, self.called());
                    let text = self.string(c);
                    self.found.push(Literal { text, line, is_begun: false, called });
                },
                '`' => {
                    let called = self.called();
                    self.template(true, called);
                },
                '{' => self.open.push(false),
                '}' if self.open.pop() == Some(true) => self.template(false, None),
                _ => {},
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = *self.code.get(self.at)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.code.get(self.at).copied()
    }

    /// The code before the character just read, without the space at its end.
    fn before(&self) -> &[char] {
        let code = self.code.get(..self.at - 1).unwrap_or_default();
        let end = code.iter().rposition(|c| !c.is_whitespace()).map_or(0, |at| at + 1);
        code.get(..end).unwrap_or_default()
    }

    /// A slash starts a regular expression unless a value precedes it.
    fn begins_expression(&self) -> bool {
        let before = self.before();
        let after_return = before.ends_with(&['r', 'e', 't', 'u', 'r', 'n']);
        after_return || before.last().is_none_or(|c| "(,=:[!&|?{};>+".contains(*c))
    }

    fn called(&self) -> Option<String> {
        let before = self.before();
        let name = before.strip_suffix(&['('])?;
        let from = name.iter().rposition(|c| !c.is_alphanumeric()).map_or(0, |at| at + 1);
        Some(name.get(from..)?.iter().collect())
    }

    fn skip_until(&mut self, end: &str) {
        let end: Vec<char> = end.chars().collect();
        while self.code.get(self.at..).is_some_and(|rest| !rest.starts_with(&end)) {
            if self.next().is_none() {
                return;
            }
        }
        for _ in &end {
            self.next();
        }
    }

    fn skip_regex(&mut self) {
        let mut in_class = false;
        while let Some(c) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return,
                _ => {},
            }
        }
    }

    fn string(&mut self, quote: char) -> String {
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                '\\' => drop(self.next()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        text
    }

    /// One part of a template, up to its end or the next `${`.
    fn template(&mut self, is_first: bool, called: Option<String>) {
        let (line, mut text, mut goes_on) = (self.line, String::new(), false);
        while let Some(c) = self.next() {
            match c {
                '\\' => drop(self.next()),
                '`' => break,
                '$' if self.peek() == Some('{') => {
                    self.next();
                    self.open.push(true);
                    goes_on = true;
                    break;
                },
                c => text.push(c),
            }
        }
        if !text.is_empty() {
            self.found.push(Literal { text, line, is_begun: is_first && goes_on, called });
        }
    }
}
