//! The control socket of the server, and the lock on its data directory.
//!
//! Commands on this host use the socket to reach the server. The lock prevents a second server on
//! the same data directory.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::config::Settings;

/// The file that the server locks in its data directory, with every kind of storage.
const CLAIM_NAME: &str = "serve.lock";

/// The locked data directory and its socket. The drop removes the socket's file.
pub(super) struct Control {
    path: PathBuf,
    bound: bool,
    /// The lock ends when this file is closed.
    _claim: File,
}

impl Control {
    /// Creates the data directory if it is missing, checks its owner and mode, and locks it.
    pub(super) fn claim(settings: &Settings) -> Result<Self, Failure> {
        let directory = &settings.data;
        let path = directory.display();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| Failure::io(&format!("create {path}"), &error))?;
        let found = std::fs::metadata(directory)
            .map_err(|error| Failure::io(&format!("inspect {path}"), &error))?;
        require_own(directory, &found, rustix::process::geteuid().as_raw())?;
        let claim = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(directory.join(CLAIM_NAME))
            .map_err(|error| Failure::io(&format!("open {CLAIM_NAME} in {path}"), &error))?;
        match claim.try_lock() {
            Ok(()) => {},
            Err(TryLockError::WouldBlock) => {
                let holder = holder(directory);
                let message = format!("{path} is in use by another keyhouse serve{holder}");
                return Err(Failure::new(Exit::Conflict, message));
            },
            Err(TryLockError::Error(error)) => {
                return Err(Failure::io("lock the data directory", &error));
            },
        }
        claim
            .set_len(0)
            .and_then(|()| write!(&claim, "{}", std::process::id()))
            .map_err(|error| Failure::io("write the process id to the lock file", &error))?;
        Ok(Self { path: settings.control_socket.clone(), bound: false, _claim: claim })
    }

    /// Opens the socket. Replaces the socket file of a crashed server.
    pub(super) fn bind(&mut self) -> Result<UnixListener, Failure> {
        let failed = |error| Failure::io(&format!("open {}", self.path.display()), &error);
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {},
        }
        let listener = UnixListener::bind(&self.path).map_err(failed)?;
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o600)).map_err(failed)?;
        self.bound = true;
        Ok(listener)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if !self.bound {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "could not remove the control socket's file");
        }
    }
}

/// Requires that only the user that runs Keyhouse has access to the data directory. A volume that
/// was just mounted often belongs to root with mode 755.
fn require_own(directory: &Path, found: &Metadata, user: u32) -> Result<(), Failure> {
    let (mode, owner) = (found.permissions().mode() & 0o7777, found.uid());
    let path = directory.display();
    let problem = if owner != user && user != 0 {
        format!("{path} belongs to uid {owner} (mode {mode:o}), and keyhouse runs as uid {user}")
    } else if mode & 0o077 != 0 {
        format!("{path} is accessible to other users (mode {mode:o}, owned by uid {owner})")
    } else {
        return Ok(());
    };
    let remedy = format!(
        "run `chown {user} {path}` and `chmod 700 {path}`, or use --data {path}/keyhouse: \
         keyhouse creates that subdirectory if uid {user} has write permission"
    );
    Err(Failure::new(Exit::Failed, format!("{problem}: {remedy}")))
}

/// The id of the process that holds or held the lock, if it is in the lock file.
pub(super) fn holder_id(directory: &Path) -> Option<u32> {
    std::fs::read_to_string(directory.join(CLAIM_NAME)).ok()?.trim().parse().ok()
}

fn holder(directory: &Path) -> String {
    holder_id(directory).map_or_else(String::new, |id| format!(", process {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_of_another_user_is_refused_unless_root_runs() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        let found = std::fs::metadata(directory.path()).unwrap();
        let (owner, other) = (found.uid(), found.uid() + 1);
        let required = |user| require_own(directory.path(), &found, user);
        assert!(required(owner).is_ok());
        assert!(required(0).is_ok());
        let message_of = required(other).unwrap_err().into_message();
        let expected =
            format!("belongs to uid {owner} (mode 700), and keyhouse runs as uid {other}");
        assert!(message_of.contains(&expected), "{message_of}");
    }
}
