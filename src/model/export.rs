//! Destinations to which sealed audit events and heads are sent.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path of a socket that operating systems accept.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// One destination of audit events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `file:/PATH`: appends one line of JSON per entry.
    File(PathBuf),
    /// `syslog:unix:/PATH`: RFC 5424 messages to a datagram or stream socket.
    SyslogUnix(PathBuf),
    /// `syslog:tcp://HOST:PORT`: RFC 5424 messages with octet counting (RFC 6587).
    SyslogTcp {
        /// A host name or an IP address.
        host: String,
        port: u16,
    },
}

/// The text is not a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be file:/PATH, syslog:unix:/PATH or syslog:tcp://HOST:PORT, with absolute paths")]
pub struct InvalidDestination;

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.chars().all(|character| !character.is_control());
        if !is_plain {
            return Err(InvalidDestination);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Self::File(whole(path)?));
        }
        if let Some(path) = text.strip_prefix("syslog:unix:") {
            let fits = path.len() <= SOCKET_PATH_BYTES_MAX;
            return fits.then_some(Self::SyslogUnix(whole(path)?)).ok_or(InvalidDestination);
        }
        let address = text.strip_prefix("syslog:tcp://").ok_or(InvalidDestination)?;
        let (host, port) = address.rsplit_once(':').ok_or(InvalidDestination)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inner {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(is_of_host),
        };
        let port = port.parse().ok().filter(|port| *port != 0 && is_host);
        let port = port.ok_or(InvalidDestination)?;
        Ok(Self::SyslogTcp { host: inner.unwrap_or(host).to_owned(), port })
    }
}

fn whole(path: &str) -> Result<PathBuf, InvalidDestination> {
    let names_something = path.starts_with('/') && !path.ends_with('/');
    names_something.then(|| PathBuf::from(path)).ok_or(InvalidDestination)
}

const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SyslogUnix(path) => write!(f, "syslog:unix:{}", path.display()),
            Self::SyslogTcp { host, port } if host.contains(':') => {
                write!(f, "syslog:tcp://[{host}]:{port}")
            },
            Self::SyslogTcp { host, port } => write!(f, "syslog:tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_written_as_they_are_read() {
        for text in [
            "file:/var/log/keyhouse/audit.jsonl",
            "syslog:unix:/dev/log",
            "syslog:tcp://127.0.0.1:601",
            "syslog:tcp://logs.example.com:6514",
            "syslog:tcp://[::1]:601",
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_destinations() {
        for wrong in [
            "",
            "file:",
            "file:audit.jsonl",
            "file:/var/log/",
            "file:/var/log/a\nb",
            "/var/log/audit",
            "syslog:unix:dev/log",
            "syslog:udp://127.0.0.1:514",
            "syslog:tcp://127.0.0.1",
            "syslog:tcp://:601",
            "syslog:tcp://127.0.0.1:0",
            "syslog:tcp://127.0.0.1:70000",
            "syslog:tcp://a b:601",
            "syslog:tcp://[1.2.3.4]:601",
            "syslog:tcp://::1:601",
        ] {
            assert_eq!(wrong.parse::<Destination>(), Err(InvalidDestination), "{wrong}");
        }
        let long = format!("syslog:unix:/{}", "x".repeat(107));
        assert_eq!(long.parse::<Destination>(), Err(InvalidDestination));
    }
}
