//! Reads the facts: files, disks and process of this host, and the running server.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::backends;
use crate::backup::{BackupSchedule, scheduled_moment};
use crate::cli::apply::expanded;
use crate::cli::control::holder_id;
use crate::cli::doctor::facts::{
    BackupFacts, DiskFacts, FileFacts, FileRole, GateFacts, HostFacts, ProcessFacts,
};
use crate::cli::doctor::local_server::LocalServer;
use crate::cli::doctor::probe;
use crate::cli::exit::Failure;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Origin, ProcessEnvironment, Settings, StorageUrl, TrustedProxy};
use crate::model::moment::Moment;
use crate::model::public_url::WebUrl;

/// Reads all facts. Blocks until the probes are answered or have timed out.
///
/// # Errors
/// If the system has no randomness for the ids of probes. Everything else that cannot be read is
/// listed as not checked.
pub(super) fn facts(
    settings: Settings,
    gates: &[WebUrl],
    environment: &ProcessEnvironment,
) -> Result<HostFacts, Failure> {
    let now = SystemClock::start().now().wall;
    let mut not_checked = Vec::new();
    let files = files(&settings, &mut not_checked);
    let store_bytes = backends::files(&settings.storage).unwrap_or_default();
    let store_bytes = store_bytes.iter().filter_map(|path| fs::metadata(path).ok());
    let store_bytes = store_bytes.map(|file| file.len()).max().unwrap_or_default();
    let disks = disks(&settings, store_bytes, &mut not_checked);
    let schedule = settings.backup.as_ref();
    let backups = schedule.map(|it| backups(&settings, it, now, &mut not_checked));
    let local = LocalServer::new(&settings.control_socket);
    let (server, is_down) = match local.server() {
        Ok(server) => (Some(server), false),
        Err(error) if is_without_server(&error) => (None, true),
        Err(error) => {
            not_checked.push(format!("the server: {}: {error}", settings.control_socket.display()));
            (None, false)
        },
    };
    let process = server.as_ref().and_then(|_server| process(&settings.data, &mut not_checked));
    let public = settings.public_url.as_ref().map(|url| probe::public(url, &local)).transpose()?;
    if public.is_none() {
        not_checked.push("the proxies: public_url is not set".to_owned());
    }
    if gates.is_empty() {
        not_checked.push("gates: give the URL of a protected API with --gate-url".to_owned());
    }
    let gates: Result<Vec<GateFacts>, _> =
        gates.iter().map(|url| probe::gate(url, &local)).collect();
    not_checked.extend(local.not_checked());
    // Without a server, each request has the same error.
    not_checked.dedup();
    Ok(HostFacts {
        now,
        unknown_variables: environment.unknown(),
        files,
        disks,
        backups,
        unresolved: unresolved(&settings),
        is_down,
        server,
        process,
        public,
        gates: gates?,
        not_checked,
        settings,
    })
}

/// Whether the socket is missing, or no process listens on it.
fn is_without_server(error: &io::Error) -> bool {
    [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&error.kind())
}

fn files(settings: &Settings, not_checked: &mut Vec<String>) -> Vec<FileFacts> {
    let mut paths = vec![(FileRole::DataDirectory, settings.data.clone())];
    if let StorageUrl::Redb(directory) = &settings.storage
        && *directory != settings.data
    {
        paths.push((FileRole::DataDirectory, directory.clone()));
    }
    match backends::files(&settings.storage) {
        Ok(files) => paths.extend(files.into_iter().map(|path| (FileRole::Store, path))),
        Err(error) => not_checked.push(format!("{}: {error}", settings.storage)),
    }
    let seal_key = settings.seed_key_file.iter();
    paths.extend(seal_key.map(|file| (FileRole::SealKey, file.path().to_owned())));
    paths.extend(configuration(settings).into_iter().map(|path| (FileRole::Configuration, path)));
    let password = settings.admin_password_file.iter();
    paths.extend(password.map(|path| (FileRole::Password, path.clone())));
    let backups = settings.backup.iter();
    paths.extend(backups.map(|it| (FileRole::BackupDirectory, it.directory.clone())));
    let mut found = Vec::new();
    for (role, path) in paths {
        match fs::metadata(&path) {
            Ok(file) => {
                let (mode, owner) = (file.permissions().mode() & 0o7777, file.uid());
                found.push(FileFacts { role, path, mode, owner });
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {},
            Err(error) => not_checked.push(format!("{}: {error}", path.display())),
        }
    }
    found
}

/// The settings file, and the files that are applied at each start.
fn configuration(settings: &Settings) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for used in &settings.used {
        if let Origin::File { path, .. } = &used.origin {
            paths.push(PathBuf::from(&**path));
        }
    }
    paths.extend(settings.apply.iter().flat_map(|name| expanded(name).unwrap_or_default()));
    paths.sort();
    paths.dedup();
    paths
}

fn disks(settings: &Settings, store_bytes: u64, not_checked: &mut Vec<String>) -> Vec<DiskFacts> {
    let store = match &settings.storage {
        StorageUrl::Redb(directory) => Some(directory),
        StorageUrl::Etcd(_) | StorageUrl::Memory => None,
    };
    let backups = settings.backup.as_ref().map(|schedule| &schedule.directory);
    let mut disks = Vec::new();
    for directory in store.into_iter().chain(backups) {
        match rustix::fs::statvfs(directory) {
            Ok(disk) => {
                let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
                disks.push(DiskFacts { directory: directory.clone(), free_bytes, store_bytes });
            },
            Err(rustix::io::Errno::NOENT) => {},
            Err(error) => {
                not_checked.push(format!("free space of {}: {error}", directory.display()));
            },
        }
    }
    disks
}

fn backups(
    settings: &Settings,
    schedule: &BackupSchedule,
    now: Moment,
    not_checked: &mut Vec<String>,
) -> BackupFacts {
    let device = |path: &Path| fs::metadata(path).ok().map(|file| file.dev());
    let store = match &settings.storage {
        StorageUrl::Redb(directory) => device(directory),
        StorageUrl::Etcd(_) | StorageUrl::Memory => None,
    };
    let names = fs::read_dir(&schedule.directory);
    if let Err(error) = &names
        && error.kind() != ErrorKind::NotFound
    {
        not_checked.push(format!("backups in {}: {error}", schedule.directory.display()));
    }
    let names = names.into_iter().flatten().flatten();
    let moments = names.filter_map(|entry| scheduled_moment(entry.file_name().to_str()?));
    BackupFacts {
        directory: schedule.directory.clone(),
        every: schedule.every,
        newest: moments.filter(|moment| *moment <= now).max(),
        is_encrypted: !schedule.recipients.is_empty(),
        is_beside_store: store.is_some() && store == device(&schedule.directory),
    }
}

/// The names of trusted proxies that do not resolve.
fn unresolved(settings: &Settings) -> Vec<String> {
    let mut unresolved = Vec::new();
    for proxy in &settings.trusted_proxies {
        if let TrustedProxy::Name(name) = proxy
            && let Err(error) = (&**name, 0).to_socket_addrs()
        {
            unresolved.push(format!("{name}: {error}"));
        }
    }
    unresolved
}

/// The process that holds the lock on the data directory, as Linux describes it in `/proc`.
fn process(directory: &Path, not_checked: &mut Vec<String>) -> Option<ProcessFacts> {
    let read = || {
        let id = holder_id(directory).ok_or_else(|| io::Error::other("its id is unknown"))?;
        // In a container, the server has another id than on the host.
        if fs::read(format!("/proc/{id}/comm"))? != fs::read("/proc/self/comm")? {
            return Err(io::Error::other(format!("process {id} is another program")));
        }
        let limits = fs::read_to_string(format!("/proc/{id}/limits"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        read_process(&limits, &status).ok_or_else(|| io::Error::other("/proc is not readable"))
    };
    match read() {
        Ok(process) => Some(process),
        Err(error) => {
            not_checked.push(format!("the server's process, and the owner of files: {error}"));
            None
        },
    }
}

/// Reads the soft limits of `/proc/ID/limits`, and the effective user of `/proc/ID/status` (proc(5)).
fn read_process(limits: &str, status: &str) -> Option<ProcessFacts> {
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        match line.split_whitespace().next()? {
            "unlimited" => Some(None),
            number => number.parse().ok().map(Some),
        }
    };
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let user = users.split_whitespace().nth(1)?.parse().ok()?;
    let (open_files, core_bytes) = (limit("Max open files")?, limit("Max core file size")?);
    Some(ProcessFacts { user, open_files, core_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_and_the_user_of_a_process_are_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max core file size        0                    unlimited            bytes\n\
                      Max open files            1024                 1048576              files\n";
        let status = "Name:\tkeyhouse\nUid:\t1000\t998\t1000\t1000\n";
        let process = read_process(limits, status).unwrap();
        assert_eq!(
            (process.user, process.open_files, process.core_bytes),
            (998, Some(1_024), Some(0))
        );
        let limits = limits.replace("0                    unlimited", "unlimited unlimited");
        assert_eq!(read_process(&limits, status).unwrap().core_bytes, None);
        assert!(read_process("", status).is_none());
    }
}
