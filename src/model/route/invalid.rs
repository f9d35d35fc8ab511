//! Bounds of patterns, and why a text is not a pattern or a method.

/// The longest pattern of a path or host, in bytes.
pub const PATTERN_BYTES_MAX: usize = 512;
/// The most segments of a path pattern.
pub const SEGMENTS_MAX: usize = 32;

/// Why a text is not a path pattern, a host pattern or a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    #[error("must start with '/' and have no empty segment; a '/' at the end is ignored")]
    Path,
    #[error("must be at most {SEGMENTS_MAX} segments and {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// The pattern contains a byte, or an encoding of a byte, that is rejected in every path.
    #[error(
        "must not contain a space, quote, '?', '#', ';', '\\', encoded '/', or segment '.' or '..'"
    )]
    Segment,
    /// The pattern contains `{`, `}` or `*` within other text.
    #[error("a {{name}}, '*' or '**' must be a whole segment")]
    Part,
    #[error("'**' must be the last segment")]
    RestInside,
    #[error("must not use a name twice")]
    NameTwice,
    #[error("must be a host such as api.example.com or *.example.com, without a port")]
    Host,
    #[error("must be 1 to 32 letters A-Z or '-'")]
    Method,
}
