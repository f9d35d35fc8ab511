//! The names of gates, and the numbers by which the counters of keys know them.
//!
//! A name keeps its number until the process ends, also after its gate was removed, because counts
//! that were not written yet refer to the number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::gate::{DEFAULT_GATE, GateNumber};
use crate::records::usage::OTHER_GATES;

/// Maximum number of gates with a number, including removed ones. The calls of further gates are counted
/// together, until the process ends.
pub const GATES_NUMBERED_MAX: usize = 2_046;

/// The numbered names. Checks do not use this list: the number of a gate is in the gate.
#[derive(Debug)]
pub struct GateNames {
    names: Mutex<Vec<Arc<str>>>,
    other: Arc<str>,
}

impl Default for GateNames {
    fn default() -> Self {
        Self { names: Mutex::new(vec![DEFAULT_GATE.into()]), other: OTHER_GATES.into() }
    }
}

impl GateNames {
    /// The number of the gate that is part of the program.
    pub(super) fn default_gate() -> GateNumber {
        GateNumber::at(0)
    }

    /// The number of a name, which is new or was assigned before.
    pub(super) fn number(&self, name: &str) -> GateNumber {
        let mut names = self.names();
        if let Some(position) = names.iter().position(|known| **known == *name) {
            return GateNumber::at(position);
        }
        if names.len() >= GATES_NUMBERED_MAX {
            return GateNumber::OTHER;
        }
        names.push(name.into());
        GateNumber::at(names.len() - 1)
    }

    /// The name of a number: `None` for calls without a gate, and [`OTHER_GATES`] for gates without a
    /// number of their own.
    pub fn name(&self, number: GateNumber) -> Option<Arc<str>> {
        if number == GateNumber::NONE {
            return None;
        }
        let name = number.position().and_then(|position| self.names().get(position).cloned());
        Some(name.unwrap_or_else(|| Arc::clone(&self.other)))
    }

    fn names(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_the_numbers_are_bounded() {
        let names = GateNames::default();
        assert_eq!(names.number(DEFAULT_GATE), GateNames::default_gate());
        let orders = names.number("orders");
        assert_eq!(names.number("orders"), orders);
        assert_eq!(names.name(orders).as_deref(), Some("orders"));
        assert_eq!(names.name(GateNumber::NONE), None);
        for number in 2..GATES_NUMBERED_MAX {
            let name = format!("gate-{number}");
            let number = names.number(&name);
            assert_eq!(names.name(number).as_deref(), Some(&*name));
        }
        assert_eq!(names.number("one-more"), GateNumber::OTHER);
        assert_eq!(names.name(GateNumber::OTHER).as_deref(), Some(OTHER_GATES));
        assert_eq!(names.number("orders"), orders);
    }
}
