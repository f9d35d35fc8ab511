//! The check: turns a presented text and the facts of a request into a verdict.
//!
//! A decision reads no store and no clock, and never blocks. Its only side effect is the draw from the
//! counters of limits and quotas, which may wait until the store has reserved quota.

mod checker;
mod decide;
mod explain;
mod granted;
mod limits;
mod request;
mod verdict;

pub use checker::{CheckUnavailable, Checker, Decision, ReservationWait, WaitPayer};
pub use decide::{decide, preview};
pub use explain::{
    Explanation, ExplanationStep, Granting, Lists, Stage, StepOutcome, explain, explain_absence,
};
pub use granted::with_granted;
pub use limits::CallLimits;
pub use request::{CallGate, Request, Scope, digest_of};
pub use verdict::{Code, Verdict};
