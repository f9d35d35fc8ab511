//! Reads a whole request body, with a timeout, within the body's limit, the caller's share, and the
//! memory for all bodies of the part.
//!
//! The connection is closed after a request with a chunked body: only hyper knows the end of such a
//! body, and a different reading of the end allows request smuggling.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::TransportRefusal;
use super::caller::{Caller, Claims};
use super::ledger::Ledger;
use super::rules::Framing;

#[derive(Debug)]
pub(super) struct BodyLimits {
    pub(super) timeout: Duration,
    pub(super) retry_after_seconds: u32,
}

/// The limits for one body, and the caller whose share it uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance<'a> {
    pub(super) budget: &'a Arc<BodyBudget>,
    pub(super) caller: &'a Caller,
    pub(super) bytes_max: usize,
}

/// The memory for the bodies of one part.
#[derive(Debug)]
pub(super) struct BodyBudget {
    held: Mutex<Ledger>,
    bytes: usize,
}

/// The bytes that one body holds. The drop returns the bytes.
#[derive(Debug)]
pub(super) struct BodyMemory {
    budget: Arc<BodyBudget>,
    claims: Claims,
    bytes: usize,
}

/// A body in memory. The bytes of the body count against the memory of its part until the body is
/// dropped.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Option<BodyMemory>,
}

impl BodyBudget {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { held: Mutex::new(Ledger::new(bytes)), bytes })
    }

    fn open(self: &Arc<Self>, caller: &Caller) -> BodyMemory {
        let claims = caller.claims_on_bytes(self.bytes);
        BodyMemory { budget: Arc::clone(self), claims, bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyMemory {
    /// Takes more bytes. Returns false if the budget or the caller's share is used up.
    fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.budget.lock().grow(&self.claims, self.bytes, bytes);
        self.bytes += if fits { bytes } else { 0 };
        fits
    }
}

impl Drop for BodyMemory {
    fn drop(&mut self) {
        self.budget.lock().give_back(&self.claims, self.bytes);
    }
}

impl BodyLimits {
    /// Reads `incoming`. A body that announces more than `bytes_max` bytes is rejected before it is
    /// read, so a client that waits for `100 Continue` does not send it.
    ///
    /// Memory is counted when bytes arrive, not when they are announced, so that a client must send
    /// as many bytes as it occupies.
    pub(super) async fn read(
        &self,
        incoming: Incoming,
        framing: Framing,
        allowance: Allowance<'_>,
    ) -> Result<Body, TransportRefusal> {
        let bytes_max = allowance.bytes_max;
        let too_large = TransportRefusal::BodyTooLarge { bytes_max };
        match framing {
            Framing::Empty => return Ok(Body::default()),
            Framing::Length(bytes) if usize::try_from(bytes).map_or(true, |it| it > bytes_max) => {
                return Err(too_large);
            },
            Framing::Length(_) | Framing::Chunked => {},
        }
        match timeout(self.timeout, self.collect(incoming, allowance)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(TransportRefusal::BodyTimeout),
        }
    }

    async fn collect(
        &self,
        mut incoming: Incoming,
        allowance: Allowance<'_>,
    ) -> Result<Body, TransportRefusal> {
        let bytes_max = allowance.bytes_max;
        let (mut bytes, mut held) = (Vec::new(), allowance.budget.open(allowance.caller));
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "could not read a request's body");
                TransportRefusal::BodyBroken
            })?;
            // Trailers are ignored.
            let Ok(chunk) = frame.into_data() else { continue };
            if bytes.len() + chunk.len() > bytes_max {
                return Err(TransportRefusal::BodyTooLarge { bytes_max });
            }
            if !held.grow(chunk.len()) {
                return Err(TransportRefusal::Busy {
                    retry_after_seconds: self.retry_after_seconds,
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Body { bytes, held: Some(held) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: 33 connections from one address held all memory for bodies.
    #[test]
    fn an_address_holds_an_eighth_of_the_memory() {
        let budget = BodyBudget::new(4_096);
        let from = |text: &str| budget.open(&Caller::of(Some(text.parse().unwrap())));
        for [one, same, other] in [
            ["192.0.2.1", "192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"],
        ] {
            let mut most = from(one);
            assert!(most.grow(512) && !most.grow(1), "{one}");
            assert!(!from(same).grow(1), "{same}");
            assert!(from(other).grow(1), "{other}");
        }
        // The address of an authenticated caller has the same share.
        let known = |actor| Caller {
            actor: Some([actor; 16]),
            organization: Some([actor; 16]),
            ..Caller::of(Some("192.0.2.1".parse().unwrap()))
        };
        let mut most = budget.open(&known(1));
        assert!(most.grow(512) && !most.grow(1));
        assert!(!budget.open(&known(2)).grow(1));
    }

    /// Regression: eight /64 networks of one /60 held all memory for the bodies of sign-ins.
    #[test]
    fn a_neighbourhood_of_strangers_leaves_a_quarter_of_the_memory() {
        let budget = BodyBudget::new(4_096);
        let from = |text: String| Caller::of(Some(text.parse().unwrap()));
        let near: Vec<_> = (0..16)
            .map(|it| budget.open(&from(format!("2001:db8:0:{it:x}::1"))))
            .filter_map(|mut held| held.grow(512).then_some(held))
            .collect();
        assert_eq!(near.len(), 6);
        assert!(budget.open(&from("2001:db8:1::1".to_owned())).grow(512));
    }

    /// Regression: the holder of a leaked key used up its owner's share of memory, so that the
    /// owner could not revoke the key.
    #[test]
    fn what_a_users_keys_hold_their_sessions_do_not() {
        let budget = BodyBudget::new(4_096);
        let session =
            Caller { actor: Some([1; 16]), organization: Some([2; 16]), ..Caller::default() };
        let key = Caller { by_key: true, ..session };
        let mut by_key = budget.open(&key);
        assert!(by_key.grow(1_024) && !by_key.grow(1));
        assert!(budget.open(&session).grow(1_024));
    }

    fn known(id: u8, by_key: bool, address: &str) -> Caller {
        let (actor, organization) = (Some([id; 16]), Some([9; 16]));
        Caller { actor, by_key, organization, ..Caller::of(Some(address.parse().unwrap())) }
    }

    /// Regression: a user's session and the same user's keys held their organization's half, so
    /// that the organization's owner, who could revoke them, could send no change.
    #[test]
    fn two_callers_of_one_organization_do_not_stop_a_third() {
        let budget = BodyBudget::new(8_192);
        let _held: Vec<_> = [(1, false, 10), (1, true, 20)]
            .into_iter()
            .flat_map(|(id, by_key, net)| (0..2).map(move |at| (id, by_key, net + at)))
            .map(|(id, by_key, net)| {
                let mut held = budget.open(&known(id, by_key, &format!("198.51.100.{net}")));
                assert!(held.grow(1_024));
                held
            })
            .collect();
        assert!(!budget.open(&known(1, false, "198.51.100.30")).grow(1), "its share is in use");
        let owner = known(2, false, "203.0.113.1");
        let mut body = budget.open(&owner);
        assert!(body.grow(100) && body.grow(100), "piece by piece");
        assert!(!budget.open(&owner).grow(1), "one body at a time");
        let mut third = budget.open(&known(3, false, "203.0.113.2"));
        assert!(third.grow(1_024));
        let mut fourth = budget.open(&known(4, false, "203.0.113.3"));
        assert!(fourth.grow(1_024 - 200) && !fourth.grow(1), "three quarters are the most");
        drop((third, fourth));
        assert!(body.grow(100));
    }
}
