//! Export destinations: a file that is appended to, or a syslog socket.
//!
//! A write that takes longer than [`SILENCE_MAX`] fails, so that no destination blocks the thread
//! permanently.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::model::export::Destination;
use crate::upkeep::audit::export::message::ExportEntry;

/// The longest time in which a destination must accept a connection or a write.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// The number of bytes from a receiver that are read and discarded at once.
const HEARD_BYTES: usize = 4_096;

#[derive(Debug)]
pub(super) enum Sink {
    /// A file, to which each entry is appended as one line.
    File(Appended),
    /// A datagram socket. Each message is one datagram.
    Datagram(UnixDatagram),
    /// A stream socket. Each message is one line.
    Unix(UnixStream),
    /// Octet counting: the length, then the message (RFC 6587, 3.4.1).
    Tcp(TcpStream),
}

impl Sink {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::File(path) => Appended::open(path).map(Self::File),
            Destination::SyslogUnix(path) => open_unix(path),
            Destination::SyslogTcp { host, port } => open_tcp(host, *port).map(Self::Tcp),
        }
    }

    /// Whether a successful write means that the entry was delivered. A stream detects a loss only
    /// later.
    pub(super) const fn is_sure(&self) -> bool {
        matches!(self, Self::File(_) | Self::Datagram(_))
    }

    /// Detects a file that was moved and a connection that was closed.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.follow_rename(),
            Self::Datagram(_) => Ok(()),
            Self::Unix(stream) => {
                stream.set_nonblocking(true)?;
                let heard = hear(stream);
                stream.set_nonblocking(false)?;
                heard
            },
            Self::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                let heard = hear(stream);
                stream.set_nonblocking(false)?;
                heard
            },
        }
    }

    pub(super) fn send(&mut self, entry: &ExportEntry) -> io::Result<()> {
        match self {
            Self::File(file) => file.file.write_all((entry.line() + "\n").as_bytes()),
            Self::Datagram(socket) => match socket.send(entry.syslog().as_bytes()) {
                Err(error) if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) => {
                    socket.send(entry.shortened().syslog().as_bytes()).map(drop)
                },
                outcome => outcome.map(drop),
            },
            Self::Unix(stream) => stream.write_all((entry.syslog() + "\n").as_bytes()),
            Self::Tcp(stream) => {
                let message = entry.syslog();
                stream.write_all(format!("{} {message}", message.len()).as_bytes())
            },
        }
    }

    /// Makes the sent entries durable if the destination supports it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.file.sync_data(),
            Self::Datagram(_) | Self::Unix(_) | Self::Tcp(_) => Ok(()),
        }
    }
}

/// A file that is appended to, with its path.
#[derive(Debug)]
pub(super) struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    fn open(path: &Path) -> io::Result<Self> {
        // Opening a pipe without a reader would block. Later, a pipe is rejected because it is not
        // a regular file.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
        let mut file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "is not a regular file"));
        }
        if metadata.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                // An earlier write was incomplete. The entry is written again on a new line.
                file.write_all(b"\n")?;
            }
        }
        Ok(Self { path: path.to_owned(), file })
    }

    fn follow_rename(&mut self) -> io::Result<()> {
        let open = self.file.metadata()?;
        let is_same = fs::metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino()));
        if !is_same {
            *self = Self::open(&self.path)?;
        }
        Ok(())
    }
}

/// Opens a syslog socket: a datagram socket, the usual kind, or otherwise a stream.
fn open_unix(path: &Path) -> io::Result<Sink> {
    let address = SockAddr::unix(path)?;
    let connected = |kind| {
        let socket = Socket::new(Domain::UNIX, kind, None)?;
        // The timeout also covers connecting, which blocks while the listener's queue is full.
        socket.set_write_timeout(Some(SILENCE_MAX))?;
        socket.connect(&address).map(|()| socket)
    };
    match connected(Type::DGRAM) {
        Ok(socket) => Ok(Sink::Datagram(socket.into())),
        Err(error) if error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
            Ok(Sink::Unix(connected(Type::STREAM)?.into()))
        },
        Err(error) => Err(error),
    }
}

fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last =
        io::Error::new(ErrorKind::NotFound, "the host name does not resolve to an address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, SILENCE_MAX) {
            Ok(stream) => {
                stream.set_write_timeout(Some(SILENCE_MAX))?;
                stream.set_nodelay(true)?;
                // Missing acknowledgements show that the peer is gone.
                SockRef::from(&stream).set_tcp_user_timeout(Some(SILENCE_MAX))?;
                return Ok(stream);
            },
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads and discards data from a receiver. Fails if the receiver has closed the connection.
fn hear(stream: &mut impl Read) -> io::Result<()> {
    match stream.read(&mut [0; HEARD_BYTES]) {
        Ok(0) => {
            Err(io::Error::new(ErrorKind::ConnectionReset, "the receiver closed the connection"))
        },
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}
