//! Passes the listening sockets of a running server to the server that replaces it, so that no
//! connection is refused meanwhile.
//!
//! The running server listens on a Unix socket in its data directory. `keyhouse serve --take-over`
//! connects to it, receives duplicates of the listening sockets (`SCM_RIGHTS`, unix(7)), confirms, and
//! waits until the running server has ended. The running server stops: it answers what it has
//! accepted, closes the store, and ends. New connections wait in the backlogs of the sockets, which
//! stay open in the new server. Only one process holds the store at any time.
//!
//! Only a process of the same user, or root, receives the sockets: the socket's file has mode 0600,
//! and the server compares the user of its peer. A process of that user could read the store anyway.

use std::fs::Permissions;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::cli::exit::{Exit, Failure, print_message};
use crate::cli::given_sockets::{GivenSocket, GivenSockets};
use crate::config::Settings;
use crate::http::transport::{ListenerKind, Socket};

/// Sockets of one server that can be passed: main, checks and metrics.
const SOCKETS_MAX: usize = 3;
/// Maximum length of their names, with a separator after each.
const NAMES_BYTES_MAX: usize = 64;
const SEPARATOR: char = ' ';
/// The byte with which the new server confirms that it has the sockets.
const CONFIRMED: u8 = b'1';
/// Time in which the two servers must pass the sockets.
const PASS_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for which the new server waits for the end of the running one, beyond its drain timeout: the
/// store writes what it still has.
const CLOSE_WAIT: Duration = Duration::from_mins(1);

/// The offer of a running server to pass its sockets.
#[derive(Debug)]
pub(super) struct TakeoverOffer {
    listener: tokio::net::UnixListener,
    path: PathBuf,
    sockets: Vec<(ListenerKind, OwnedFd)>,
}

/// The new server. It waits for the end of this connection, which ends with this process.
#[derive(Debug)]
pub(super) struct Successor {
    _connection: UnixStream,
}

/// The path of the socket, beside the control socket.
fn path(settings: &Settings) -> PathBuf {
    settings.control_socket.with_extension("takeover")
}

impl TakeoverOffer {
    /// Opens the socket. Call inside a runtime.
    pub(super) fn open(
        settings: &Settings,
        sockets: Vec<(ListenerKind, OwnedFd)>,
    ) -> io::Result<Self> {
        let path = path(settings);
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(Self { listener, path, sockets })
    }

    /// Waits until another server has the sockets.
    pub(super) async fn successor(&self) -> Successor {
        loop {
            let accepted = self.listener.accept().await;
            match accepted.and_then(|(stream, _)| self.pass(stream)) {
                Ok(successor) => return successor,
                Err(error) => tracing::warn!(%error, "could not pass the listening sockets"),
            }
        }
    }

    /// Passes the sockets to the process behind a connection.
    fn pass(&self, stream: tokio::net::UnixStream) -> io::Result<Successor> {
        let (user, own) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
        if user != own && user != 0 {
            let message = format!("a process of uid {user} must not take over from uid {own}");
            return Err(io::Error::new(ErrorKind::PermissionDenied, message));
        }
        let mut stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PASS_TIMEOUT))?;
        stream.set_write_timeout(Some(PASS_TIMEOUT))?;
        let names = self.sockets.iter().map(|(kind, _)| format!("{}{SEPARATOR}", kind.name()));
        let names: String = names.collect();
        let descriptors: Vec<BorrowedFd<'_>> = self.sockets.iter().map(|it| it.1.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("too many sockets"));
        }
        sendmsg(&stream, &[IoSlice::new(names.as_bytes())], &mut ancillary, SendFlags::empty())?;
        let mut confirmed = [0];
        stream.read_exact(&mut confirmed).map_err(|error| {
            io::Error::new(error.kind(), format!("the new server did not confirm: {error}"))
        })?;
        Ok(Successor { _connection: stream })
    }
}

impl Drop for TakeoverOffer {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, "could not remove the file of the socket for a take-over");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes the sockets of the server that runs on the same data directory, and waits until that server
/// has ended. Without a running server there are no sockets.
pub(super) fn take_over(settings: &Settings) -> Result<GivenSockets, Failure> {
    let mut stream = match UnixStream::connect(path(settings)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            print_message("no server to take over from; starting");
            return Ok(GivenSockets::default());
        },
        Err(error) => return Err(Failure::io("reach the running server", &error)),
    };
    let failed = |error: io::Error| Failure::io("take the sockets of the running server", &error);
    stream.set_read_timeout(Some(PASS_TIMEOUT)).map_err(failed)?;
    let sockets = receive(&stream).map_err(failed)?;
    let mut given = GivenSockets::default();
    for socket in sockets {
        given.add(socket)?;
    }
    stream.write_all(&[CONFIRMED]).map_err(failed)?;
    print_message("took the sockets of the running server; waiting for its end");
    let wait = settings.limits.drain_timeout.saturating_add(CLOSE_WAIT);
    stream.set_read_timeout(Some(wait)).map_err(failed)?;
    match stream.read(&mut [0]) {
        // The process has ended, or was killed.
        Ok(_) => Ok(given),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(given),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let message = format!(
                "the running server has not ended after {} s: end it, then start this server again",
                wait.as_secs()
            );
            Err(Failure::new(Exit::Conflict, message))
        },
        Err(error) => Err(Failure::io("wait for the end of the running server", &error)),
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<GivenSocket>> {
    let mut names = [0; NAMES_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut names)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptors: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            RecvAncillaryMessage::ScmCredentials(_) | _ => None,
        })
        .flatten()
        .collect();
    let names = names.get(..received.bytes).unwrap_or_default();
    let names = str::from_utf8(names).map_err(io::Error::other)?;
    let names: Vec<_> = names.split_terminator(SEPARATOR).collect();
    if names.len() != descriptors.len() || names.is_empty() {
        let message = format!("received {} sockets and {} names", descriptors.len(), names.len());
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    let sockets = names.into_iter().zip(descriptors);
    sockets.map(|(name, descriptor)| GivenSocket::of_descriptor(name, descriptor)).collect()
}

/// A duplicate of a listening socket.
pub(super) fn duplicate(socket: &Socket) -> io::Result<OwnedFd> {
    match socket {
        Socket::Tcp(socket) => Ok(socket.try_clone()?.into()),
        Socket::Unix(socket) => Ok(socket.try_clone()?.into()),
    }
}
