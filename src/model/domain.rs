//! Email domains: the part of an address after the `@`. An organization vouches for the addresses
//! in its domains.

/// The most domains of one organization.
pub const DOMAINS_MAX: usize = 20;
/// The longest domain name, in bytes (RFC 1035, 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
/// The longest label of a domain name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// The text is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomain {
    #[error("must be in ASCII: write bücher.example as xn--bcher-kva.example")]
    NotAscii,
    #[error("must be a domain name such as example.com, without @, wildcard or last dot")]
    Syntax,
}

/// Parses a domain name into its canonical form: lower-case ASCII, with an internationalized name
/// as its A-labels (RFC 5890). A name matches only itself, never its subdomains.
pub fn parse_domain(text: &str) -> Result<Box<str>, InvalidDomain> {
    let name = text.trim();
    if !name.is_ascii() {
        return Err(InvalidDomain::NotAscii);
    }
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > DOMAIN_BYTES_MAX || !name.split('.').all(is_label) {
        return Err(InvalidDomain::Syntax);
    }
    Ok(name.to_ascii_lowercase().into())
}

/// The domain of an address, in canonical form.
pub fn domain_of(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_names_have_one_form() {
        for (text, expected) in [
            (" Example.COM ", Ok("example.com")),
            ("xn--bcher-kva.example", Ok("xn--bcher-kva.example")),
            ("localhost", Ok("localhost")),
            ("bücher.example", Err(InvalidDomain::NotAscii)),
            ("e\u{445}ample.com", Err(InvalidDomain::NotAscii)),
            ("", Err(InvalidDomain::Syntax)),
            ("*.example.com", Err(InvalidDomain::Syntax)),
            ("ada@example.com", Err(InvalidDomain::Syntax)),
            ("example.com.", Err(InvalidDomain::Syntax)),
            (".example.com", Err(InvalidDomain::Syntax)),
            ("-example.com", Err(InvalidDomain::Syntax)),
            ("example..com", Err(InvalidDomain::Syntax)),
            ("exam ple.com", Err(InvalidDomain::Syntax)),
        ] {
            assert_eq!(parse_domain(text), expected.map(Into::into), "{text:?}");
        }
        let label = "a".repeat(64);
        assert_eq!(parse_domain(&label), Err(InvalidDomain::Syntax));
        assert_eq!(parse_domain(&"a.".repeat(130)), Err(InvalidDomain::Syntax));
    }

    #[test]
    fn the_domain_of_an_address_is_behind_its_last_at_sign() {
        assert_eq!(domain_of("ada@example.com"), Some("example.com"));
        assert_eq!(domain_of(""), None);
    }
}
