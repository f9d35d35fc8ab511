//! Opens the listeners of `serve`: the control socket, and those of the settings.

use std::os::fd::OwnedFd;

use crate::cli::control::Control;
use crate::cli::exit::Failure;
use crate::cli::given_sockets::GivenSockets;
use crate::cli::sockets::{self, Opened, SocketFile};
use crate::cli::takeover::duplicate;
use crate::config::{Listen, Settings};
use crate::http::transport::{Listener, ListenerKind, Socket};

/// The open listeners of a server.
pub(super) struct Listening {
    pub(super) listeners: Vec<Listener>,
    /// The files of sockets are removed on drop, after the server has stopped.
    pub(super) files: Vec<SocketFile>,
    /// One line for each address.
    pub(super) addresses: Vec<String>,
    pub(super) main: Listen,
    /// Duplicates of the sockets, for a server that takes over.
    pub(super) duplicates: Vec<(ListenerKind, OwnedFd)>,
}

impl Listening {
    pub(super) fn open(
        control: &mut Control,
        settings: &Settings,
        given: &mut GivenSockets,
    ) -> Result<Self, Failure> {
        // The control socket is opened first, so that a listener with the same path fails.
        let socket = Socket::Unix(control.bind()?);
        let listeners = vec![Listener { listener: ListenerKind::Control, socket }];
        let (files, addresses, duplicates) = (Vec::new(), Vec::new(), Vec::new());
        let main = settings.listen.clone();
        let mut listening = Self { listeners, files, addresses, main, duplicates };
        for (listener, at, words) in [
            (ListenerKind::Main, Some(&settings.listen), "listening on"),
            (ListenerKind::Checks, settings.check_listen.as_ref(), "checks on"),
            (ListenerKind::Metrics, settings.metrics_listen.as_ref(), "metrics on"),
        ] {
            let Some(at) = at else { continue };
            let Opened { socket, at, file } = sockets::open(listener, at, given)?;
            let duplicate =
                duplicate(&socket).map_err(|error| Failure::io("duplicate a socket", &error))?;
            listening.addresses.push(format!("{words} {at}"));
            listening.duplicates.push((listener, duplicate));
            listening.files.extend(file);
            listening.listeners.push(Listener { listener, socket });
            if listener == ListenerKind::Main {
                listening.main = at;
            }
        }
        Ok(listening)
    }
}
