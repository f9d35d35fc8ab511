//! Addresses of listeners: an IP address with a port, or the path of a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::environment::ProcessEnvironment;

/// Longest path of a socket. Every system accepts this length.
const SOCKET_PATH_BYTES_MAX: usize = 100;
const UNIX: &str = "unix:";
const SOCKET_NAME: &str = "control.sock";

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// `unix:PATH`, the path of a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// The text of the setting.
    pub fn setting(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => self.to_string(),
        }
    }

    /// Whether clients on other machines can connect.
    pub(super) fn is_beyond_loopback(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().to_canonical().is_loopback())
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix(UNIX) else {
            let message = "must be an IP address and a port, such as 127.0.0.1:7117, or unix:/PATH";
            return text.parse().map(Self::Tcp).map_err(|_source| message.to_owned());
        };
        if !Path::new(path).is_absolute() || path.ends_with('/') || path.contains('\0') {
            return Err(
                "must be an absolute path of a file, such as unix:/run/keyhouse/checks.sock"
                    .to_owned(),
            );
        }
        if path.len() > SOCKET_PATH_BYTES_MAX {
            return Err(format!(
                "is too long: a socket path has at most {SOCKET_PATH_BYTES_MAX} bytes"
            ));
        }
        Ok(Self::Unix(path.into()))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The path of the control socket: in the data directory, or, if that path is too long, in
/// `XDG_RUNTIME_DIR`.
pub(super) fn control_socket(
    directory: &Path,
    environment: &ProcessEnvironment,
) -> Option<PathBuf> {
    let beside = directory.join(SOCKET_NAME);
    if beside.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Some(beside);
    }
    // The runtime directory of the service manager is not used, since commands do not have its
    // variable.
    let folder = environment.get("XDG_RUNTIME_DIR")?;
    // The name depends on the absolute data directory, so that two instances do not share a socket.
    let directory = std::path::absolute(directory).ok()?;
    let name = blake3::hash(directory.as_os_str().as_encoded_bytes()).to_hex();
    Some(Path::new(folder).join(format!("keyhouse-{}.sock", name.get(..16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_an_address_with_a_port_or_an_absolute_path() {
        let (fits, long) =
            (format!("unix:/{}", "x".repeat(99)), format!("unix:/{}", "x".repeat(100)));
        for (text, printed) in [
            ("127.0.0.1:7117", "http://127.0.0.1:7117"),
            ("[::1]:0", "http://[::1]:0"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            (fits.as_str(), fits.as_str()),
            (long.as_str(), ""),
            ("unix:", ""),
            ("unix:a.sock", ""),
            ("unix:/run/", ""),
            ("unix:/a\0b", ""),
            ("/run/a.sock", ""),
            ("localhost:1", ""),
        ] {
            let read = text.parse::<Listen>().map(|it| it.to_string());
            assert_eq!(read.unwrap_or_default(), printed, "{text:?}");
        }
    }
}
