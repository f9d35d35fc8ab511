//! Reads the text of a configuration file, TOML or JSON, with the line of each of its fields.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::http::fields::parse_json;
use crate::model::fault::{Fault, FaultCode, in_pointer};

/// The maximum size of a configuration file in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The maximum number of faults of one file that are reported.
const FAULTS_MAX: usize = 50;

/// The text of a configuration file.
#[derive(Clone, Debug)]
pub(crate) struct SourceText {
    /// The name of the file in faults.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) format: SourceFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceFormat {
    Toml,
    Json,
}

/// A fault of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileFault {
    pub(crate) file: String,
    /// The number of the line in the file, counted from 1; 0 for a fault without a line.
    pub(crate) line: usize,
    /// The field, such as `organizations.teams.name`; empty for the file as a whole.
    pub(crate) field: String,
    pub(crate) detail: String,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, field, detail } = self;
        if *line == 0 {
            write!(f, "{file}: {detail}")
        } else if field.is_empty() {
            write!(f, "{file}:{line}: {detail}")
        } else {
            write!(f, "{file}:{line}: {field}: {detail}")
        }
    }
}

/// The lines of a file's fields, by JSON pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldLines {
    file: String,
    lines: BTreeMap<String, usize>,
}

impl FieldLines {
    /// The line of a field. A field that is missing has the line of the object that lacks it.
    pub(super) fn line(&self, pointer: &str) -> usize {
        let mut rest = pointer;
        loop {
            if let Some(line) = self.lines.get(rest) {
                return *line;
            }
            match rest.rsplit_once('/') {
                Some((parent, _)) => rest = parent,
                None => return 1,
            }
        }
    }

    /// The place of a field, for another fault: `file:line`.
    pub(super) fn place(&self, pointer: &str) -> String {
        format!("{}:{}", self.file, self.line(pointer))
    }

    /// A fault at a field.
    pub(super) fn fault(&self, pointer: &str, detail: impl fmt::Display) -> FileFault {
        let is_name = |segment: &&str| !segment.is_empty() && segment.parse::<usize>().is_err();
        let names: Vec<String> = pointer
            .split('/')
            .filter(is_name)
            .map(|name| name.replace("~1", "/").replace("~0", "~"))
            .collect();
        FileFault {
            file: self.file.clone(),
            line: self.line(pointer),
            field: names.join("."),
            detail: detail.to_string(),
        }
    }

    pub(super) fn faults(&self, faults: Vec<Fault>) -> Vec<FileFault> {
        let more = faults.len().saturating_sub(FAULTS_MAX);
        let shown = faults.into_iter().take(FAULTS_MAX);
        let mut shown: Vec<_> =
            shown.map(|fault| self.fault(&fault.pointer, fault.detail)).collect();
        shown.sort_by_key(|fault| fault.line);
        if more > 0 {
            let detail = format!("{more} more faults in this file are not shown");
            shown.push(FileFault { line: 0, ..self.fault("", detail) });
        }
        shown
    }
}

/// Parses a file into its value and the lines of its fields.
pub(super) fn parse(source: &SourceText) -> Result<(Value, FieldLines), Vec<FileFault>> {
    let mut lines = FieldLines { file: source.name.clone(), lines: BTreeMap::new() };
    let value = match source.format {
        SourceFormat::Toml => parse_toml(&source.text, &mut lines)?,
        SourceFormat::Json => {
            let value = parse_json(source.text.as_bytes()).map_err(|detail| {
                vec![at_line(&lines, line_in(&detail), "", &format!("is not JSON: {detail}"))]
            })?;
            let mut scan = JsonScan { bytes: source.text.as_bytes(), at: 0, line: 1 };
            scan.value("", &mut lines.lines);
            value
        },
    };
    Ok((value, lines))
}

fn at_line(lines: &FieldLines, line: usize, field: &str, detail: &str) -> FileFault {
    FileFault { file: lines.file.clone(), line, field: field.to_owned(), detail: detail.to_owned() }
}

/// The line in the message of a JSON parser: `.. at line 3 column 5`.
fn line_in(message: &str) -> usize {
    let (_, rest) = message.rsplit_once("at line ").unwrap_or_default();
    rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(1)
}

fn parse_toml(text: &str, lines: &mut FieldLines) -> Result<Value, Vec<FileFault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let starts: Vec<usize> =
        text.bytes().zip(1..).filter_map(|(byte, next)| (byte == b'\n').then_some(next)).collect();
    let line_of = |at: usize| starts.partition_point(|start| *start <= at) + 1;
    if !errors.is_empty() {
        let faults = errors.iter().take(FAULTS_MAX).map(|error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            at_line(lines, line, "", &format!("is not TOML: {}", error.message()))
        });
        return Err(faults.collect());
    }
    let mut reader = TomlReader { line_of: &line_of, lines: &mut lines.lines, faults: Vec::new() };
    let value = reader.table(table.into_inner(), "");
    let faults = reader.faults;
    if faults.is_empty() { Ok(value) } else { Err(lines.faults(faults)) }
}

struct TomlReader<'a> {
    line_of: &'a dyn Fn(usize) -> usize,
    lines: &'a mut BTreeMap<String, usize>,
    faults: Vec<Fault>,
}

impl TomlReader<'_> {
    fn table(&mut self, table: DeTable<'_>, pointer: &str) -> Value {
        let mut fields = Map::new();
        for (name, value) in table {
            let pointer = format!("{pointer}/{}", in_pointer(name.get_ref()));
            self.lines.insert(pointer.clone(), (self.line_of)(name.span().start));
            let value = self.value(value, &pointer);
            fields.insert(name.into_inner().into_owned(), value);
        }
        Value::Object(fields)
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>, pointer: &str) -> Value {
        match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(truth) => Value::Bool(truth),
            DeValue::Datetime(moment) => Value::String(moment.to_string()),
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                self.number(read.ok().map(Number::from), pointer)
            },
            DeValue::Float(number) => {
                let read: Option<f64> = number.as_str().parse().ok();
                self.number(read.and_then(Number::from_f64), pointer)
            },
            DeValue::Array(items) => {
                let mut values = Vec::new();
                for (at, item) in items.into_iter().enumerate() {
                    let pointer = format!("{pointer}/{at}");
                    self.lines.insert(pointer.clone(), (self.line_of)(item.span().start));
                    values.push(self.value(item, &pointer));
                }
                Value::Array(values)
            },
            DeValue::Table(table) => self.table(table, pointer),
        }
    }

    fn number(&mut self, number: Option<Number>, pointer: &str) -> Value {
        number.map_or_else(
            || {
                let detail = "must be a finite number within 64 bits";
                self.faults.push(Fault::new(pointer, FaultCode::OUT_OF_RANGE, detail));
                Value::Null
            },
            Value::Number,
        )
    }
}

/// Finds the lines of the fields in a text that is known to be JSON.
struct JsonScan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl JsonScan<'_> {
    fn value(&mut self, pointer: &str, lines: &mut BTreeMap<String, usize>) {
        match self.next_token() {
            Some(b'{') => {
                self.take();
                while self.next_token().is_some_and(|byte| byte != b'}') {
                    let line = self.line;
                    let pointer = format!("{pointer}/{}", in_pointer(&self.text()));
                    lines.insert(pointer.clone(), line);
                    // The colon.
                    self.next_token();
                    self.take();
                    self.value(&pointer, lines);
                    self.comma();
                }
                self.take();
            },
            Some(b'[') => {
                self.take();
                let mut at = 0_usize;
                while self.next_token().is_some_and(|byte| byte != b']') {
                    let pointer = format!("{pointer}/{at}");
                    lines.insert(pointer.clone(), self.line);
                    self.value(&pointer, lines);
                    self.comma();
                    at += 1;
                }
                self.take();
            },
            Some(b'"') => drop(self.text()),
            Some(_) | None => {
                let is_word =
                    |byte: &u8| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace();
                while self.bytes.get(self.at).is_some_and(is_word) {
                    self.at += 1;
                }
            },
        }
    }

    /// Skips white space, and returns the byte behind it.
    fn next_token(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            if !byte.is_ascii_whitespace() {
                return Some(byte);
            }
            self.take();
        }
        None
    }

    fn take(&mut self) {
        if self.bytes.get(self.at) == Some(&b'\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    fn comma(&mut self) {
        if self.next_token() == Some(b',') {
            self.take();
        }
    }

    /// Reads a string. Strings of JSON contain no line break.
    fn text(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let written = self.bytes.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(written).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: SourceFormat, text: &str) -> (Value, FieldLines) {
        let source = SourceText { name: "a".to_owned(), text: text.to_owned(), format };
        parse(&source).unwrap()
    }

    #[test]
    fn fields_of_both_formats_have_their_lines() {
        let toml = "[[gates]]\nname = \"a\"\n\n[[gates.routes]]\npath = \"/x\"\nmethods = [\n  \"GET\",\n]\n";
        let json = "{\"gates\": [\n{\"name\": \"a\\\"\",\n\n\"routes\": [{\n\"path\": \"/x\",\n\"methods\": [\n\"GET\"\n]}]}]}";
        for (format, text) in [(SourceFormat::Toml, toml), (SourceFormat::Json, json)] {
            let (value, lines) = lines(format, text);
            assert_eq!(value["gates"][0]["routes"][0]["methods"][0], "GET");
            for (pointer, line) in [
                ("/gates/0/name", 2),
                ("/gates/0/routes", 4),
                ("/gates/0/routes/0/path", 5),
                ("/gates/0/routes/0/methods/0", 7),
                ("/gates/0/routes/0/missing", 4),
                ("/missing", 1),
            ] {
                assert_eq!(lines.line(pointer), line, "{format:?} {pointer}");
            }
        }
    }

    #[test]
    fn a_text_that_does_not_parse_is_a_fault_with_its_line() {
        for (format, text, line) in [
            (SourceFormat::Toml, "a = 1\nb = \n", 2),
            (SourceFormat::Toml, "a = 1\na = 2\n", 2),
            (SourceFormat::Toml, "a = 1\nb = inf\n", 2),
            (SourceFormat::Json, "{\"a\": 1,\n\"b\"}", 2),
            (SourceFormat::Json, "{\"a\": 1,\n\"a\": 2}", 2),
        ] {
            let source = SourceText { name: "f".to_owned(), text: text.to_owned(), format };
            let faults = parse(&source).unwrap_err();
            assert_eq!(faults[0].line, line, "{text}: {faults:?}");
        }
    }
}
