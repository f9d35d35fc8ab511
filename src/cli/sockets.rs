//! Opens what `serve` listens on. The control socket is not among them: see `control`.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Type};

use crate::cli::exit::{Exit, Failure};
use crate::config::Listen;
use crate::http::transport::Socket;

/// How many connections the system holds while all places are taken.
const BACKLOG: i32 = 1_024;
/// Its user and its group connect, such as a proxy's; the group is that of a setgid folder, else
/// the process's own.
const MODE: u32 = 0o660;

/// An open socket, with the port it got.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) at: Listen,
    pub(super) file: Option<SocketFile>,
}

/// A socket's file, which goes when this is dropped, unless it is another's by then.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

pub(super) fn open(at: &Listen) -> Result<Opened, Failure> {
    match at {
        Listen::Tcp(address) => {
            open_tcp(*address).map_err(|error| Failure::io(&format!("listen on {address}"), &error))
        },
        Listen::Unix(path) => {
            make_room(path)?;
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
    let found = std::fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() };
    // Nobody connects before `listen`, so it is never open to more than it should be.
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    let socket = Socket::Unix(socket.into());
    Ok(Opened { socket, at: Listen::Unix(path.to_owned()), file: Some(file) })
}

/// Takes the file of a server that is no more away, and nothing else.
fn make_room(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let failed = |error| Failure::io(&format!("look at {shown}"), &error);
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            let said = format!("{shown} is there already, and is no socket; it is left as it is");
            return Err(Failure::new(Exit::Conflict, said));
        },
        Ok(_) => {},
    }
    match knock(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .map_err(|error| Failure::io(&format!("remove {shown}"), &error)),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(failed(error)),
        Ok(()) | Err(_) => {
            let said = format!("{shown} is in use: something listens there");
            Err(Failure::new(Exit::Conflict, said))
        },
    }
}

/// Connects without waiting: a server whose queue is full is alive too.
fn knock(path: &Path) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "a socket's file stays behind");
        }
    }
}
