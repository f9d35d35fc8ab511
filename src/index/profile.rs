//! The parts of a key that many keys have in common: its patterns and its environment.
//!
//! Most keys of an instance have one of a few lists of patterns. Keys with the same list and
//! environment share one profile, which then stays in the processor's cache.

use std::collections::HashMap;
use std::sync::Arc;

use crate::index::list::IndexedList;
use crate::records::key::KeyRecord;

/// The most profiles that keys share. Further profiles belong to one key each.
pub(crate) const PROFILES_SHARED_MAX: usize = 16_384;
/// The fewest new profiles after which unused ones are removed.
const PROFILES_NEW_MIN: usize = 64;

/// The patterns and the environment of a key.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) patterns: IndexedList,
    pub(super) environment: Box<str>,
}

impl Profile {
    pub(super) fn new(record: &KeyRecord) -> Arc<Self> {
        let patterns = IndexedList::from(&record.patterns());
        Arc::new(Self { patterns, environment: record.environment.as_str().into() })
    }
}

/// The profiles that keys share, by environment and patterns.
///
/// Profiles that no key uses are removed, so that at most as many of them remain as there were used
/// ones, or [`PROFILES_NEW_MIN`]. Otherwise a key whose list changes often would keep
/// [`PROFILES_SHARED_MAX`] former lists of up to 13 KB in memory.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    shared: HashMap<Box<str>, Arc<Profile>>,
    /// The profiles that were created since unused ones were removed.
    created: usize,
}

impl Profiles {
    /// The profile of a key.
    pub(super) fn of(&mut self, record: &KeyRecord) -> Arc<Profile> {
        // An environment contains no space.
        let text = format!("{} {}", record.environment, record.patterns());
        if let Some(profile) = self.shared.get(&*text) {
            return Arc::clone(profile);
        }
        let profile = Profile::new(record);
        self.created += 1;
        // One pass for half as many new profiles as there are shared ones: a constant part of a
        // step.
        if self.created >= PROFILES_NEW_MIN.max(self.shared.len() / 2) {
            self.created = 0;
            self.shared.retain(|_, profile| Arc::strong_count(profile) > 1);
        }
        if self.shared.len() < PROFILES_SHARED_MAX {
            self.shared.insert(text.into(), Arc::clone(&profile));
        }
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::key::tests::record;

    fn with(permissions: &str, environment: &str) -> KeyRecord {
        let mut record = record();
        record.permissions = Some(permissions.parse().unwrap());
        record.environment = environment.parse().unwrap();
        record
    }

    #[test]
    fn keys_share_a_profile_if_patterns_and_environment_are_equal() {
        let mut profiles = Profiles::default();
        let first = profiles.of(&with("a:b", "live"));
        assert!(Arc::ptr_eq(&first, &profiles.of(&with("a:b", "live"))));
        for (permissions, environment) in [("a:c", "live"), ("a:b", "test")] {
            let other = profiles.of(&with(permissions, environment));
            assert_eq!(other.patterns.as_set().as_str(), permissions);
            assert_eq!(&*other.environment, environment);
        }
        let mut unlimited = with("a:b", "live");
        unlimited.permissions = None;
        let all = profiles.of(&unlimited);
        assert_eq!(all.patterns.as_set().as_str(), unlimited.patterns().as_set().as_str());
    }

    #[test]
    fn shared_profiles_are_bounded_and_unused_ones_make_room() {
        let mut profiles = Profiles::default();
        let distinct = |number: usize| with(&format!("a:n{number}"), "live");
        let kept: Vec<_> =
            (0..PROFILES_SHARED_MAX).map(|number| profiles.of(&distinct(number))).collect();
        let late = distinct(PROFILES_SHARED_MAX);
        assert!(!Arc::ptr_eq(&profiles.of(&late), &profiles.of(&late)), "there is no place");
        drop(kept);
        for number in 0..PROFILES_SHARED_MAX {
            profiles.of(&distinct(2 * PROFILES_SHARED_MAX + number));
            assert!(profiles.shared.len() <= PROFILES_SHARED_MAX);
        }
        assert!(Arc::ptr_eq(&profiles.of(&late), &profiles.of(&late)), "unused ones are gone");
    }

    #[test]
    fn a_key_whose_list_changes_often_leaves_few_profiles() {
        let mut profiles = Profiles::default();
        let used: Vec<_> =
            (0..100).map(|number| profiles.of(&with(&format!("a:n{number}"), "live"))).collect();
        for number in 0..1_000 {
            profiles.of(&with(&format!("b:n{number}"), "live"));
            assert!(profiles.shared.len() <= 2 * used.len() + PROFILES_NEW_MIN);
        }
    }
}
