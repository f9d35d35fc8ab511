//! Writes backups on a schedule, in a thread of its own, and removes old ones.
//!
//! The files are named by their time, so the schedule continues after a restart: the first backup is
//! written soon after the start if the newest file is older than the interval. Only files with the
//! exact name of a scheduled backup are removed, and only after a new one is complete.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyhouse_storage::Store;

use crate::backup::{
    BackupError, BackupFile, BackupSchedule, BackupStream, Existing, is_broken_off,
    scheduled_moment, scheduled_name,
};
use crate::clock::Clock;
use crate::model::moment::Moment;
use crate::telemetry::measure::Counter;
use crate::telemetry::with_sources;
use crate::worker::{Halt, Worker};

/// Time between two looks at the clock and at a new schedule.
const TURN: Duration = Duration::from_secs(1);
/// The wait after a failed backup, if the interval is not shorter.
const RETRY_AFTER: Duration = Duration::from_mins(5);
/// Bytes that are written between two looks at the halt.
const PIECE_BYTES: usize = 256 * 1024;

/// The state of scheduled backups, for metrics and reloads.
#[derive(Debug, Default)]
pub struct ScheduledBackups {
    schedule: Mutex<ChangingSchedule>,
    /// The time of the newest backup; 0 if there is none.
    last_success: AtomicI64,
    last_bytes: AtomicU64,
    failures: Counter,
}

#[derive(Debug, Default)]
struct ChangingSchedule {
    schedule: Option<BackupSchedule>,
    /// Whether the thread has not read the schedule yet.
    is_new: bool,
}

/// A snapshot of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledBackupsNow {
    /// The interval; zero without a schedule.
    pub every: Duration,
    /// The time of the newest backup, also of an earlier process. `None` if there is none.
    pub last_success: Option<Moment>,
    /// The size of the last backup of this process.
    pub last_bytes: u64,
    pub failures: u64,
}

/// Why a scheduled backup failed.
#[derive(Debug, thiserror::Error)]
enum ScheduledBackupError {
    #[error("could not write {path}")]
    File { path: String, source: io::Error },
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The store could not be read, or the backup not encoded.
    #[error(transparent)]
    Stream(io::Error),
    /// The server stops; the next start makes the backup.
    #[error("stopped")]
    Stopped,
}

impl ScheduledBackups {
    /// Starts the thread that follows the schedule.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start(
        self: Arc<Self>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Worker> {
        let work = BackupWork { store, clock, backups: self, schedule: None, due: Moment::NEVER };
        Worker::spawn("backups", |halt| work.run(halt))
    }

    /// Sets the schedule, or ends the scheduled backups. A backup that is being written is finished.
    pub fn set_schedule(&self, schedule: Option<BackupSchedule>) {
        *self.changing() = ChangingSchedule { schedule, is_new: true };
    }

    pub fn now(&self) -> ScheduledBackupsNow {
        let every = self.changing().schedule.as_ref().map_or(Duration::ZERO, |it| it.every);
        let last = self.last_success.load(Ordering::Relaxed);
        ScheduledBackupsNow {
            every,
            last_success: (last != 0).then(|| Moment::from_milliseconds(last)),
            last_bytes: self.last_bytes.load(Ordering::Relaxed),
            failures: self.failures.total(),
        }
    }

    fn changing(&self) -> MutexGuard<'_, ChangingSchedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct BackupWork {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    backups: Arc<ScheduledBackups>,
    schedule: Option<BackupSchedule>,
    /// When the next backup begins.
    due: Moment,
}

impl BackupWork {
    fn run(mut self, halt: &Halt) {
        loop {
            self.turn(halt);
            if halt.pause(TURN) {
                return;
            }
        }
    }

    fn turn(&mut self, halt: &Halt) {
        let now = self.clock.now().wall;
        self.take_schedule(now);
        let Some(schedule) = self.schedule.clone().filter(|_schedule| now >= self.due) else {
            return;
        };
        match self.back_up(&schedule, now, halt) {
            Ok(bytes) => {
                self.backups.last_success.store(now.milliseconds(), Ordering::Relaxed);
                self.backups.last_bytes.store(bytes, Ordering::Relaxed);
                self.due = now.after(schedule.every);
                if let Err(error) = prune(&schedule, now) {
                    let error = with_sources(&error);
                    tracing::warn!(error, "backups: could not remove old backups; retrying later");
                }
            },
            Err(ScheduledBackupError::Stopped) => {},
            Err(error) => {
                self.backups.failures.count();
                let error = with_sources(&error);
                tracing::error!(error, "backups: a scheduled backup failed; retrying");
                self.due = now.after(schedule.every.min(RETRY_AFTER));
            },
        }
    }

    /// Takes a changed schedule. Its first backup is due when the newest in its directory is older
    /// than the interval.
    fn take_schedule(&mut self, now: Moment) {
        let mut changing = self.backups.changing();
        if !std::mem::take(&mut changing.is_new) {
            return;
        }
        self.schedule.clone_from(&changing.schedule);
        drop(changing);
        let Some(schedule) = &self.schedule else { return };
        // A missing directory is created by the first backup.
        let found = scheduled(&schedule.directory, now);
        let newest = found.ok().and_then(|found| found.last().copied());
        let last = newest.map_or(0, Moment::milliseconds);
        self.backups.last_success.store(last, Ordering::Relaxed);
        self.due = newest.map_or(Moment::BEGINNING, |newest| newest.after(schedule.every));
    }

    fn back_up(
        &self,
        schedule: &BackupSchedule,
        now: Moment,
        halt: &Halt,
    ) -> Result<u64, ScheduledBackupError> {
        let path = schedule.directory.join(scheduled_name(now));
        let failed =
            |source| ScheduledBackupError::File { path: path.display().to_string(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&schedule.directory)
            .map_err(failed)?;
        let mut file = BackupFile::create(&path, Existing::Keep).map_err(failed)?;
        let store = Arc::clone(&self.store);
        let mut stream = BackupStream::begin(store, now, &schedule.recipients)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = stream.read(&mut piece).map_err(ScheduledBackupError::Stream)?;
            if length == 0 {
                break;
            }
            file.write_all(piece.get(..length).unwrap_or_default()).map_err(failed)?;
            if halt.pause(Duration::ZERO) {
                return Err(ScheduledBackupError::Stopped);
            }
        }
        if schedule.recipients.is_empty() {
            file.read_back()?;
        }
        let bytes = file.complete().map_err(failed)?;
        let revision = stream.header().revision;
        tracing::info!(path = %path.display(), bytes, revision, "backups: backup written");
        Ok(bytes)
    }
}

/// The moments of the scheduled backups in a directory, the oldest first. Files with a moment after
/// `now` are ignored: a clock that was ahead would otherwise stop the schedule.
fn scheduled(directory: &Path, now: Moment) -> io::Result<Vec<Moment>> {
    let mut moments = Vec::new();
    for entry in fs::read_dir(directory)? {
        moments.extend(entry?.file_name().to_str().and_then(scheduled_moment));
    }
    moments.retain(|moment| *moment <= now);
    moments.sort_unstable();
    Ok(moments)
}

/// Removes scheduled backups beyond `keep`, and incomplete files.
fn prune(schedule: &BackupSchedule, now: Moment) -> io::Result<()> {
    let moments = scheduled(&schedule.directory, now)?;
    let old = moments.len().saturating_sub(schedule.keep);
    for moment in moments.into_iter().take(old) {
        fs::remove_file(schedule.directory.join(scheduled_name(moment)))?;
    }
    for entry in fs::read_dir(&schedule.directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_broken_off) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{BackupReader, Recipients};
    use crate::clock::ManualClock;
    use crate::records::prepare::tests::prepared;
    use keyhouse_storage::{FaultyStore, InjectedFault, MemoryStore, StoreOperation};

    const EVERY: Duration = Duration::from_hours(6);

    struct Fixture {
        directory: tempfile::TempDir,
        store: Arc<FaultyStore<MemoryStore>>,
        clock: Arc<ManualClock>,
        work: BackupWork,
    }

    impl Fixture {
        fn new() -> Self {
            let store = Arc::new(FaultyStore::new(MemoryStore::new()));
            prepared(&*store).unwrap();
            let clock = Arc::new(ManualClock::at("2027-01-31T12:00:00Z".parse().unwrap()));
            let directory = tempfile::tempdir().unwrap();
            let work = BackupWork {
                store: Arc::clone(&store) as Arc<dyn Store>,
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
                backups: Arc::default(),
                schedule: None,
                due: Moment::NEVER,
            };
            Self { directory, store, clock, work }
        }

        fn schedule(&self, keep: usize) {
            let schedule = BackupSchedule {
                every: EVERY,
                directory: self.directory.path().join("deep/backups"),
                keep,
                recipients: Recipients::default(),
            };
            self.work.backups.set_schedule(Some(schedule));
        }

        fn turn(&mut self, passed: Duration) -> Vec<String> {
            self.clock.advance(passed);
            self.work.turn(&Halt::default());
            self.files()
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.directory.path().join("deep/backups").join(name)
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.path("")).into_iter().flatten();
            let mut names: Vec<_> =
                entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn backups_follow_the_schedule_and_the_newest_are_kept() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.turn(EVERY), [""; 0], "no schedule");
        fixture.schedule(2);
        assert_eq!(fixture.turn(Duration::ZERO), ["keyhouse-20270131T180000Z.khb"]);
        for other in ["notes.txt", "keyhouse.khb", "keyhouse-20200101T000000Z.khb.part"] {
            fs::write(fixture.path(other), b"").unwrap();
        }
        fixture.turn(EVERY.saturating_sub(Duration::from_secs(1)));
        assert_eq!(fixture.files().len(), 4, "not due yet");
        fixture.turn(Duration::from_secs(1));
        let left = [
            "keyhouse-20270201T000000Z.khb",
            "keyhouse-20270201T060000Z.khb",
            "keyhouse.khb",
            "notes.txt",
        ];
        assert_eq!(fixture.turn(EVERY), left);
        let file = fs::File::open(fixture.path(left[1])).unwrap();
        BackupReader::open(file, None).unwrap().finish().unwrap();
        let now = fixture.work.backups.now();
        assert_eq!(now.last_success.unwrap().to_string(), "2027-02-01T06:00:00.000Z");
        assert_eq!((now.every, now.failures), (EVERY, 0));
        assert_eq!(now.last_bytes, fs::metadata(fixture.path(left[1])).unwrap().len());
    }

    #[test]
    fn a_restart_continues_the_schedule_of_the_files() {
        let mut fixture = Fixture::new();
        fixture.schedule(28);
        assert_eq!(fixture.turn(Duration::ZERO).len(), 1);
        // Another process reads the time of the newest file.
        fixture.work.due = Moment::NEVER;
        fixture.work.backups = Arc::default();
        fixture.schedule(28);
        assert_eq!(fixture.turn(EVERY / 2).len(), 1);
        let last = fixture.work.backups.now().last_success.unwrap();
        assert_eq!(last.to_string(), "2027-01-31T12:00:00.000Z");
        assert_eq!(fixture.turn(EVERY / 2).len(), 2);
        fixture.work.backups.set_schedule(None);
        assert_eq!(fixture.turn(2 * EVERY).len(), 2, "the schedule ended");
        assert_eq!(fixture.work.backups.now().every, Duration::ZERO);
    }

    /// The clock was ahead once: its file kept all later backups from being written.
    #[test]
    fn a_file_of_the_future_neither_stops_the_schedule_nor_is_removed() {
        let mut fixture = Fixture::new();
        let future = "keyhouse-20991231T000000Z.khb";
        fs::create_dir_all(fixture.path("")).unwrap();
        fs::write(fixture.path(future), b"").unwrap();
        fixture.schedule(1);
        assert_eq!(fixture.turn(Duration::ZERO), ["keyhouse-20270131T120000Z.khb", future]);
        assert_eq!(fixture.turn(EVERY), ["keyhouse-20270131T180000Z.khb", future]);
    }

    #[test]
    fn a_failed_backup_is_counted_and_repeated_and_removes_nothing() {
        let mut fixture = Fixture::new();
        fixture.schedule(1);
        let first = fixture.turn(Duration::ZERO);
        fixture.store.inject_always(StoreOperation::Scan, InjectedFault::Unavailable);
        assert_eq!(fixture.turn(EVERY), first);
        assert_eq!(fixture.turn(RETRY_AFTER.saturating_sub(Duration::from_secs(1))), first);
        assert_eq!(fixture.work.backups.now().failures, 1);
        fixture.turn(Duration::from_secs(1));
        assert_eq!(fixture.work.backups.now().failures, 2);
        fixture.store.heal();
        let second = fixture.turn(RETRY_AFTER);
        assert!(second.len() == 1 && second != first, "{second:?}");
    }

    #[test]
    fn a_stop_leaves_no_part_of_a_backup() {
        let fixture = Fixture::new();
        fixture.schedule(1);
        let (mut work, halt) = (fixture.work, Halt::default());
        halt.halt();
        work.turn(&halt);
        let left = fs::read_dir(fixture.directory.path().join("deep/backups")).unwrap();
        assert_eq!((left.count(), work.backups.now().failures), (0, 0));
    }
}
