//! Tests of call limits, counted call by call: the whole application in process, with a clock that
//! stands still, many threads, and a store that crashes and fails.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod calls;
mod oracle;
mod periods;
mod plans;
mod quotas;
mod rates;
#[path = "../test_instance/mod.rs"]
mod test_instance;
