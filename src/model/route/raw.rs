//! Raw paths of requests: unambiguous paths, and ambiguous paths that a route may allow.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::model::route::ambiguity::{Ambiguities, Ambiguity, DoubtfulPath};

/// The placeholder for an encoded slash, in a reading that leaves the slash encoded. No path holds
/// this character.
const ENCODED_SLASH: char = '\0';

/// The path of a request's target as it was sent, without the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPath<'a> {
    text: &'a str,
    holds: Ambiguities,
}

impl<'a> RawPath<'a> {
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// The ambiguities of the path. Only a route that allows all of them may accept the path.
    pub fn holds(self) -> Ambiguities {
        self.holds
    }

    /// The other readings of the path, decoded: at most 31. Empty if the path is unambiguous.
    pub(super) fn readings(self) -> Vec<String> {
        let held: Vec<Ambiguity> = self.holds.iter().collect();
        if held.is_empty() {
            return Vec::new();
        }
        let changes: Vec<Ambiguity> = [
            Ambiguity::EncodedSlash,
            Ambiguity::CompatibilityForm,
            Ambiguity::Semicolon,
            Ambiguity::TrailingDot,
        ]
        .into_iter()
        .filter(|change| held.contains(change))
        // Other readings can leave empty segments, whose slashes some programs then merge.
        .chain([Ambiguity::DoubleSlash])
        .collect();
        let marked = marked(self.text);
        let masks = 1..(1_u32 << changes.len());
        let reading = |mask: u32| {
            let chosen = changes.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
            chosen.fold(marked.clone(), |text, (_, change)| change.read(&text))
        };
        masks.map(reading).collect()
    }
}

/// The raw path of a request's target. A part that two programs could read differently is rejected,
/// or, for some kinds, recorded so that a route may allow it. The path is not normalized: the
/// upstream receives it as the client wrote it.
///
/// # Errors
///
/// [`DoubtfulPath`] for an ambiguity that no route can allow.
pub fn raw_path(uri: &str) -> Result<RawPath<'_>, DoubtfulPath> {
    match plain_path(uri) {
        Some(text) => Ok(RawPath { text, holds: Ambiguities::default() }),
        None => examined(uri),
    }
}

/// The path of a target without any character that [`examined`] looks for: such a path has one
/// reading.
fn plain_path(uri: &str) -> Option<&str> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let of_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let of_query = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let is_plain = path.starts_with('/')
        && path.bytes().all(of_path)
        && !path.contains("//")
        && query.bytes().all(of_query);
    is_plain.then_some(path)
}

fn examined(uri: &str) -> Result<RawPath<'_>, DoubtfulPath> {
    let refused = |reason, what| Err(DoubtfulPath::always(reason, what));
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    if !path.starts_with('/') {
        return refused("no_leading_slash", "no leading slash");
    }
    if uri.chars().any(|it| it == ' ' || it.is_control()) {
        return refused("control_character", "a space or a control character");
    }
    if uri.contains('#') {
        return refused("fragment", "a fragment");
    }
    if path.contains('\\') {
        return refused("backslash", "a backslash");
    }
    let lower = path.to_ascii_lowercase();
    for encoded in ["%5c", "%00", "%25", "%3b", "%23", "%3f"] {
        if lower.contains(encoded) {
            return refused("encoded_delimiter", "an encoded delimiter");
        }
    }
    let Some(plain) = decoded(path) else {
        return refused("broken_encoding", "a broken percent-encoding");
    };
    if plain.chars().any(char::is_control) {
        return refused("control_character", "an encoded control character");
    }
    let folded = folded(&plain);
    if folded.contains(['\\', '%', '?', '#'])
        || folded.matches(';').count() != plain.matches(';').count()
    {
        return refused("compatibility_delimiter", "a compatibility form of a delimiter");
    }
    if plain.starts_with("//") || folded.starts_with("//") {
        // In a relative reference (RFC 3986, 4.2), a host follows two leading slashes, and the path
        // begins after the host.
        return refused("leading_double_slash", "two slashes at its start");
    }
    if has_dot_segment(&plain) || has_dot_segment(&folded) {
        return refused("dot_segment", "a dot segment");
    }
    let count = |text: &str| text.matches(['.', '/']).count();
    let holds = [
        (Ambiguity::EncodedSlash, lower.contains("%2f")),
        (Ambiguity::CompatibilityForm, count(&folded) != count(&plain)),
        (Ambiguity::DoubleSlash, plain.contains("//") || folded.contains("//")),
        (Ambiguity::Semicolon, plain.contains(';')),
        (Ambiguity::TrailingDot, has_trailing_dot(&plain) || has_trailing_dot(&folded)),
        (Ambiguity::Utf8, !uri.is_ascii()),
    ];
    let holds = holds.into_iter().filter(|(_, held)| *held).map(|(kind, _)| kind).collect();
    Ok(RawPath { text: path, holds })
}

impl Ambiguity {
    /// The path as programs with this behaviour read it.
    fn read(self, text: &str) -> String {
        let segments = |text: &str, change: fn(&str) -> &str| {
            text.split('/').map(change).collect::<Vec<_>>().join("/")
        };
        match self {
            Self::EncodedSlash => text.replace(ENCODED_SLASH, "/"),
            Self::CompatibilityForm => folded(text).into_owned(),
            Self::Semicolon => segments(text, before_semicolon),
            // Compatibility forms are replaced first, since a space has some too.
            Self::TrailingDot => segments(&folded(text), |name| name.trim_end_matches(['.', ' '])),
            Self::DoubleSlash => {
                let named = text.split('/').filter(|name| !name.is_empty());
                format!("/{}", named.collect::<Vec<_>>().join("/"))
            },
            Self::Utf8 => text.to_owned(),
        }
    }
}

/// Some servers treat the text after a `;` as a part of the segment, others do not.
fn before_semicolon(name: &str) -> &str {
    name.split_once(';').map_or(name, |(before, _)| before)
}

/// Whether a segment consists of dots and spaces only: Windows servers cut both off a segment's
/// end.
fn has_dot_segment(text: &str) -> bool {
    let names = text.split('/').map(before_semicolon);
    names.into_iter().any(|name| !name.is_empty() && name.trim_end_matches(['.', ' ']).is_empty())
}

fn has_trailing_dot(text: &str) -> bool {
    let mut names = text.split('/').flat_map(|name| [name, before_semicolon(name)]);
    names.any(|name| name.ends_with(['.', ' ']))
}

/// The text with delimiters, dots and spaces in place of their compatibility forms (Unicode NFKC,
/// and the best fits of Windows code pages).
fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{2044}' | '\u{2215}' | '\u{29f8}' => plain.push('/'),
            // The yen and won signs are backslashes in the code pages of Japan and Korea.
            '\u{2216}' | '\u{29f5}' | '\u{a5}' | '\u{20a9}' => plain.push('\\'),
            _ if letter.is_ascii() => plain.push(letter),
            _ => {
                let compatible: String = std::iter::once(letter).nfkc().collect();
                let is_form = compatible.contains(['.', '/', '\\', '%', '?', '#', ';', ' ']);
                if is_form { plain.push_str(&compatible) } else { plain.push(letter) }
            },
        }
    }
    Cow::Owned(plain)
}

/// The path after percent-decoding, with encoded slashes marked. The path is that of a [`RawPath`],
/// so its encodings are valid.
fn marked(path: &str) -> String {
    let mark = |text: &str| {
        let text = text.replace("%2f", "%00").replace("%2F", "%00");
        decoded(&text)
    };
    mark(path).unwrap_or_default()
}

/// The path after percent-decoding; `None` if an encoding is invalid, or the decoded bytes are not
/// UTF-8, for example overlong forms of a dot.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_path_without_special_characters_has_one_reading(
            uri in "/?([a-z0-9/_-]{0,4}[A-Za-z0-9/_.~;%?# &=\\\\\u{e9}\u{7f}-]?){0,4}"
        ) {
            if let Some(text) = plain_path(&uri) {
                let plain = RawPath { text, holds: Ambiguities::default() };
                prop_assert_eq!(examined(&uri), Ok(plain), "{}", uri);
            }
        }
    }

    #[test]
    fn a_usual_path_is_plain() {
        for (uri, path) in [
            ("/", Some("/")),
            ("/v1/a-b_C/7/", Some("/v1/a-b_C/7/")),
            ("/a?b=/../%2f\\&c", Some("/a")),
            ("/a?b=#", None),
            ("/a?b=\u{e9}", None),
            ("/a.b", None),
            ("/a//b", None),
            ("a", None),
        ] {
            assert_eq!(plain_path(uri), path, "{uri}");
        }
    }

    #[test]
    fn paths_that_no_route_can_allow_are_refused_with_their_reason() {
        for (path, reason) in [
            ("/a/../b", "dot_segment"),
            ("/a/./b", "dot_segment"),
            ("/..", "dot_segment"),
            ("/a/%2e%2E/b", "dot_segment"),
            ("/a/.%2e", "dot_segment"),
            ("/a/..;x/b", "dot_segment"),
            ("/a/..%2fb", "dot_segment"),
            ("/a/%2e%2e%2fb", "dot_segment"),
            ("/a/...", "dot_segment"),
            ("/a/..%20/b", "dot_segment"),
            ("/a/%20", "dot_segment"),
            ("/a/\u{ff0e}\u{ff0e}/b", "dot_segment"),
            ("/a/%ef%bc%8e%ef%bc%8e/b", "dot_segment"),
            ("/a/%e2%80%a5/b", "dot_segment"),
            ("/a/..%ef%bc%8fb", "dot_segment"),
            ("/a%5cb", "encoded_delimiter"),
            ("/a\\b", "backslash"),
            ("/a%00", "encoded_delimiter"),
            ("/a%252e", "encoded_delimiter"),
            ("/a%3bb", "encoded_delimiter"),
            ("/a%3Fb", "encoded_delimiter"),
            ("/a%23", "encoded_delimiter"),
            ("/a%ef%bc%bcb", "compatibility_delimiter"),
            ("/a%ef%bc%85b", "compatibility_delimiter"),
            ("/a%ef%bc%9bb", "compatibility_delimiter"),
            ("/a%e2%88%96b", "compatibility_delimiter"),
            ("/a%c2%a5b", "compatibility_delimiter"),
            ("/a%e2%82%a9b", "compatibility_delimiter"),
            ("//a", "leading_double_slash"),
            ("//host/admin", "leading_double_slash"),
            ("/%2fa", "leading_double_slash"),
            ("/%ef%bc%8fa", "leading_double_slash"),
            ("/a#b", "fragment"),
            ("/a?x#y", "fragment"),
            ("a", "no_leading_slash"),
            ("/a%0ab", "control_character"),
            ("/a%c2%85b", "control_character"),
            ("/a b", "control_character"),
            ("/a?b c", "control_character"),
            ("/%c0%ae%c0%ae/x", "broken_encoding"),
            ("/%zz", "broken_encoding"),
            ("/%e", "broken_encoding"),
            ("/%ff", "broken_encoding"),
        ] {
            assert_eq!(raw_path(path).map_err(|doubt| doubt.reason()), Err(reason), "{path}");
        }
    }

    #[test]
    fn ambiguities_that_a_route_can_allow_are_noted() {
        for (path, kinds) in [
            ("/", ""),
            ("/a", ""),
            ("/a/b.c/..d", ""),
            ("/a?x=/../%zz//;.", ""),
            ("/%c3%a9", ""),
            ("/a%20b", ""),
            ("/a%2Fb", "encoded_slash"),
            ("/a//b", "double_slash"),
            ("/a%2f/b", "encoded_slash double_slash"),
            ("/a;v=1", "semicolon"),
            ("/a.", "trailing_dot"),
            ("/a./b", "trailing_dot"),
            ("/a%20/b", "trailing_dot"),
            ("/a%c2%a0", "trailing_dot"),
            ("/a.;x", "trailing_dot semicolon"),
            ("/a.%2fb", "encoded_slash trailing_dot"),
            ("/caf\u{e9}", "utf8"),
            ("/a?caf\u{e9}", "utf8"),
            ("/a%ef%bc%8fb", "compatibility_form"),
            ("/a%e2%81%84b", "compatibility_form"),
            ("/a%e2%84%80", "compatibility_form"),
            ("/a\u{ff0f}b", "utf8 compatibility_form"),
            ("/wait%e2%80%a6", "trailing_dot compatibility_form"),
        ] {
            let held: Vec<_> =
                raw_path(path).unwrap().holds().iter().map(Ambiguity::name).collect();
            assert_eq!(held.join(" "), kinds, "{path}");
        }
    }

    #[test]
    fn a_path_is_read_in_every_other_way() {
        for (path, readings) in [
            ("/a/b", &[][..]),
            ("/caf\u{e9}", &["/caf\u{e9}"]),
            ("/a//b", &["/a/b"]),
            ("/a%2Fb", &["/a/b", "/a\0b"]),
            ("/a;x/b", &["/a/b", "/a;x/b"]),
            ("/a./b", &["/a/b", "/a./b"]),
            ("/a%ef%bc%8fb", &["/a/b", "/a\u{ff0f}b"]),
            ("/a%c2%a0/b", &["/a/b", "/a\u{a0}/b"]),
            ("/a/%2fb;c", &["/a/b", "/a//b", "/a//b;c", "/a/\0b", "/a/\0b;c", "/a/b;c"]),
        ] {
            let mut read = raw_path(path).unwrap().readings();
            read.sort();
            read.dedup();
            let mut expected = readings.to_vec();
            expected.sort_unstable();
            assert_eq!(read, expected, "{path}");
        }
    }
}
