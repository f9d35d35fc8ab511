//! The places of one part of the blocking pool, and the requests that wait for a place.
//!
//! A waiting request is a future and uses no thread. A free place goes to the waiting caller that
//! holds the fewest places. Among equals, the order is: the kind of caller (known or stranger) that
//! holds the fewest places; the kind that was not served last; the caller that was served the
//! longest ago while it waited; the first request. One caller, and one organization or
//! neighbourhood, can hold only a share of the places and of the queue. A caller with few requests
//! in this part always finds room in the queue, so that many strangers cannot block users, nor many
//! users strangers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::caller::{Caller, Claim, Claims, Payer};
use super::ledger::Ledger;
use super::queue::{PoolQueue, PoolWaiter, kind};

/// The number of requests that may wait for each place.
pub(crate) const WAITING_A_PLACE: usize = 4;
/// The smallest size of a queue.
pub(crate) const WAITING_MIN: usize = 128;
/// The number of requests of one caller that always find room in the queue: a page sends some
/// requests at once.
pub(crate) const OWN_MIN: usize = 4;

/// One part of the pool, with its own places and queue.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<PoolState>,
    places: usize,
    wait: Duration,
}

#[derive(Debug)]
struct PoolState {
    running: Ledger,
    waiting: Ledger,
    queue: PoolQueue,
    next_number: u64,
    /// The kind of the caller that received the last place from the queue.
    last_kind: Option<Payer>,
}

/// A place on the pool. The drop returns the place.
#[derive(Debug)]
pub(super) struct PoolSlot {
    pool: Arc<Pool>,
    claims: Claims,
}

/// A request in the queue. The drop removes the request from the queue, or returns the place that
/// it was granted meanwhile.
struct PoolWait {
    pool: Arc<Pool>,
    number: u64,
    caller: Caller,
    granted: oneshot::Receiver<()>,
    is_over: bool,
}

impl Pool {
    /// A pool of `places`, in which a request waits for at most `wait`.
    pub(super) fn new(places: usize, wait: Duration) -> Arc<Self> {
        let waiting = places.saturating_mul(WAITING_A_PLACE).max(WAITING_MIN);
        let state = PoolState {
            running: Ledger::new(places),
            waiting: Ledger::new(waiting),
            queue: PoolQueue::default(),
            next_number: 0,
            last_kind: None,
        };
        Arc::new(Self { state: Mutex::new(state), places, wait })
    }

    /// A place for a caller's request. `None` if no place becomes free in time, or too many
    /// requests wait.
    pub(super) async fn enter(self: &Arc<Self>, caller: &Caller) -> Option<PoolSlot> {
        let mut waiting = match self.try_enter(caller) {
            Ok(place) => return Some(place),
            Err(waiting) => waiting?,
        };
        match timeout(self.wait, &mut waiting.granted).await {
            Ok(Ok(())) => {
                waiting.is_over = true;
                Some(self.place(caller))
            },
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// A free place; or a place in the queue as an error; or `None` as an error if the queue is
    /// full.
    fn try_enter(self: &Arc<Self>, caller: &Caller) -> Result<PoolSlot, Option<PoolWait>> {
        let mut state = self.lock();
        let claims = caller.claims_on_places(self.places);
        // A free place can be taken at once: a caller that waits while places are free has used up
        // its share.
        if state.running.take(&claims) {
            return Ok(self.place(caller));
        }
        if self.wait.is_zero() || !state.queue_up(caller) {
            return Err(None);
        }
        let (sender, granted) = oneshot::channel();
        let number = state.next_number;
        state.next_number += 1;
        let state = &mut *state;
        let waiter = PoolWaiter { number, caller: *caller, claims, granted: sender };
        state.queue.push(waiter, &state.running);
        let pool = Arc::clone(self);
        Err(Some(PoolWait { pool, number, caller: *caller, granted, is_over: false }))
    }

    fn place(self: &Arc<Self>, caller: &Caller) -> PoolSlot {
        let claims = caller.claims_on_places(self.places);
        PoolSlot { pool: Arc::clone(self), claims }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolState {
    /// Takes a place in the queue. A caller with fewer than [`OWN_MIN`] requests gets a place even
    /// if others have filled the queue. The number of connections limits the total.
    fn queue_up(&mut self, caller: &Caller) -> bool {
        let claims = caller.claims_on_places(self.waiting.whole());
        let is_admitted = self.waiting.fits(&claims) || self.has_few(&claims);
        if is_admitted {
            self.waiting.add(&claims, 1);
        }
        is_admitted
    }

    /// A neighbourhood may contain any number of networks, so all of its networks together hold at
    /// most as many places as the queue has.
    fn has_few(&self, claims: &Claims) -> bool {
        claims.iter().flatten().all(|Claim { payer, .. }| match payer {
            Payer::Network(_) | Payer::Actor(_) | Payer::Keys(_) => {
                self.running.held(*payer) + self.waiting.held(*payer) < OWN_MIN
            },
            Payer::Neighbourhood(_) => self.waiting.held(*payer) < self.waiting.whole(),
            Payer::Organization(_) | Payer::Known | Payer::Strangers => true,
        })
    }

    /// Returns a place, and grants free places to waiting requests.
    fn leave(&mut self, claims: &Claims) {
        self.running.give_back(claims, 1);
        self.queue.reorder(claims, &self.running);
        while let Some(waiter) = self.queue.take_next(&self.running, self.last_kind) {
            self.stop_waiting(&waiter.caller);
            self.running.take(&waiter.claims);
            self.queue.reorder(&waiter.claims, &self.running);
            self.last_kind = kind(&waiter.claims);
            // If the request has ended meanwhile, its drop returns the place.
            let _gone = waiter.granted.send(());
        }
    }

    fn stop_waiting(&mut self, caller: &Caller) {
        let claims = caller.claims_on_places(self.waiting.whole());
        self.waiting.give_back(&claims, 1);
    }
}

impl Drop for PoolSlot {
    fn drop(&mut self) {
        self.pool.lock().leave(&self.claims);
    }
}

impl Drop for PoolWait {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.pool.lock();
        let claims = self.caller.claims_on_places(self.pool.places);
        match state.queue.remove(&claims, self.number) {
            Some(_waiter) => state.stop_waiting(&self.caller),
            None => state.leave(&claims),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::IpAddr;

    use tokio::runtime::Builder;

    use super::super::ledger::looks;
    use super::super::limits::TransportLimits;
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn actor(id: u8) -> Caller {
        Caller { actor: Some([id; 16]), organization: Some([id; 16]), ..Caller::default() }
    }

    fn at_once(pool: &Arc<Pool>, caller: &Caller) -> Option<PoolSlot> {
        pool.try_enter(caller).ok()
    }

    #[test]
    fn one_caller_holds_a_quarter_and_one_organization_half_or_a_quarter_more_by_newcomers() {
        let pool = Pool::new(8, LONG);
        let held: Vec<_> = (0..8).filter_map(|_| at_once(&pool, &actor(1))).collect();
        assert_eq!(held.len(), 2);
        let colleague = |id| Caller { actor: Some([id; 16]), ..actor(1) };
        let more: Vec<_> = (2..9).filter_map(|id| at_once(&pool, &colleague(id))).collect();
        assert_eq!(more.len(), 4);
        let others: Vec<_> = (10..20).filter_map(|id| at_once(&pool, &actor(id))).collect();
        assert_eq!(others.len(), 2);
        drop((held, more, others));
        assert!(at_once(&pool, &actor(1)).is_some());
    }

    /// Regression: a user's session and the same user's keys held all places of their organization.
    #[test]
    fn two_callers_of_one_organization_do_not_stop_a_third() {
        let pool = Pool::new(8, LONG);
        let colleague = |id, by_key| Caller { actor: Some([id; 16]), by_key, ..actor(9) };
        let crowd = [colleague(1, false), colleague(1, true)];
        let held: Vec<_> =
            crowd.iter().flat_map(|it| [at_once(&pool, it), at_once(&pool, it)]).collect();
        assert!(held.iter().all(Option::is_some));
        let owner = at_once(&pool, &colleague(2, false)).unwrap();
        assert!(at_once(&pool, &colleague(2, false)).is_none(), "it holds a place");
        let third = at_once(&pool, &colleague(3, false)).unwrap();
        assert!(at_once(&pool, &colleague(4, false)).is_none(), "three quarters are the most");
        drop((owner, third));
        assert!(at_once(&pool, &colleague(2, false)).is_some());
    }

    #[test]
    fn strangers_hold_a_quarter_an_address_and_three_quarters_a_neighbourhood() {
        let pool = Pool::new(8, LONG);
        let from = |text: &str| Caller::of(Some(text.parse::<IpAddr>().unwrap()));
        let one: Vec<_> = (0..8).filter_map(|_| at_once(&pool, &from("2001:db8::1"))).collect();
        assert_eq!(one.len(), 2);
        let near: Vec<_> =
            (1..9).filter_map(|it| at_once(&pool, &from(&format!("2001:db8:0:{it}::1")))).collect();
        assert_eq!(near.len(), 4);
        assert!(at_once(&pool, &Caller::of(None)).is_some());
        assert!(at_once(&pool, &Caller::default()).is_some(), "the operator has no share");
    }

    #[test]
    fn a_free_place_goes_to_the_caller_that_holds_the_fewest() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = Pool::new(4, LONG);
            let first = at_once(&pool, &actor(1)).unwrap();
            let others: Vec<_> = (2..5).filter_map(|id| at_once(&pool, &actor(id))).collect();
            assert_eq!(others.len(), 3);
            // Callers 1 and 2 hold their quarter. Caller 5 holds nothing, and its request comes
            // last.
            let waiting: Vec<_> = [1, 2, 5]
                .map(|id| pool.try_enter(&actor(id)).err().flatten().unwrap())
                .into_iter()
                .collect();
            drop(others);
            let [of_first, of_second, of_fifth] = waiting.try_into().ok().unwrap();
            let granted = |waiting: &mut PoolWait| waiting.granted.try_recv().is_ok();
            let (mut of_first, mut of_second, mut of_fifth) = (of_first, of_second, of_fifth);
            assert!(granted(&mut of_fifth) && granted(&mut of_second));
            assert!(!granted(&mut of_first), "its share is in use");
            drop(first);
            assert!(granted(&mut of_first));
            // Requests that are dropped before they use their place return it.
            drop((of_first, of_second, of_fifth));
            let state = pool.lock();
            assert!(state.running.held(Payer::Known) == 0 && state.queue.is_empty());
        });
    }

    #[test]
    fn the_order_follows_what_each_caller_holds_now() {
        let pool = Pool::new(8, LONG);
        let mut others: Vec<_> = (3..7)
            .flat_map(|id| [actor(id), actor(id)])
            .filter_map(|caller| at_once(&pool, &caller))
            .collect();
        assert_eq!(others.len(), 8);
        let mut queue =
            [1, 2, 2, 1, 1].map(|id| pool.try_enter(&actor(id)).err().flatten().unwrap());
        let mut granted = || queue.each_mut().map(|it| it.granted.try_recv().is_ok());
        drop(others.pop());
        assert_eq!(granted(), [true, false, false, false, false], "the first that came");
        drop(others.pop());
        assert_eq!(granted(), [false, true, false, false, false], "it holds nothing");
        // The first caller ends its request and holds nothing again.
        drop(PoolSlot { pool: Arc::clone(&pool), claims: actor(1).claims_on_places(8) });
        assert_eq!(granted(), [false, false, false, true, false], "it holds the fewest");
    }

    /// Regression: two guests, or four addresses in two neighbourhoods, filled the queue for all
    /// callers.
    #[test]
    fn a_caller_without_requests_may_wait_in_a_full_queue() {
        let colleague = |id| Caller { actor: Some([id; 16]), ..actor(9) };
        let from = |text: &str| Caller::of(Some(text.parse::<IpAddr>().unwrap()));
        let near = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2"];
        for (crowd, late, most) in [
            (vec![colleague(1), colleague(2)], colleague(3), WAITING_MIN / 2),
            (near.map(from).to_vec(), from("203.0.113.1"), WAITING_MIN),
            (near.map(from).to_vec(), from("192.0.2.3"), WAITING_MIN),
        ] {
            let pool = Pool::new(8, LONG);
            let mut held: Vec<_> = (0..8)
                .flat_map(|_| crowd.iter().filter_map(|it| at_once(&pool, it)).collect::<Vec<_>>())
                .collect();
            let _elsewhere: Vec<_> =
                (0..8).filter_map(|_| at_once(&pool, &Caller::default())).collect();
            let queue: Vec<_> = (0..WAITING_MIN)
                .flat_map(|_| {
                    crowd
                        .iter()
                        .filter_map(|it| pool.try_enter(it).err().flatten())
                        .collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(queue.len(), most, "a quarter each, and half an organization");
            let mut own: Vec<_> =
                (0..9).filter_map(|_| pool.try_enter(&late).err().flatten()).collect();
            assert_eq!(own.len(), OWN_MIN);
            drop(held.remove(0));
            assert!(own[0].granted.try_recv().is_ok(), "it holds the fewest");
        }
        // All networks of one neighbourhood together hold at most as many places as the queue has.
        let pool = Pool::new(1, LONG);
        let _held = at_once(&pool, &actor(1)).unwrap();
        let try_enter =
            |it: usize| pool.try_enter(&from(&format!("2001:db8:0:{it:x}::1"))).err().flatten();
        let queue: Vec<_> = (0..WAITING_MIN * 2).filter_map(try_enter).collect();
        assert_eq!(queue.len(), WAITING_MIN);
        assert!(pool.try_enter(&from("2001:db8:1::1")).err().flatten().is_some());
    }

    #[test]
    fn strangers_and_known_callers_do_not_keep_each_other_out() {
        let stranger =
            |at: usize| Caller::of(Some(IpAddr::from([10, u8::try_from(at).unwrap(), 0, 1])));
        let known = |at: usize| actor(u8::try_from(at).unwrap());
        for (places, crowd, other) in [
            (1, &stranger as &dyn Fn(usize) -> Caller, known(255)),
            (2, &stranger, known(255)),
            (1, &known, stranger(255)),
            (2, &known, stranger(255)),
        ] {
            let pool = Pool::new(places, LONG);
            let held: Vec<_> = (0..places).filter_map(|at| at_once(&pool, &crowd(at))).collect();
            assert_eq!(held.len(), places);
            let mut queue: Vec<_> =
                (2..250).filter_map(|at| pool.try_enter(&crowd(at)).err().flatten()).collect();
            assert_eq!(queue.len(), 248, "each has few here, so each waits");
            let mut late = pool.try_enter(&other).err().flatten().unwrap();
            // The late caller gets a place at the latest after one more request of the crowd.
            let mut held = VecDeque::from(held);
            let mut turns = 0;
            while late.granted.try_recv().is_err() {
                drop(held.pop_front());
                turns += 1;
                let next = queue.iter_mut().position(|it| it.granted.try_recv().is_ok());
                if let Some(at) = next {
                    let mut next = queue.remove(at);
                    next.is_over = true;
                    held.push_back(pool.place(&next.caller));
                }
                assert!(turns <= 2, "{places} places");
            }
        }
    }

    /// Regression: on two cores, an organization has one place for hashing. A user with 32 waiting
    /// requests delayed a colleague's sign-in by 32 hashes, 4 s.
    #[test]
    fn who_has_many_requests_in_the_queue_is_served_in_turn_with_one_who_has_few() {
        let pool = Pool::new(2, LONG);
        let colleague = |id, by_key| Caller { actor: Some([id; 16]), by_key, ..actor(9) };
        let crowd = [colleague(1, false), colleague(1, true)];
        let mut held = at_once(&pool, &crowd[0]);
        let mut queue: Vec<_> =
            (0..20).filter_map(|at| pool.try_enter(&crowd[at % 2]).err().flatten()).collect();
        let mut late = pool.try_enter(&colleague(2, false)).err().flatten().unwrap();
        for caller in &crowd {
            drop(held.take());
            let next = queue.iter_mut().position(|it| it.granted.try_recv().is_ok()).unwrap();
            let mut next = queue.remove(next);
            assert_eq!(next.caller, *caller, "each was not served while it waited, and came first");
            next.is_over = true;
            held = Some(pool.place(&next.caller));
        }
        drop(held);
        assert!(late.granted.try_recv().is_ok(), "the others were served");
    }

    /// Regression: a caller that always had one request in the queue counted as new each time, and
    /// was served before a caller with several requests that had been served once.
    #[test]
    fn a_caller_that_comes_again_and_again_does_not_pass_one_that_waits() {
        let pool = Pool::new(2, LONG);
        let colleague = |id| Caller { actor: Some([id; 16]), ..actor(9) };
        let (again, waits) = (colleague(1), colleague(2));
        let mut held = at_once(&pool, &again);
        let try_enter = |caller: &Caller| pool.try_enter(caller).err().flatten().unwrap();
        let mut queue =
            vec![try_enter(&again), try_enter(&waits), try_enter(&waits), try_enter(&waits)];
        let mut served = 0;
        for _ in 0..6 {
            drop(held.take());
            let next = queue.iter_mut().position(|it| it.granted.try_recv().is_ok()).unwrap();
            let mut next = queue.remove(next);
            next.is_over = true;
            served += usize::from(next.caller == waits);
            held = Some(pool.place(&next.caller));
            if next.caller == again {
                queue.push(try_enter(&again));
            }
        }
        assert_eq!(served, 3, "each gets every second turn");
    }

    /// Regression: with 10,000 requests in the queue, each free place cost 50,000 look-ups under
    /// the pool's lock.
    #[test]
    fn a_turn_costs_the_same_however_many_wait() {
        let bytes = |at: u32| at.to_be_bytes();
        let stranger = |at: u32| Caller::of(Some(IpAddr::from(bytes((1 << 24) + (at << 8)))));
        let known = |at: u32| {
            let mut caller = actor(9);
            caller.actor = caller.actor.map(|mut id| {
                id[..4].copy_from_slice(&bytes(at));
                id
            });
            caller
        };
        let most = u32::try_from(TransportLimits::default().connections_max).unwrap();
        // The waiting callers are strangers, each from its own neighbourhood, or users of one
        // organization that holds its share.
        for crowd in [&stranger as &dyn Fn(u32) -> Caller, &known] {
            for waiters in [100, most] {
                let pool = Pool::new(64, LONG);
                let mut held: Vec<_> = (0..32)
                    .flat_map(|at| [stranger(at), known(at)])
                    .filter_map(|caller| at_once(&pool, &caller))
                    .collect();
                assert_eq!(held.len(), 64);
                let mut queue: VecDeque<_> = (64..64 + waiters)
                    .filter_map(|at| pool.try_enter(&crowd(at)).err().flatten())
                    .collect();
                assert_eq!(queue.len(), waiters as usize);
                let mut late = pool.try_enter(&stranger(32)).err().flatten().unwrap();
                let freed = held.swap_remove(0);
                let looks = looks::of(|| drop(freed));
                let first = queue[0].granted.try_recv().is_ok();
                assert!(first != late.granted.try_recv().is_ok(), "{waiters} wait");
                assert!(looks <= 40, "{waiters} wait: {looks} look-ups for a free place");
                let looks = looks::of(|| drop(queue.pop_back()));
                assert!(looks <= 40, "{waiters} wait: {looks} look-ups for one that leaves");
            }
        }
    }

    #[test]
    fn waiting_has_an_end_and_a_bound() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = Pool::new(1, Duration::from_millis(1));
            let held = at_once(&pool, &actor(1)).unwrap();
            assert!(pool.enter(&actor(2)).await.is_none());
            let queue: Vec<_> = (0..WAITING_MIN)
                .filter_map(|_| pool.try_enter(&actor(3)).err().flatten())
                .collect();
            assert_eq!(queue.len(), WAITING_MIN / 4, "one caller fills a quarter of the queue");
            drop((held, queue));
            assert!(pool.enter(&actor(2)).await.is_some());
        });
    }
}
