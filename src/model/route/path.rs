//! Patterns of paths, as routes compare them.

use std::fmt;
use std::str::FromStr;

use crate::model::route::ambiguity::{Ambiguities, Ambiguity, DoubtfulPath};
use crate::model::route::invalid::{InvalidRoute, PATTERN_BYTES_MAX, SEGMENTS_MAX};
use crate::model::route::raw::raw_path;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: Box<str>,
    parts: Vec<Segment>,
}

/// A part of a pattern. The variants are in order, the most specific first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<[u8]>),
    One,
    Rest,
}

impl PathPattern {
    pub(super) fn fits(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = (!path.is_empty()).then(|| path.split('/')).into_iter().flatten();
        for part in &self.parts {
            let fits = match part {
                Segment::Rest => return true,
                Segment::One => segments.next().is_some_and(|segment| !segment.is_empty()),
                Segment::Literal(text) => {
                    segments.next().is_some_and(|segment| decoded(segment).eq(text.iter().copied()))
                },
            };
            if !fits {
                return false;
            }
        }
        segments.next().is_none()
    }

    /// The reason why no path can match the pattern; `None` if a path with the ambiguities in
    /// `allow` can.
    pub fn unreachable(&self, allow: Ambiguities) -> Option<DoubtfulPath> {
        match raw_path(&self.text) {
            Ok(path) => path.holds().without(allow).iter().next().map(DoubtfulPath::NotAllowed),
            Err(doubt) => Some(doubt),
        }
    }

    /// The precedence, segment by segment: a lower rank is more specific.
    pub(super) fn ranks(&self) -> impl Iterator<Item = u8> {
        self.parts.iter().map(Segment::rank)
    }

    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| match part {
            Segment::Literal(text) => &**text,
            Segment::One | Segment::Rest => &[],
        })
    }
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::One => 1,
            Self::Rest => 2,
        }
    }

    fn parse(segment: &str) -> Result<Self, InvalidRoute> {
        if segment == "*" || name_of(segment).is_some() {
            return Ok(Self::One);
        }
        if segment.contains(['*', '{', '}']) {
            return Err(InvalidRoute::Segment);
        }
        let bytes: Box<[u8]> = decoded(segment).collect();
        let is_literal = match raw_path(&format!("/-/{segment}")) {
            Ok(path) => path.holds().without(kept()).is_empty(),
            // Earlier versions stored such patterns. No path matches such patterns, since such
            // paths are rejected.
            Err(doubt) => match doubt.reason() {
                "dot_segment" => !matches!(&*bytes, b"." | b".."),
                "compatibility_delimiter" => true,
                _ => false,
            },
        };
        if is_literal && has_path_bytes(segment) {
            Ok(Self::Literal(bytes))
        } else {
            Err(InvalidRoute::Segment)
        }
    }
}

impl FromStr for PathPattern {
    type Err = InvalidRoute;

    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let rest = text.strip_prefix('/').ok_or(InvalidRoute::Path)?;
        let segments: Vec<&str> = rest.split('/').collect();
        if text.len() > PATTERN_BYTES_MAX || segments.len() > SEGMENTS_MAX {
            return Err(InvalidRoute::TooLong);
        }
        if rest.is_empty() {
            return Ok(Self { text: text.into(), parts: Vec::new() });
        }
        let Some((last, before)) = segments.split_last() else { return Err(InvalidRoute::Path) };
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(InvalidRoute::Path);
        }
        if before.contains(&"**") {
            return Err(InvalidRoute::RestInside);
        }
        let names: Vec<_> = segments.iter().filter_map(|segment| name_of(segment)).collect();
        if names.iter().enumerate().any(|(at, name)| names.iter().take(at).any(|it| it == name)) {
            return Err(InvalidRoute::NameTwice);
        }
        let mut parts =
            before.iter().map(|it| Segment::parse(it)).collect::<Result<Vec<_>, _>>()?;
        parts.push(if *last == "**" { Segment::Rest } else { Segment::parse(last)? });
        Ok(Self { text: text.into(), parts })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The ambiguities that a literal may hold, if its route allows them.
fn kept() -> Ambiguities {
    [Ambiguity::TrailingDot, Ambiguity::CompatibilityForm].into_iter().collect()
}

/// The name in a `{name}`.
fn name_of(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    (begins && name.bytes().all(fits)).then_some(name)
}

/// Whether a path may hold the segment (RFC 3986, section 3.3), except for `;`, since servers read
/// the text after a `;` differently.
fn has_path_bytes(segment: &str) -> bool {
    segment.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@%".contains(&it))
}

/// A segment's bytes after percent-decoding. An invalid encoding stays unchanged.
fn decoded(segment: &str) -> impl Iterator<Item = u8> {
    let bytes = segment.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
        if let (b'%', Some(high), Some(low)) = (byte, digit(1), digit(2)) {
            at += 3;
            return u8::try_from(high * 16 + low).ok();
        }
        at += 1;
        Some(byte)
    })
}
