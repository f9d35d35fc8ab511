//! Rules about scheduled backups: their age, place and protection.

use crate::cli::doctor::facts::{BackupFacts, FileFacts, FileRole, HostFacts};
use crate::cli::doctor::files::with_mode;
use crate::cli::doctor::rule::{FaultRule, Severity};

/// A backup is old after this many intervals.
const INTERVALS_MAX: u32 = 2;

pub(super) const RULES: &[FaultRule] = &[
    FaultRule {
        code: "backup_unscheduled",
        severity: Severity::Warning,
        meaning: "no backup is scheduled",
        remedy: "Set `every` and `directory` in the table `[backup]` of the settings, or ignore this \
                 finding if another scheduler runs `keyhouse backup`.",
        find: |facts| match &facts.backups {
            Some(_) => Vec::new(),
            None => vec!["backup.every is not set".to_owned()],
        },
    },
    FaultRule {
        code: "backup_old",
        severity: Severity::Error,
        meaning: "the newest backup is older than two intervals",
        remedy: "Search the server's log for `backups:` to find why the last attempt failed.",
        find: old,
    },
    FaultRule {
        code: "backup_failed",
        severity: Severity::Error,
        meaning: "scheduled backups failed, and none is in the directory",
        remedy: "Give the server's user write permission on the directory. The server's log \
                 contains the error of each attempt.",
        find: failed,
    },
    FaultRule {
        code: "backup_beside_store",
        severity: Severity::Warning,
        meaning: "the backups are on the file system of the store, and are lost with it",
        remedy: "Set `backup.directory` to another disk, or copy the files to another host.",
        find: |facts| match &facts.backups {
            Some(backups) if backups.is_beside_store => vec![directory(backups)],
            Some(_) | None => Vec::new(),
        },
    },
    FaultRule {
        code: "backup_directory_open",
        severity: Severity::Error,
        meaning: "other users of the host can enter the directory with unencrypted backups",
        remedy: "Run `chmod 700` on the directory, or set `backup.recipient`.",
        find: directory_open,
    },
    FaultRule {
        code: "seal_key_with_backups",
        severity: Severity::Error,
        meaning: "the seal key is in the directory of the backups, so a copy of the directory \
                  contains both",
        remedy: "Keep the seal key and the backups apart.",
        find: seal_key_with_backups,
    },
];

fn directory(backups: &BackupFacts) -> String {
    backups.directory.display().to_string()
}

fn old(facts: &HostFacts) -> Vec<String> {
    let Some(backups) = &facts.backups else { return Vec::new() };
    let Some(newest) = backups.newest else { return Vec::new() };
    let limit = backups.every.saturating_mul(INTERVALS_MAX);
    let is_old = facts.now.since(newest) > limit;
    let place = || format!("the newest backup in {} is of {newest}", directory(backups));
    is_old.then(place).into_iter().collect()
}

fn failed(facts: &HostFacts) -> Vec<String> {
    let (Some(backups), Some(server)) = (&facts.backups, &facts.server) else { return Vec::new() };
    let failures = server.backup_failures;
    let is_failed = failures > 0 && backups.newest.is_none();
    let place = || format!("{failures} failed since the start, for {}", directory(backups));
    is_failed.then(place).into_iter().collect()
}

fn directory_open(facts: &HostFacts) -> Vec<String> {
    if facts.backups.as_ref().is_none_or(|backups| backups.is_encrypted) {
        return Vec::new();
    }
    let is_open =
        |file: &&FileFacts| file.role == FileRole::BackupDirectory && file.mode & 0o077 != 0;
    facts.files.iter().filter(is_open).map(with_mode).collect()
}

fn seal_key_with_backups(facts: &HostFacts) -> Vec<String> {
    let Some(backups) = &facts.backups else { return Vec::new() };
    let is_inside = |file: &&FileFacts| {
        file.role == FileRole::SealKey && file.path.starts_with(&backups.directory)
    };
    facts.files.iter().filter(is_inside).map(|file| file.path.display().to_string()).collect()
}
