//! The requests that wait for a place. Finding the next request costs the same for any number of
//! waiting requests.
//!
//! Requests of one caller wait in one line. A group is an organization or a neighbourhood, and its
//! lines are ordered by their turns. A kind is known callers, strangers or the operator, and its
//! groups are ordered by their first lines. The search for the next request looks at the first
//! lines of each kind. The search skips groups and callers that have used up their shares. Few
//! groups and callers have used up their shares, since each of these holds places.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::oneshot;

use super::caller::{Caller, Claims, Payer};
use super::ledger::Ledger;

#[derive(Debug)]
pub(super) struct PoolWaiter {
    pub(super) number: u64,
    pub(super) caller: Caller,
    /// The caller's claims on places.
    pub(super) claims: Claims,
    pub(super) granted: oneshot::Sender<()>,
}

/// All requests that wait for a place.
#[derive(Debug, Default)]
pub(super) struct PoolQueue {
    lines: HashMap<Option<Payer>, CallerQueue>,
    groups: HashMap<Group, BTreeMap<Turn, Claims>>,
    /// The number of requests that have received a place from the queue.
    served: u64,
    kinds: HashMap<Option<Payer>, BTreeMap<Turn, Group>>,
}

/// The requests of one caller, the oldest first.
#[derive(Debug)]
struct CallerQueue {
    turn: Turn,
    waiters: VecDeque<PoolWaiter>,
}

/// The order of lines in a group, and of groups in a kind: by the places that the caller holds,
/// then by the time at which it was last served or began to wait, then by the unique number of its
/// first request. A caller that sends one request after the other therefore passes another caller
/// at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    held: usize,
    served: u64,
    number: u64,
}

/// The organization or neighbourhood, and the kind.
type Group = [Option<Payer>; 2];

fn payers(claims: &Claims) -> [Option<Payer>; 3] {
    claims.map(|claim| claim.map(|claim| claim.payer))
}

fn narrowest(claims: &Claims) -> Option<Payer> {
    let [narrowest, ..] = payers(claims);
    narrowest
}

/// The kind of the caller with these claims: known, or a stranger. `None` for the operator.
pub(super) fn kind(claims: &Claims) -> Option<Payer> {
    let [_, _, kind] = payers(claims);
    kind
}

fn held(running: &Ledger, payer: Option<Payer>) -> usize {
    payer.map_or(0, |payer| running.held(payer))
}

impl PoolQueue {
    /// Appends a request to its caller's line.
    pub(super) fn push(&mut self, waiter: PoolWaiter, running: &Ledger) {
        let (claims, number) = (waiter.claims, waiter.number);
        let caller = narrowest(&claims);
        if let Some(line) = self.lines.get_mut(&caller) {
            line.waiters.push_back(waiter);
            return;
        }
        let turn = Turn { held: held(running, caller), served: self.served, number };
        self.lines.insert(caller, CallerQueue { turn, waiters: VecDeque::from([waiter]) });
        self.enter(turn, claims);
    }

    /// Removes the request with this number; `None` if it no longer waits.
    pub(super) fn remove(&mut self, claims: &Claims, number: u64) -> Option<PoolWaiter> {
        let waiters = &self.lines.get(&narrowest(claims))?.waiters;
        let at = waiters.iter().position(|waiter| waiter.number == number)?;
        self.change(narrowest(claims), |line| line.waiters.remove(at))
    }

    /// Removes the next request that fits, in the order that [`super::pool`] describes.
    pub(super) fn take_next(
        &mut self,
        running: &Ledger,
        last_kind: Option<Payer>,
    ) -> Option<PoolWaiter> {
        if !running.fits(&[None; 3]) {
            return None;
        }
        let first_of_kind = |(kind, groups): (&Option<Payer>, &BTreeMap<Turn, Group>)| {
            let (turn, claims) = self.first_that_fits(groups, running)?;
            let is_last = *kind == last_kind;
            let rank = (turn.held, held(running, *kind), is_last, turn.served, turn.number);
            Some((rank, claims))
        };
        let (_, claims) = self.kinds.iter().filter_map(first_of_kind).min_by_key(|it| it.0)?;
        self.served += 1;
        let served = self.served;
        self.change(narrowest(&claims), |line| {
            line.turn.served = served;
            line.waiters.pop_front()
        })
    }

    /// Updates the position of a caller's line after a change of the places that the caller holds.
    pub(super) fn reorder(&mut self, claims: &Claims, running: &Ledger) {
        let caller = narrowest(claims);
        self.change(caller, |line| {
            line.turn.held = held(running, caller);
            None
        });
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
            && self.groups.is_empty()
            && self.kinds.values().all(BTreeMap::is_empty)
    }

    /// The first line that fits, among the first lines of the groups. If the first line of a group
    /// does not fit, no other line of the group fits: its caller holds the fewest places of the
    /// group. Either the group has used up its share and no caller is a newcomer, or every caller
    /// has used up its own share.
    fn first_that_fits(
        &self,
        groups: &BTreeMap<Turn, Group>,
        running: &Ledger,
    ) -> Option<(Turn, Claims)> {
        let mut firsts = groups.iter().filter_map(|(turn, group)| {
            let claims = self.groups.get(group)?.get(turn)?;
            Some((*turn, *claims))
        });
        firsts.find(|(_, claims)| running.fits(claims))
    }

    /// Changes a line and restores the order.
    fn change(
        &mut self,
        caller: Option<Payer>,
        change: impl FnOnce(&mut CallerQueue) -> Option<PoolWaiter>,
    ) -> Option<PoolWaiter> {
        let line = self.lines.get_mut(&caller)?;
        let before = (line.turn, line.waiters.front()?.claims);
        let taken = change(line);
        let now = line.waiters.front().map(|first| {
            line.turn.number = first.number;
            (line.turn, first.claims)
        });
        if now != Some(before) {
            self.leave(before.0, &before.1);
            match now {
                Some((turn, claims)) => self.enter(turn, claims),
                None => drop(self.lines.remove(&caller)),
            }
        }
        taken
    }

    fn enter(&mut self, turn: Turn, claims: Claims) {
        self.change_group(&claims, |lines| lines.insert(turn, claims));
    }

    fn leave(&mut self, turn: Turn, claims: &Claims) {
        self.change_group(claims, |lines| lines.remove(&turn));
    }

    /// Changes the lines of a group and restores the order of the groups.
    fn change_group(
        &mut self,
        claims: &Claims,
        change: impl FnOnce(&mut BTreeMap<Turn, Claims>) -> Option<Claims>,
    ) {
        let [_, many, kind] = payers(claims);
        let group = [many, kind];
        let lines = self.groups.entry(group).or_default();
        let before = lines.keys().next().copied();
        let _before = change(lines);
        let now = lines.keys().next().copied();
        if now.is_none() {
            self.groups.remove(&group);
        }
        let groups = self.kinds.entry(kind).or_default();
        before.map(|turn| groups.remove(&turn));
        now.map(|turn| groups.insert(turn, group));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const PLACES: usize = 8;

    /// The next request, found by applying the rule to each request.
    fn next_of_all(
        waiting: &[PoolWaiter],
        running: &Ledger,
        last: Option<Payer>,
        served: &HashMap<Option<Payer>, usize>,
    ) -> Option<u64> {
        let fitting = waiting.iter().filter(|waiter| running.fits(&waiter.claims));
        let rank = |waiter: &&PoolWaiter| {
            let kind = kind(&waiter.claims);
            let caller = narrowest(&waiter.claims);
            let served = served.get(&caller).copied();
            (held(running, caller), held(running, kind), kind == last, served, waiter.number)
        };
        fitting.min_by_key(rank).map(|waiter| waiter.number)
    }

    fn caller() -> impl Strategy<Value = Caller> {
        let user = (0_u8..6, any::<bool>()).prop_map(|(user, by_key)| {
            // A user belongs to one organization. Callers without an organization are one group.
            let organization = user % 3;
            let organization = (organization > 0).then_some([organization; 16]);
            Caller { actor: Some([user; 16]), organization, by_key, ..Caller::default() }
        });
        let stranger = (0_u8..3, 0_u8..4)
            .prop_map(|(near, at)| Caller::of(Some(IpAddr::from([192, 0, near, at]))));
        prop_oneof![4 => user, 4 => stranger, 1 => Just(Caller::default())]
    }

    proptest! {
        #[test]
        fn the_next_is_the_one_that_looking_at_each_finds(
            steps in proptest::collection::vec((caller(), 0_u8..8, any::<proptest::sample::Index>()), 1..120),
        ) {
            let (mut queue, mut running) = (PoolQueue::default(), Ledger::new(PLACES));
            let waiter = |number: u64, caller: Caller| {
                let (granted, _) = oneshot::channel();
                PoolWaiter { number, caller, claims: caller.claims_on_places(PLACES), granted }
            };
            let (mut waiting, mut holding, mut last) = (Vec::new(), Vec::<Claims>::new(), None);
            let (mut served, mut last_served) = (HashMap::new(), 0);
            for (number, (caller, step, at)) in steps.into_iter().enumerate() {
                match step {
                    0 if !waiting.is_empty() => {
                        let gone: PoolWaiter = waiting.remove(at.index(waiting.len()));
                        let found = queue.remove(&gone.claims, gone.number);
                        prop_assert_eq!(found.map(|it| it.number), Some(gone.number));
                        prop_assert!(queue.remove(&gone.claims, gone.number).is_none());
                    },
                    1 | 2 if !holding.is_empty() => {
                        let claims = holding.swap_remove(at.index(holding.len()));
                        running.give_back(&claims, 1);
                        queue.reorder(&claims, &running);
                    },
                    3 | 4 => {
                        let due = next_of_all(&waiting, &running, last, &served);
                        let next = queue.take_next(&running, last);
                        prop_assert_eq!(next.as_ref().map(|it| it.number), due);
                        if let Some(next) = next {
                            waiting.retain(|it| it.number != next.number);
                            served.insert(narrowest(&next.claims), number);
                            last_served = number;
                            prop_assert!(running.take(&next.claims));
                            queue.reorder(&next.claims, &running);
                            last = kind(&next.claims);
                            holding.push(next.claims);
                        }
                    },
                    _ => {
                        let number = number as u64;
                        queue.push(waiter(number, caller), &running);
                        served.entry(narrowest(&caller.claims_on_places(PLACES))).or_insert(last_served);
                        waiting.push(waiter(number, caller));
                    },
                }
                // A caller without waiting requests counts as new when it returns.
                served.retain(|caller, _| waiting.iter().any(|it| narrowest(&it.claims) == *caller));
            }
            for gone in waiting {
                prop_assert!(queue.remove(&gone.claims, gone.number).is_some());
            }
            prop_assert!(queue.is_empty(), "{:?}", queue);
        }
    }
}
