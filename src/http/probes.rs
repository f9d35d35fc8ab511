//! What arrived of the probes that an operator watches: `keyhouse doctor` sends a probe through the
//! public URL, and reads here what the proxies made of it.
//!
//! Requests with an unknown id leave no trace, and no response to a probe contains what arrived.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The path that a probe of the public URL requests. Without a credential it is answered with 401.
pub(crate) const PATH: &str = "/v1/instance/probes/{probe}";
/// The header with the id of a probe of a gate. A proxy that removes the identity headers that a
/// client sends removes this header too.
pub(crate) const HEADER: &str = "x-keyhouse-probe";
/// Maximum number of probes that are watched. One more replaces the oldest.
pub(crate) const PROBES_MAX: usize = 16;
/// Time for which a probe is watched.
const PROBE_LIFE: Duration = Duration::from_mins(1);
/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

/// The random id of a probe: 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProbeId(u128);

/// What arrived of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArrivedProbe {
    pub(super) host: Option<String>,
    /// The address of the other end of the connection. `None` for a Unix socket.
    pub(super) peer: Option<IpAddr>,
    /// Whether the forwarded headers of the peer are read.
    pub(super) is_trusted: bool,
    /// The address that the server takes for the client's. `None` if it is unknown.
    pub(super) client: Option<IpAddr>,
    /// The entries of `X-Forwarded-For`, in their order.
    pub(super) forwarded_for: Vec<String>,
    /// The names of the identity headers, without the probe's own.
    pub(super) identity_headers: Vec<String>,
}

/// The probes that are watched now.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// The tick at which the last watch ends. From then on, [`Self::note`] takes no lock: it runs on the
    /// event loop, for every denied request that has an id.
    watched_until: AtomicU64,
    /// The oldest probe is the first.
    watched: Mutex<VecDeque<WatchedProbe>>,
}

#[derive(Debug)]
struct WatchedProbe {
    id: ProbeId,
    /// The tick of the monotonic clock at which the watch ends.
    ends_at: u64,
    arrived: Option<ArrivedProbe>,
}

impl ProbeId {
    /// Reads 32 hexadecimal digits. `None` for any other text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == ID_DIGITS && text.bytes().all(|it| it.is_ascii_hexdigit());
        is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl Probes {
    /// Starts to watch a probe, or returns what arrived of one that is watched: the first arrival.
    pub(super) fn watch(&self, id: ProbeId, ticks: u64) -> Option<ArrivedProbe> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|probe| probe.ends_at > ticks);
        if let Some(probe) = watched.iter().find(|probe| probe.id == id) {
            return probe.arrived.clone();
        }
        if watched.len() == PROBES_MAX {
            watched.pop_front();
        }
        let life = u64::try_from(PROBE_LIFE.as_nanos()).unwrap_or(u64::MAX);
        let ends_at = ticks.saturating_add(life);
        watched.push_back(WatchedProbe { id, ends_at, arrived: None });
        self.watched_until.fetch_max(ends_at, Ordering::Relaxed);
        None
    }

    /// Keeps what arrived of a watched probe. Does nothing for any other id.
    pub(super) fn note(&self, id: ProbeId, ticks: u64, arrived: impl FnOnce() -> ArrivedProbe) {
        if self.watched_until.load(Ordering::Relaxed) <= ticks {
            return;
        }
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let awaited = |probe: &&mut WatchedProbe| probe.id == id && probe.ends_at > ticks;
        if let Some(probe) = watched.iter_mut().find(awaited)
            && probe.arrived.is_none()
        {
            probe.arrived = Some(arrived());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(host: &str) -> ArrivedProbe {
        ArrivedProbe {
            host: Some(host.to_owned()),
            peer: None,
            is_trusted: true,
            client: None,
            forwarded_for: Vec::new(),
            identity_headers: Vec::new(),
        }
    }

    #[test]
    fn only_a_watched_probe_is_kept_and_only_for_a_minute() {
        let minute = 60_000_000_000;
        let (probes, id, other) = (Probes::default(), ProbeId(1), ProbeId(2));
        probes.note(id, 0, || arrived("before"));
        assert_eq!(probes.watch(id, 0), None);
        probes.note(other, 1, || arrived("other"));
        assert_eq!(probes.watch(id, 1), None);
        probes.note(id, minute - 1, || arrived("first"));
        probes.note(id, minute - 1, || arrived("second"));
        assert_eq!(probes.watch(id, minute - 1), Some(arrived("first")));
        assert_eq!(probes.watch(id, minute), None, "the watch began again");
    }

    #[test]
    fn the_oldest_probe_makes_room() {
        let probes = Probes::default();
        for number in 0..=PROBES_MAX as u128 {
            assert_eq!(probes.watch(ProbeId(number), 0), None);
        }
        for number in 0..=PROBES_MAX as u128 {
            probes.note(ProbeId(number), 1, || arrived("here"));
        }
        assert_eq!(probes.watch(ProbeId(1), 1), Some(arrived("here")));
        assert_eq!(probes.watch(ProbeId(0), 1), None);
    }

    #[test]
    fn an_id_has_32_hexadecimal_digits() {
        for (text, is_id) in [
            ("00112233445566778899aabbccddeeff", true),
            ("00112233445566778899aabbccddeef", false),
            ("+0112233445566778899aabbccddeeff", false),
            ("", false),
        ] {
            assert_eq!(ProbeId::parse(text).is_some(), is_id, "{text}");
        }
    }
}
