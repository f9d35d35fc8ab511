//! Which raw paths are decided about at all.

/// A path that two programs could read differently, and what is doubtful about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path holds {0}, which is refused and never normalised")]
pub struct DoubtfulPath(pub &'static str);

/// The path of a request's target, raw. Paths that two programs could read differently are refused,
/// never mended: the upstream gets the path as the client wrote it.
///
/// # Errors
/// [`DoubtfulPath`].
pub fn raw_path(uri: &str) -> Result<&str, DoubtfulPath> {
    let refused = |what| Err(DoubtfulPath(what));
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    if !path.starts_with('/') {
        return refused("no leading slash");
    }
    if uri.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
        return refused("a byte that is not printable ASCII");
    }
    if uri.contains('#') {
        return refused("a fragment");
    }
    for (text, what) in [("//", "//"), ("\\", "a backslash")] {
        if path.contains(text) {
            return refused(what);
        }
    }
    let lower = path.to_ascii_lowercase();
    for encoded in ["%2f", "%5c", "%00", "%25", "%3b", "%23", "%3f"] {
        if lower.contains(encoded) {
            return refused("an encoded delimiter");
        }
    }
    let Some(plain) = decoded(&lower) else { return refused("a broken percent-encoding") };
    if plain.chars().any(char::is_control) {
        return refused("an encoded control character");
    }
    // What follows a `;` belongs to the segment for some servers and not for others.
    let mut names = plain.split('/').map(|segment| segment.split(';').next().unwrap_or(segment));
    if names.any(|name| name == "." || name == "..") {
        return refused("a dot segment");
    }
    Ok(path)
}

/// A path with its percent-encodings taken out; `None` where one is broken, or what they spell is
/// not UTF-8, as in overlong forms of a dot.
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
    use super::*;

    #[test]
    fn paths_that_could_be_read_in_two_ways_are_denied() {
        for path in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "//a",
            "/a//b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%252e",
            "/a%3bb",
            "/a%3Fb",
            "/a%23",
            "/a#b",
            "a",
            "/a/..;x/b",
            "/a?x#y",
            "/a%0ab",
            "/%c0%ae%c0%ae/x",
            "/%zz",
            "/%e",
            "/%ff",
        ] {
            assert!(raw_path(path).is_err(), "{path}");
        }
        for path in ["/", "/a", "/a/b.c/..d", "/a;v=1", "/%20", "/a/...", "/a?x=/../%zz", "/%c3%a9"]
        {
            assert_eq!(raw_path(path), Ok(path.split('?').next().unwrap()));
        }
    }
}
