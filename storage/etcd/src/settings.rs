//! The storage URL of etcd, and what it refers to.
//!
//! `etcd://[USER@]HOST:PORT[,HOST:PORT..]/PREFIX[?ca=FILE&cert=FILE&key=FILE&password-file=FILE]`
//!
//! A URL appears in arguments, logs and process lists, so it contains no secret: passwords and private
//! keys are files. Without `ca`, connections are plain: the URL may then name loopback addresses only,
//! unless it has `plaintext=allow`.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Maximum number of members in a URL.
pub const ENDPOINTS_MAX: usize = 9;
/// Maximum length of the prefix in bytes.
pub const PREFIX_BYTES_MAX: usize = 64;
/// Maximum size of a password file, a certificate or a private key in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a store is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdSettings {
    pub(crate) endpoints: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) user: Option<User>,
}

/// The files of TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) authorities: PathBuf,
    /// Certificate and private key of the client.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// A user of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password_file: PathBuf,
}

/// Why a text is not the URL of a store in etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// The text is not of the form `etcd://HOST:PORT/PREFIX`.
    #[error("must be etcd://HOST:PORT[,HOST:PORT..]/PREFIX")]
    Form,
    /// The URL contains a password.
    #[error("a URL must not contain a password: use password-file=FILE")]
    Password,
    /// The URL names more than [`ENDPOINTS_MAX`] members.
    #[error("names more than {ENDPOINTS_MAX} members")]
    TooManyEndpoints,
    /// The prefix is empty, too long, or has characters that are not allowed.
    #[error(
        "the prefix must have 1 to {PREFIX_BYTES_MAX} letters, digits, '-', '_', '.' or '/', \
         with no '/' at its ends"
    )]
    Prefix,
    /// A parameter is unknown, repeated or empty.
    #[error("parameters are ca, cert, key, password-file and plaintext=allow, each once")]
    Parameter,
    /// `cert`, `key` and `ca` do not fit together.
    #[error("cert and key need each other, and ca")]
    Identity,
    /// A user without `password-file`, or the reverse.
    #[error("a user needs password-file=FILE, and password-file needs a user")]
    User,
    /// A plain connection beyond loopback.
    #[error("an address beyond loopback needs ca=FILE for TLS, or plaintext=allow")]
    Plaintext,
    /// `ca` and `plaintext` at once.
    #[error("ca=FILE and plaintext=allow exclude each other")]
    TlsAndPlaintext,
}

impl EtcdSettings {
    /// Reads a storage URL. Files are read when the store is opened.
    ///
    /// # Errors
    /// The first rule that the URL breaks. No message repeats a part of the URL.
    pub fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let rest = url.strip_prefix("etcd://").ok_or(InvalidUrl::Form)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, prefix) = place.split_once('/').ok_or(InvalidUrl::Form)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((user, _)) if user.contains(':') => return Err(InvalidUrl::Password),
            Some((user, hosts)) => (Some(user), hosts),
        };
        let endpoints = endpoints(hosts)?;
        if !is_prefix(prefix) {
            return Err(InvalidUrl::Prefix);
        }
        let parameters = UrlParameters::parse(query)?;
        let tls = parameters.tls()?;
        match (&tls, parameters.is_plaintext) {
            (Some(_), true) => return Err(InvalidUrl::TlsAndPlaintext),
            (None, false) if !endpoints.iter().all(|it| is_loopback(it)) => {
                return Err(InvalidUrl::Plaintext);
            },
            (Some(_), false) | (None, true | false) => {},
        }
        let user = match (user, parameters.password_file) {
            (None, None) => None,
            (Some(name), Some(file)) if !name.is_empty() => {
                Some(User { name: name.to_owned(), password_file: file.into() })
            },
            (_, _) => return Err(InvalidUrl::User),
        };
        Ok(Self { endpoints, prefix: prefix.to_owned(), tls, user })
    }
}

/// The URL, for messages. It contains no secret.
impl fmt::Display for EtcdSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd://{}/{}", self.endpoints.join(","), self.prefix)
    }
}

#[derive(Debug, Default)]
struct UrlParameters<'a> {
    authorities: Option<&'a str>,
    certificate: Option<&'a str>,
    private_key: Option<&'a str>,
    password_file: Option<&'a str>,
    is_plaintext: bool,
}

impl<'a> UrlParameters<'a> {
    fn parse(query: &'a str) -> Result<Self, InvalidUrl> {
        let mut found = Self::default();
        for parameter in query.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(InvalidUrl::Parameter)?;
            let field = match (name, value) {
                (_, "") => return Err(InvalidUrl::Parameter),
                ("ca", _) => &mut found.authorities,
                ("cert", _) => &mut found.certificate,
                ("key", _) => &mut found.private_key,
                ("password-file", _) => &mut found.password_file,
                ("plaintext", "allow") if !found.is_plaintext => {
                    found.is_plaintext = true;
                    continue;
                },
                (_, _) => return Err(InvalidUrl::Parameter),
            };
            if field.replace(value).is_some() {
                return Err(InvalidUrl::Parameter);
            }
        }
        Ok(found)
    }

    fn tls(&self) -> Result<Option<TlsFiles>, InvalidUrl> {
        match (self.authorities, self.certificate, self.private_key) {
            (None, None, None) => Ok(None),
            (Some(authorities), None, None) => {
                Ok(Some(TlsFiles { authorities: authorities.into(), identity: None }))
            },
            (Some(authorities), Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                authorities: authorities.into(),
                identity: Some((certificate.into(), key.into())),
            })),
            (_, _, _) => Err(InvalidUrl::Identity),
        }
    }
}

fn endpoints(hosts: &str) -> Result<Vec<String>, InvalidUrl> {
    let endpoints: Vec<String> = hosts.split(',').map(str::to_owned).collect();
    let is_endpoint = |endpoint: &String| {
        endpoint.rsplit_once(':').is_some_and(|(host, port)| {
            let is_host = host.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'[' | b']' | b':')
            });
            !host.is_empty() && is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(InvalidUrl::TooManyEndpoints);
    }
    if endpoints.iter().all(is_endpoint) { Ok(endpoints) } else { Err(InvalidUrl::Form) }
}

fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    prefix.len() <= PREFIX_BYTES_MAX && prefix.split('/').all(is_part)
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// Reads a file of at most [`FILE_BYTES_MAX`] bytes.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let described = |error: io::Error| format!("{}: {error}", path.display());
    let size = fs::metadata(path).map_err(described)?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{}: more than {FILE_BYTES_MAX} bytes", path.display()));
    }
    fs::read(path).map_err(described)
}

/// Reads the file of a secret. Other users must not have access to it.
pub(crate) fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    use std::os::unix::fs::PermissionsExt as _;

    let described = |error: io::Error| format!("{}: {error}", path.display());
    let mode = fs::metadata(path).map_err(described)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{}: other users have access; run chmod 600", path.display()));
    }
    read_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_rejected_with_the_rule() {
        use InvalidUrl::{
            Form, Identity, Parameter, Password, Plaintext, Prefix, TlsAndPlaintext,
            TooManyEndpoints,
        };
        let many = format!("etcd://{}/k", ["127.0.0.1:1"; ENDPOINTS_MAX + 1].join(","));
        let long = format!("etcd://127.0.0.1:1/{}", "x".repeat(PREFIX_BYTES_MAX + 1));
        for (url, expected) in [
            ("etcd://127.0.0.1:2379/keyhouse", Ok(())),
            ("etcd://localhost:1,[::1]:2,127.8.8.8:3/a/b", Ok(())),
            ("etcd://h:2379/k?ca=/ca.pem", Ok(())),
            ("etcd://h:2379/k?ca=/ca&cert=/c&key=/k", Ok(())),
            ("etcd://kh@h:1/k?ca=/ca&password-file=/p", Ok(())),
            ("etcd://h:2379/k?plaintext=allow", Ok(())),
            ("redb:/x", Err(Form)),
            ("etcd://h:2379", Err(Form)),
            ("etcd://h/k", Err(Form)),
            ("etcd://h:0/k", Err(Form)),
            ("etcd://h:1,/k", Err(Form)),
            ("etcd://h h:1/k", Err(Form)),
            ("etcd://h:1/", Err(Prefix)),
            ("etcd://h:1/a//b", Err(Prefix)),
            ("etcd://h:1/a\0", Err(Prefix)),
            (&long, Err(Prefix)),
            (&many, Err(TooManyEndpoints)),
            ("etcd://kh:secret@h:1/k", Err(Password)),
            ("etcd://kh@127.0.0.1:1/k", Err(InvalidUrl::User)),
            ("etcd://127.0.0.1:1/k?password-file=/p", Err(InvalidUrl::User)),
            ("etcd://@127.0.0.1:1/k?password-file=/p", Err(InvalidUrl::User)),
            ("etcd://h:1/k", Err(Plaintext)),
            ("etcd://127.0.0.1:1,h:1/k", Err(Plaintext)),
            ("etcd://h:1/k?ca=/ca&plaintext=allow", Err(TlsAndPlaintext)),
            ("etcd://h:1/k?ca=/ca&cert=/c", Err(Identity)),
            ("etcd://h:1/k?cert=/c&key=/k", Err(Identity)),
            ("etcd://h:1/k?ca=/ca&ca=/ca", Err(Parameter)),
            ("etcd://h:1/k?ca=", Err(Parameter)),
            ("etcd://h:1/k?plaintext=yes", Err(Parameter)),
            ("etcd://h:1/k?password=x", Err(Parameter)),
        ] {
            assert_eq!(EtcdSettings::parse(url).map(drop), expected, "{url}");
        }
    }

    #[test]
    fn secret_that_other_users_can_read_is_rejected() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "secret").unwrap();
        for (mode, is_read) in [(0o600, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_secret(&path).is_ok(), is_read, "{mode:o}");
        }
    }
}
