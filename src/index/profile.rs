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
#[derive(Debug, Default)]
pub(super) struct Profiles {
    shared: HashMap<Box<str>, Arc<Profile>>,
    /// The profiles that found no place since unused ones were removed.
    unshared: usize,
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
        if self.shared.len() >= PROFILES_SHARED_MAX {
            self.unshared += 1;
            if self.unshared < PROFILES_SHARED_MAX {
                return profile;
            }
            // One pass for as many keys as there are places: a constant part of a step.
            self.unshared = 0;
            self.shared.retain(|_, profile| Arc::strong_count(profile) > 1);
            if self.shared.len() >= PROFILES_SHARED_MAX {
                return profile;
            }
        }
        self.shared.insert(text.into(), Arc::clone(&profile));
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
}
