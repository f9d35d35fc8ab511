//! The threads and memory of each part.

use std::sync::Arc;

use super::body::BodyBudget;
use super::limits::{PartLimits, TransportLimits};
use super::part::Part;
use super::pool::Pool;

/// Places and memory of every part.
#[derive(Debug)]
pub(super) struct Parts([(Arc<Pool>, Arc<BodyBudget>); 7]);

impl Parts {
    pub(super) fn new(limits: &TransportLimits) -> Self {
        Self(Part::ALL.map(|part| {
            let PartLimits { places, body_bytes } = limits.of(part);
            let wait = match part {
                Part::SignIn => limits.sign_in_wait,
                Part::Control
                | Part::Page
                | Part::Checks
                | Part::Batch
                | Part::Management
                | Part::Long => limits.pool_wait,
            };
            (Pool::new(places, wait), BodyBudget::new(body_bytes))
        }))
    }

    pub(super) fn pool(&self, part: Part) -> &Arc<Pool> {
        &self.of(part).0
    }

    pub(super) fn budget(&self, part: Part) -> &Arc<BodyBudget> {
        &self.of(part).1
    }

    fn of(&self, part: Part) -> &(Arc<Pool>, Arc<BodyBudget>) {
        let [control, sign_in, page, checks, batch, management, long] = &self.0;
        match part {
            Part::Control => control,
            Part::SignIn => sign_in,
            Part::Page => page,
            Part::Checks => checks,
            Part::Batch => batch,
            Part::Management => management,
            Part::Long => long,
        }
    }
}

/// Threads of the blocking pool for all parts together.
pub(super) fn places_in_all(limits: &TransportLimits) -> usize {
    Part::ALL.into_iter().map(|part| limits.of(part).places).sum()
}
