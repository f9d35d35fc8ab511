//! Rules about the files of an instance: modes, owners, free space.

use crate::cli::doctor::facts::{DiskFacts, FileFacts, FileRole, HostFacts};
use crate::cli::doctor::rule::{FaultRule, Severity};

/// Permission bits of the group and of others.
const OTHERS: u32 = 0o077;
/// Write bits of the group and of others.
const OTHERS_WRITE: u32 = 0o022;
/// A systemd credential is readable for its service by its group bits.
const CREDENTIALS: &str = "/run/credentials";
/// Least free space of a disk. A store that is upgraded or restored needs its own size once more.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "data_directory_open",
        severity: Severity::Error,
        meaning: "other users of the host can enter the data directory",
        remedy: "Run `chmod 700` on the directory. The server refuses to start with this mode.",
        find: |facts| open(facts, FileRole::DataDirectory, OTHERS),
    },
    FaultRule {
        code: "store_file_open",
        severity: Severity::Error,
        meaning: "other users of the host can read or write the store",
        remedy: "Run `chmod 600` on the file. The server refuses to start with this mode.",
        find: |facts| open(facts, FileRole::Store, OTHERS),
    },
    FaultRule {
        code: "seal_key_open",
        severity: Severity::Error,
        meaning: "other users of the host can read or write the seal key",
        remedy: "Run `chmod 600` on the file, then `keyhouse rekey`, since the key may be copied.",
        find: seal_key_open,
    },
    FaultRule {
        code: "configuration_writable",
        severity: Severity::Error,
        meaning: "other users of the host can change the settings, or the files that are applied at \
                  each start",
        remedy: "Run `chmod go-w` on the file, and compare its content with what you expect.",
        find: |facts| open(facts, FileRole::Configuration, OTHERS_WRITE),
    },
    FaultRule {
        code: "file_of_another_user",
        severity: Severity::Error,
        meaning: "a file belongs to a user other than the server's",
        remedy: "Run `chown` with the server's user on the file.",
        find: of_another_user,
    },
    FaultRule {
        code: "password_file_left",
        severity: Severity::Warning,
        meaning: "the file with the first owner's password still exists after the setup",
        remedy: "Remove the file, and `admin_email` and `admin_password_file` from the settings.",
        find: password_file_left,
    },
    FaultRule {
        code: "disk_full",
        severity: Severity::Error,
        meaning: "a disk has less free space than the store's size, or less than 256 MiB",
        remedy: "Free space or enlarge the disk. When the disk is full, changes fail and checks \
                 continue.",
        find: |facts| facts.disks.iter().filter_map(full).collect(),
    },
];

fn of_role(facts: &HostFacts, role: FileRole) -> impl Iterator<Item = &FileFacts> {
    facts.files.iter().filter(move |file| file.role == role)
}

/// The files of a role that have any of these permission bits.
fn open(facts: &HostFacts, role: FileRole, bits: u32) -> Vec<String> {
    of_role(facts, role).filter(|file| file.mode & bits != 0).map(with_mode).collect()
}

pub(super) fn with_mode(file: &FileFacts) -> String {
    format!("{} has mode {:o}", file.path.display(), file.mode)
}

fn seal_key_open(facts: &HostFacts) -> Vec<String> {
    let is_open = |file: &&FileFacts| {
        let bits = if file.path.starts_with(CREDENTIALS) { 0o007 } else { OTHERS };
        file.mode & bits != 0
    };
    of_role(facts, FileRole::SealKey).filter(is_open).map(with_mode).collect()
}

fn of_another_user(facts: &HostFacts) -> Vec<String> {
    let Some(process) = &facts.process else { return Vec::new() };
    let is_own = |role| match role {
        FileRole::DataDirectory | FileRole::Store => true,
        // A service manager provides the key, and root the settings.
        FileRole::SealKey
        | FileRole::Configuration
        | FileRole::Password
        | FileRole::BackupDirectory => false,
    };
    let others = facts.files.iter().filter(|file| is_own(file.role) && file.owner != process.user);
    let place = |file: &FileFacts| {
        let (path, owner, user) = (file.path.display(), file.owner, process.user);
        format!("{path} belongs to uid {owner}, and the server runs as uid {user}")
    };
    others.map(place).collect()
}

fn password_file_left(facts: &HostFacts) -> Vec<String> {
    if !facts.server.as_ref().is_some_and(|server| server.is_set_up) {
        return Vec::new();
    }
    of_role(facts, FileRole::Password).map(|file| file.path.display().to_string()).collect()
}

fn full(disk: &DiskFacts) -> Option<String> {
    let needed = disk.store_bytes.max(FREE_BYTES_MIN);
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    (disk.free_bytes < needed).then(|| {
        let (directory, free) = (disk.directory.display(), mebibytes(disk.free_bytes));
        format!("{directory} has {free} MiB free, and needs {}", mebibytes(needed))
    })
}
