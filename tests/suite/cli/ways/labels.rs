//! Labels in place of ids, secrets, times and other texts that differ between two runs.

use std::collections::BTreeMap;

use serde_json::Value;

/// The UUID of the example in the text about a wrong id.
const EXAMPLE_UUID: &str = "0198c5a2-6f1e-7cc3-98c4-dc0c0c07398f";
/// Length of a UUID in text.
const UUID_LENGTH: usize = 36;
/// Beginning of the keys of an instance.
const KEY_PREFIX: &str = "kh_";
/// Length of the random part of a key, and of its hint.
const RANDOM_LENGTH: usize = 49;
const HINT_LENGTH: usize = 4;
/// The shortest text of hexadecimal digits that is a hash.
const HASH_LENGTH_MIN: usize = 16;
/// Fields whose numbers depend on background work, such as seals.
const COUNTED: &[&str] = &[
    "bytes",
    "bytes_after",
    "bytes_before",
    "number",
    "records",
    "revision",
    "rows",
    "seals",
    "unsealed",
];
/// Fields with the number of records of each kind.
const KINDS: &[&str] = &["kinds", "left_out"];
/// Beginnings of lines with such numbers.
const COUNTED_LINES: &[&str] = &[
    "wrote ",
    "seals ",
    "events ",
    "revision ",
    "records ",
    "audit head ",
    "checked ",
    "compacted ",
    "left out ",
];

/// The labels of one instance: `[deploy]` for a seeded object, `[key_1]` for the first new key.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// Each text with its label, without the brackets.
    known: Vec<(String, String)>,
    /// Labels that only calls use: their texts stay in outputs.
    of_calls: Vec<(String, String)>,
    counts: BTreeMap<String, usize>,
}

impl Labels {
    pub(super) fn add(&mut self, label: &str, text: &str) {
        self.known.push((text.to_owned(), label.to_owned()));
    }

    pub(super) fn add_for_calls(&mut self, label: &str, text: &str) {
        self.of_calls.push((text.to_owned(), label.to_owned()));
    }

    /// Replaces the labels of a call by what they stand for. Other brackets stay, such as those of JSON.
    pub(super) fn resolve(&self, text: &str) -> String {
        let mut parts = text.split('[');
        let mut resolved = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_label = |it: &str| {
                !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
            };
            match part.split_once(']').filter(|(label, _)| is_label(label)) {
                Some((label, rest)) => resolved.extend([self.meaning(label), rest]),
                None => resolved.extend(["[", part]),
            }
        }
        resolved
    }

    fn meaning(&self, label: &str) -> &str {
        let known = self.known.iter().chain(&self.of_calls).find(|(_, it)| it == label);
        known.map_or_else(|| panic!("nothing has the label {label:?}"), |(text, _)| text)
    }

    /// The label of a text, which is new if the text is not known.
    fn of(&mut self, kind: &str, text: &str) -> String {
        if let Some((_, label)) = self.known.iter().find(|(known, _)| known == text) {
            return format!("[{label}]");
        }
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let label = format!("{kind}_{count}");
        self.known.push((text.to_owned(), label.clone()));
        format!("[{label}]")
    }

    /// Replaces everything in an output that differs between two runs.
    pub(super) fn redact(&mut self, output: &str) -> String {
        let lines: Vec<String> = output.lines().map(|line| self.redact_line(line)).collect();
        lines.join("\n")
    }

    fn redact_line(&mut self, line: &str) -> String {
        if let Ok(mut value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(line) {
            self.redact_value(&mut value);
            return value.to_string();
        }
        let counted = COUNTED_LINES.iter().any(|start| line.starts_with(start)) || is_kind(line);
        let text = self.redact_text(line);
        narrow(&if counted { without_numbers(&text) } else { text })
    }

    fn redact_value(&mut self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {},
            Value::String(text) => *text = self.redact_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    hide_counts(name, value);
                    self.redact_value(value);
                }
                hide_author(fields);
            },
        }
    }

    fn redact_text(&mut self, text: &str) -> String {
        let (mut redacted, mut at) = (String::new(), 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let begins = !redacted.ends_with(|last: char| last.is_ascii_alphanumeric());
            if let Some((length, label)) = begins.then(|| self.replaced(rest)).flatten() {
                redacted.push_str(&label);
                at += length;
            } else {
                let first = rest.chars().next().unwrap();
                redacted.push(first);
                at += first.len_utf8();
            }
        }
        redacted
    }

    /// The length and the replacement of a text at the beginning of `rest`.
    fn replaced(&mut self, rest: &str) -> Option<(usize, String)> {
        // The longest text, since an address may begin another.
        let known = self.known.iter().filter(|(text, _)| rest.starts_with(text.as_str()));
        if let Some((text, label)) = known.max_by_key(|(text, _)| text.len()) {
            return Some((text.len(), format!("[{label}]")));
        }
        if let Some(length) = id_length(rest) {
            let id = rest.get(..length)?;
            if id.ends_with(EXAMPLE_UUID) {
                return Some((length, id.to_owned()));
            }
            let kind = id.rsplit_once('_').map_or("id", |(kind, _)| kind);
            return Some((length, self.of(kind, id)));
        }
        if let Some((length, is_secret)) = key_length(rest) {
            let text = rest.get(..length)?;
            let label = if is_secret { self.of("secret", text) } else { "[hint]".to_owned() };
            return Some((length, label));
        }
        if let Some(token) = rest.strip_prefix("token=") {
            let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
            let length = token.find(|it| !is_part(it)).unwrap_or(token.len());
            return Some(("token=".len() + length, "token=[token]".to_owned()));
        }
        if let Some(length) = time_length(rest) {
            return Some((length, "[time]".to_owned()));
        }
        if let Some(port) = rest.strip_prefix("127.0.0.1:") {
            let length = port.find(|it: char| !it.is_ascii_digit()).unwrap_or(port.len());
            return Some(("127.0.0.1:".len() + length, "[address]".to_owned()));
        }
        let hash = rest.find(|it: char| !it.is_ascii_hexdigit()).unwrap_or(rest.len());
        let ends = !rest.get(hash..).is_some_and(|it| it.starts_with(char::is_alphanumeric));
        (hash >= HASH_LENGTH_MIN && ends).then(|| (hash, "[hash]".to_owned()))
    }
}

fn hide_counts(name: &str, value: &mut Value) {
    match value {
        Value::Number(_) if COUNTED.contains(&name) => *value = "[n]".into(),
        Value::Object(kinds) if KINDS.contains(&name) => {
            kinds.values_mut().filter(|it| it.is_number()).for_each(|it| *it = "[n]".into());
        },
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {},
    }
}

/// Whether a line is the number of records of a kind: `  key    8`.
fn is_kind(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    line.starts_with("  ") && matches!(&*words, [_, number] if number.parse::<u64>().is_ok())
}

/// The author of a change is the local operator, or the key of the remote way.
fn hide_author(fields: &mut serde_json::Map<String, Value>) {
    let is_author = |value: &Value| value == "local" || value == "[manager]";
    if fields.get("created_by").is_some_and(is_author) {
        fields.insert("created_by".to_owned(), "[author]".into());
        fields.insert("created_by_name".to_owned(), "[author]".into());
    }
    let actor = fields.get("actor").unwrap_or(&Value::Null);
    if [actor.get("kind"), actor.get("id")].into_iter().flatten().any(is_author) {
        fields.insert("actor".to_owned(), "[author]".into());
        fields.insert("address".to_owned(), "[author]".into());
    }
}

/// The length of an id: letters, an underscore and a UUID. The UUID may be alone.
fn id_length(text: &str) -> Option<usize> {
    let kind = text.find(|it: char| !it.is_ascii_lowercase())?;
    let start = if text.get(kind..)?.starts_with('_') { kind + 1 } else { 0 };
    let uuid = text.get(start..start + UUID_LENGTH)?;
    let is_uuid = uuid.char_indices().all(|(at, it)| match at {
        8 | 13 | 18 | 23 => it == '-',
        _ => it.is_ascii_hexdigit(),
    });
    is_uuid.then_some(start + UUID_LENGTH)
}

/// The length of a key or of its hint, and whether it is a whole key.
fn key_length(text: &str) -> Option<(usize, bool)> {
    let rest = text.strip_prefix(KEY_PREFIX)?;
    let (environment, random) = rest.split_once('_')?;
    let start = KEY_PREFIX.len() + environment.len() + 1;
    let length = random.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(random.len());
    match length {
        RANDOM_LENGTH => Some((start + length, true)),
        HINT_LENGTH => Some((start + length, false)),
        _ => None,
    }
}

/// The length of a time such as 2027-01-31T00:00:00.123Z, or without colons in the name of a file.
fn time_length(text: &str) -> Option<usize> {
    let is_alike =
        |(one, other): (char, char)| one == other || one == '0' && other.is_ascii_digit();
    let forms = ["0000-00-00T00:00:00", "0000-00-00T000000"];
    let mut found = forms.iter().filter(|form| {
        text.get(..form.len()).is_some_and(|it| form.chars().zip(it.chars()).all(is_alike))
    });
    let length = found.next()?.len();
    // The program prints milliseconds. A time in a text, such as an example, has none.
    let fraction = text.get(length..)?.strip_prefix('.')?;
    let end = fraction.find(|it: char| !it.is_ascii_digit())?;
    fraction.get(end..)?.starts_with('Z').then_some(length + end + 2)
}

/// A line with `[n]` in place of each number.
fn without_numbers(line: &str) -> String {
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            let number = word.trim_end_matches([',', ':']);
            let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
            if is_number { word.replacen(number, "[n]", 1) } else { word.to_owned() }
        })
        .collect();
    words.join(" ")
}

/// A line whose columns are separated by two spaces: their width follows the length of the texts.
fn narrow(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let mut narrowed = " ".repeat(indent.min(4));
    let mut spaces = 0;
    for character in text.chars() {
        spaces = if character == ' ' { spaces + 1 } else { 0 };
        if spaces <= 2 {
            narrowed.push(character);
        }
    }
    narrowed.trim_end().to_owned()
}
