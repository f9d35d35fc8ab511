//! Places for requests, for pictures and for waits. One organization has at most half of them, so that it cannot use up those of
//! the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The places that are taken.
#[derive(Debug)]
pub(crate) struct Places {
    /// The number of places of each organization that has some.
    taken: Mutex<BTreeMap<String, usize>>,
    /// The most places of all organizations together.
    all_max: usize,
    /// The most places of one organization.
    each_max: usize,
}

/// A place of an organization. Dropping the value frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    organization: String,
}

impl Places {
    /// `count` is the number of all places.
    pub(crate) fn of(count: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), all_max: count, each_max: count.div_ceil(2) })
    }

    /// Takes a place; `None` if the organization has half of them, or all are taken.
    pub(crate) fn take(self: &Arc<Self>, organization: &str) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(organization).copied().unwrap_or_default();
        if count >= self.each_max || taken.values().sum::<usize>() >= self.all_max {
            return None;
        }
        taken.insert(organization.to_owned(), count + 1);
        Some(Place { places: Arc::clone(self), organization: organization.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&self.organization).copied().unwrap_or_default();
        if count > 1 {
            taken.insert(self.organization.clone(), count - 1);
        } else {
            taken.remove(&self.organization);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_leaves_half_of_the_places_to_the_others() {
        let places = Places::of(4);
        let (first, second) = (places.take("org_1").unwrap(), places.take("org_1").unwrap());
        assert!(places.take("org_1").is_none());
        let other = places.take("org_2").unwrap();
        drop(first);
        let third = places.take("org_1").unwrap();
        assert!(places.take("org_1").is_none());
        let last = places.take("org_3").unwrap();
        assert!(places.take("org_4").is_none());
        drop((second, third, other, last));
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
