//! The loop of a check: finds the grant, decides, and counts the call. A check that needs a quota
//! reservation waits for the store and decides again.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Now};
use crate::index::grant::Grant;
use crate::index::refused_calls::RefusedCall;
use crate::index::{CallOrigin, Grants, Index};
use crate::model::gate::GateNumber;
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::verify::decide::{decide, preview};
use crate::verify::request::{Request, Scope, find};
use crate::verify::verdict::{Code, Verdict};

/// The longest wait of a check for the store to write a quota reservation.
const RESERVATION_WAIT: Duration = Duration::from_secs(2);
/// Maximum number of decisions about one call. A call is decided again when other calls have used
/// up the reservation for which it waited.
const RESERVATION_TRIES_MAX: usize = 1_000;

/// Checks presented texts against the index, at the time of its clock.
///
/// It reads only memory. It blocks only while `W` waits for the store to reserve quota.
#[derive(Debug)]
pub struct Checker<W> {
    index: Arc<Index>,
    clock: Arc<dyn Clock>,
    waits: W,
}

/// Blocks the thread of a check until the store has written a reservation.
pub trait ReservationWait {
    /// Calls `wait`, which blocks and returns whether the reservation was written. Returns `None`
    /// without calling it if too many checks are waiting, in total or for this payer.
    fn wait(&self, payer: WaitPayer, wait: impl FnOnce() -> bool) -> Option<bool>;
}

/// The key whose check waits, and its organization. Both have a share of the places for waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitPayer {
    pub key: KeyId,
    pub organization: OrganizationId,
}

/// The outcome of a check, while the grant is held in memory.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    pub verdict: Verdict,
    /// `None` if the text is malformed, no key has it, or the asker may not see the key.
    pub grant: Option<&'a Grant>,
    /// The time at which the verdict was reached.
    pub now: Now,
}

/// Why there is no verdict. The caller denies the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckUnavailable {
    /// The index lacks a change that was already confirmed to its author.
    IndexBehind,
    /// The store did not write a reservation in time, or too many checks wait for it. The call was
    /// not counted: no call passes whose reservation a crash could lose.
    Unreserved,
}

impl CheckUnavailable {
    /// The code of the API's error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IndexBehind => "index_behind",
            Self::Unreserved => "storage_unavailable",
        }
    }
}

impl WaitPayer {
    pub fn of(grant: &Grant) -> Self {
        Self { key: grant.live.key, organization: grant.organization.id() }
    }
}

impl Decision<'_> {
    fn absent(code: Code, now: Now) -> Self {
        Self { verdict: Verdict::of(code), grant: None, now }
    }

    /// The id of the owner whose identity upstreams receive: see [`Grant::named_owner`].
    pub fn named_owner(&self) -> Option<UserId> {
        self.grant?.named_owner_id()
    }
}

impl<W: ReservationWait> Checker<W> {
    pub fn new(index: Arc<Index>, clock: Arc<dyn Clock>, waits: W) -> Self {
        Self { index, clock, waits }
    }

    pub fn waits(&self) -> &W {
        &self.waits
    }

    /// Decides about a presented text, draws on its limits, and counts the call. Every call that a
    /// grant decided counts, valid or not; calls are counted nowhere else. A key outside
    /// [`Request::scope`] is not found, and its call is not counted.
    pub fn check<T>(
        &self,
        presented: &[u8],
        request: &Request<'_>,
        answer: impl FnOnce(Decision<'_>) -> T,
    ) -> Result<T, CheckUnavailable> {
        let gate = request.gate.map_or(GateNumber::NONE, |gate| gate.number);
        let origin = CallOrigin { ip: request.ip, user_agent: request.user_agent, gate };
        for _ in 0..RESERVATION_TRIES_MAX {
            if self.index.is_behind() {
                return Err(CheckUnavailable::IndexBehind);
            }
            let now = self.clock.now();
            let grants = self.index.grants();
            let grant = match self.find(&grants, presented, request.scope) {
                Ok(grant) => grant,
                Err(code) => return Ok(answer(Decision::absent(code, now))),
            };
            grant.live.load_early();
            let unreserved = match decide(grant, request, now) {
                Ok(verdict) => {
                    if request.gate.is_some() {
                        grant.organization.note_gate_call();
                    }
                    self.index.note_call(grant, verdict.code, now.wall, origin);
                    if !verdict.is_valid() {
                        self.keep_refused(grant, verdict.code, now, request);
                    }
                    return Ok(answer(Decision { verdict, grant: Some(grant), now }));
                },
                Err(unreserved) => unreserved,
            };
            let payer = WaitPayer::of(grant);
            // A guard that is held while this thread sleeps would keep replaced entries in memory.
            drop(grants);
            if self.waits.wait(payer, || unreserved.wait(RESERVATION_WAIT)) != Some(true) {
                break;
            }
        }
        Err(CheckUnavailable::Unreserved)
    }

    /// The verdict that [`Checker::check`] would reach now. It draws on no limit and counts no call.
    pub fn preview<T>(
        &self,
        presented: &[u8],
        request: &Request<'_>,
        answer: impl FnOnce(Decision<'_>) -> T,
    ) -> Result<T, CheckUnavailable> {
        if self.index.is_behind() {
            return Err(CheckUnavailable::IndexBehind);
        }
        let now = self.clock.now();
        let grants = self.index.grants();
        Ok(answer(match self.find(&grants, presented, request.scope) {
            Ok(grant) => {
                Decision { verdict: preview(grant, request, now), grant: Some(grant), now }
            },
            Err(code) => Decision::absent(code, now),
        }))
    }

    /// Adds a refused call to the list of its key's refused calls.
    fn keep_refused(&self, grant: &Grant, code: Code, now: Now, request: &Request<'_>) {
        let call = RefusedCall { at: now.wall, code, ip: request.ip, gate: None };
        let (key, organization) = (grant.live.key, grant.organization.id());
        let gate = request.gate.map(|gate| gate.name);
        self.index.refused_calls().keep(key, organization, gate, call);
    }

    /// The grant of a presented text, or the code of its absence.
    fn find<'a>(
        &self,
        grants: &'a Grants<'_>,
        presented: &[u8],
        scope: Scope,
    ) -> Result<&'a Grant, Code> {
        let grant = find(&self.index, grants, presented)?;
        if scope.includes(grant) { Ok(grant) } else { Err(Code::NotFound) }
    }
}
