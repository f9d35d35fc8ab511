//! A schedule of backups, and the names of its files.

use std::path::PathBuf;
use std::time::Duration;

use crate::backup::{PARTIAL_SUFFIX, Recipients};
use crate::model::moment::Moment;

/// The shortest interval of scheduled backups.
pub const EVERY_MIN: Duration = Duration::from_mins(1);
/// Maximum number of scheduled backups that are kept.
pub const KEEP_MAX: usize = 10_000;

const NAME_START: &str = "keyhouse-";
const NAME_END: &str = ".khb";
/// Characters of the time in a name: `20261129T204500Z`.
const TIME_CHARACTERS: usize = 16;

/// When and where backups are written, and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSchedule {
    pub every: Duration,
    pub directory: PathBuf,
    /// The number of the newest backups that are kept.
    pub keep: usize,
    pub recipients: Recipients,
}

/// The name of the backup of a moment. Names sort by time.
pub fn scheduled_name(at: Moment) -> String {
    let time = at.to_string();
    let seconds = time.split('.').next().unwrap_or_default();
    let compact: String = seconds.chars().filter(|it| !matches!(it, '-' | ':')).collect();
    format!("{NAME_START}{compact}Z{NAME_END}")
}

/// The moment of a scheduled backup. `None` for the name of any other file.
pub fn scheduled_moment(name: &str) -> Option<Moment> {
    let time = name.strip_prefix(NAME_START)?.strip_suffix(NAME_END)?;
    if time.len() != TIME_CHARACTERS || !time.is_ascii() {
        return None;
    }
    let part = |from: usize, to: usize| time.get(from..to);
    let (date, clock) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(9, 11)?, part(11, 13)?, part(13, 15)?),
    );
    let moment = format!("{date}T{clock}Z").parse().ok()?;
    // Only the exact name of a moment, so that no other file is ever removed.
    (scheduled_name(moment) == name).then_some(moment)
}

/// Whether a name is that of a scheduled backup that broke off.
pub fn is_broken_off(name: &str) -> bool {
    name.strip_suffix(PARTIAL_SUFFIX).is_some_and(|name| scheduled_moment(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_names_of_scheduled_backups_are_theirs() {
        let at: Moment = "2026-11-29T20:45:07.123Z".parse().unwrap();
        let name = scheduled_name(at);
        assert_eq!(name, "keyhouse-20261129T204507Z.khb");
        assert_eq!(scheduled_moment(&name).unwrap().to_string(), "2026-11-29T20:45:07.000Z");
        for other in [
            "keyhouse.khb",
            "keyhouse-20261129T204507Z.khb.part",
            "keyhouse-20261129T204507Z.khb.age",
            "keyhouse-20261129T204507.khb",
            "keyhouse-20261329T204507Z.khb",
            "keyhouse-20261129t204507z.khb",
            "keyhouse-2026112 T204507Z.khb",
            "a-keyhouse-20261129T204507Z.khb",
            "keyhouse-\u{e9}261129T204507Z.khb",
            "keyhouse-before-upgrade.khb",
        ] {
            assert_eq!(scheduled_moment(other), None, "{other}");
        }
        assert!(is_broken_off("keyhouse-20261129T204507Z.khb.part"));
        assert!(!is_broken_off("keyhouse.khb.part") && !is_broken_off(&name));
    }
}
