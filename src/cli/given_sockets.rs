//! Listening sockets that another process has opened: the service manager, or the server from which
//! this one takes over.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use crate::cli::exit::{Exit, Failure};
use crate::config::{Listen, ProcessEnvironment, Written};
use crate::http::transport::{ListenerKind, Socket};

/// Listeners that may be given, with the settings of their addresses.
const KINDS: [(ListenerKind, &str); 3] = [
    (ListenerKind::Main, "listen"),
    (ListenerKind::Checks, "check_listen"),
    (ListenerKind::Metrics, "metrics_listen"),
];

/// A listening socket that another process has opened.
#[derive(Debug)]
pub(super) struct GivenSocket {
    pub(super) kind: ListenerKind,
    pub(super) socket: Socket,
    pub(super) at: Listen,
    /// Whether this server removes the file of the socket.
    pub(super) owns_file: bool,
}

/// The given sockets that no listener uses yet.
#[derive(Debug, Default)]
pub(super) struct GivenSockets(Vec<GivenSocket>);

impl GivenSockets {
    /// The sockets of a systemd socket unit, by their `FileDescriptorName`: main, checks or metrics.
    /// A single socket without a name is that of the main listener.
    pub(super) fn of_service_manager(environment: &ProcessEnvironment) -> Result<Self, Failure> {
        let mut passed = ListenFd::from_env();
        let names = environment.get("LISTEN_FDNAMES").unwrap_or(ListenerKind::Main.name());
        let names: Vec<_> = names.split(':').collect();
        if passed.len() > 0 && names.len() != passed.len() {
            let message = format!(
                "the service manager passed {} sockets and {} names: set FileDescriptorName= in each \
                 socket unit",
                passed.len(),
                names.len()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        let mut given = Self::default();
        for (at, name) in names.into_iter().enumerate().take(passed.len()) {
            let kind = KINDS.iter().find(|(kind, _)| kind.name() == name).ok_or_else(|| {
                let message = format!(
                    "the service manager passed a socket named {name:?}: set FileDescriptorName= to \
                     main, checks or metrics"
                );
                Failure::new(Exit::Usage, message)
            })?;
            let failed = |error| {
                Failure::io(&format!("use the socket {name} of the service manager"), &error)
            };
            let socket = match passed.take_tcp_listener(at) {
                Ok(socket) => socket.map(Socket::Tcp),
                Err(_not_tcp) => passed.take_unix_listener(at).map_err(failed)?.map(Socket::Unix),
            };
            let Some(socket) = socket else { continue };
            given.add(GivenSocket::new(kind.0, socket, false).map_err(failed)?)?;
        }
        Ok(given)
    }

    /// Adds a socket. Two sockets of one listener are an error.
    pub(super) fn add(&mut self, socket: GivenSocket) -> Result<(), Failure> {
        if self.0.iter().any(|other| other.kind == socket.kind) {
            let message = format!("two sockets for the listener {}", socket.kind.name());
            return Err(Failure::new(Exit::Usage, message));
        }
        self.0.push(socket);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The addresses of the sockets, as settings that take precedence over all others.
    pub(super) fn written(&self) -> Written {
        let address = |socket: &GivenSocket| {
            let (_, key) = KINDS.iter().find(|(kind, _)| *kind == socket.kind)?;
            Some((*key, socket.at.setting()))
        };
        Written::of_sockets(self.0.iter().filter_map(address))
    }

    /// The sockets that no listener uses.
    pub(super) fn into_rest(self) -> Vec<GivenSocket> {
        self.0
    }

    /// The socket of a listener, if its address is `wanted`. Port 0 is any port.
    pub(super) fn take(&mut self, kind: ListenerKind, wanted: &Listen) -> Option<GivenSocket> {
        let fits = |given: &GivenSocket| match (&given.at, wanted) {
            (Listen::Tcp(given), Listen::Tcp(wanted)) => {
                given.ip() == wanted.ip() && [0, given.port()].contains(&wanted.port())
            },
            (given, wanted) => given == wanted,
        };
        let at = self.0.iter().position(|given| given.kind == kind && fits(given))?;
        Some(self.0.swap_remove(at))
    }
}

impl GivenSocket {
    fn new(kind: ListenerKind, socket: Socket, owns_file: bool) -> io::Result<Self> {
        let at = match &socket {
            Socket::Tcp(socket) => Listen::Tcp(socket.local_addr()?),
            Socket::Unix(socket) => {
                let address = socket.local_addr()?;
                let path = address.as_pathname().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidInput, "the socket has no path")
                })?;
                Listen::Unix(path.to_owned())
            },
        };
        Ok(Self { kind, socket, at, owns_file })
    }

    /// The socket of a server that ends, for the listener of a name.
    pub(super) fn of_descriptor(name: &str, descriptor: OwnedFd) -> io::Result<Self> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "unknown listener");
        let (kind, _) = KINDS.iter().find(|(kind, _)| kind.name() == name).ok_or_else(unknown)?;
        let is_unix = socket2::SockRef::from(&descriptor).local_addr()?.is_unix();
        let socket = if is_unix {
            Socket::Unix(UnixListener::from(descriptor))
        } else {
            Socket::Tcp(TcpListener::from(descriptor))
        };
        Self::new(*kind, socket, true)
    }
}
