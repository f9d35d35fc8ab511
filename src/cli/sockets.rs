//! Opens the listening sockets of `serve`, except the control socket.
//!
//! The module `control` opens the control socket.
//!
//! The rights of a peer depend on the kind of the listener, not on the kind of its socket. A peer
//! of a Unix socket is a trusted proxy on the main listener and on the listener for checks. A peer
//! is the local operator only on the control socket. The control socket is opened first, so that no
//! other listener takes its path.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Type};

use crate::cli::exit::{Exit, Failure};
use crate::cli::given_sockets::{GivenSocket, GivenSockets};
use crate::config::Listen;
use crate::http::transport::{ListenerKind, Socket};

/// The number of connections that the system queues until the server accepts them.
const BACKLOG: i32 = 1_024;
/// The mode of a socket file: its user and its group, such as the group of a proxy, may connect.
/// The group is that of a setgid directory, otherwise that of the process.
const MODE: u32 = 0o660;

/// An open socket with its actual port.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) at: Listen,
    pub(super) file: Option<SocketFile>,
}

/// The file of a socket. A drop removes the file, unless the file of another socket has replaced
/// it.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    is_shared: bool,
}

/// Closes the given sockets that no listener uses, and removes the files that this server owns. It
/// runs after all listeners are open: before that, the files may be those of the running server.
pub(super) fn discard(given: GivenSockets) {
    for GivenSocket { at, owns_file, .. } in given.into_rest() {
        if let (Listen::Unix(path), true) = (at, owns_file) {
            drop(SocketFile::of(&path));
        }
    }
}

/// The given socket of this listener and address, or a new one.
pub(super) fn open(
    kind: ListenerKind,
    at: &Listen,
    given: &mut GivenSockets,
) -> Result<Opened, Failure> {
    if let Some(GivenSocket { socket, at, owns_file, .. }) = given.take(kind, at) {
        let file = match &at {
            Listen::Unix(path) if owns_file => SocketFile::of(path).ok(),
            Listen::Unix(_) | Listen::Tcp(_) => None,
        };
        return Ok(Opened { socket, at, file });
    }
    match at {
        Listen::Tcp(address) => {
            open_tcp(*address).map_err(|error| Failure::io(&format!("listen on {address}"), &error))
        },
        Listen::Unix(path) => {
            remove_stale(path)?;
            open_unix(path).map_err(|error| Failure::io(&format!("listen on {at}"), &error))
        },
    }
}

fn open_tcp(address: SocketAddr) -> io::Result<Opened> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = std::net::TcpListener::from(socket);
    let at = Listen::Tcp(socket.local_addr()?);
    Ok(Opened { socket: Socket::Tcp(socket), at, file: None })
}

fn open_unix(path: &Path) -> io::Result<Opened> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // No client can connect before `listen`, so the mode is right from the first connection on.
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    let socket = Socket::Unix(socket.into());
    Ok(Opened { socket, at: Listen::Unix(path.to_owned()), file: Some(file) })
}

/// Removes the socket file of a crashed server. Any other file is an error.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    let path_text = path.display();
    let failed = |error| Failure::io(&format!("inspect {path_text}"), &error);
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            let message =
                format!("{path_text} exists and is not a socket: move it, or use another path");
            return Err(Failure::new(Exit::Conflict, message));
        },
        Ok(_) => {},
    }
    match try_connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .map_err(|error| Failure::io(&format!("remove {path_text}"), &error)),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(failed(error)),
        Ok(()) | Err(_) => {
            let message = format!("{path_text} is in use: another process listens on it");
            Err(Failure::new(Exit::Conflict, message))
        },
    }
}

/// Connects without waiting: a server whose queue is full counts as running.
fn try_connect(path: &Path) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let found = std::fs::symlink_metadata(path)?;
        let (path, device, inode) = (path.to_owned(), found.dev(), found.ino());
        Ok(Self { path, device, inode, is_shared: false })
    }

    /// Leaves the file to the process that has the same socket.
    pub(super) fn share(&mut self) {
        self.is_shared = true;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_shared {
            return;
        }
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "could not remove a socket's file");
        }
    }
}
