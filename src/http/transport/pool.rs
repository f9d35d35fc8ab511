//! The places of one part of the blocking pool, and the requests that wait for one.
//!
//! A request waits as a future, on no thread. A free place goes to the waiting caller that holds the
//! fewest; of two that hold as many to the kind, known or stranger, that holds the fewest and was not
//! the last to be served, then to the one that came first. The places and the queue each have a size,
//! and a share of both that one caller can hold. So neither a crowd of strangers nor one of users keeps
//! the other kind from its turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::caller::{Caller, Claims, Payer};
use super::ledger::Ledger;

/// How many requests may wait for each place.
pub(crate) const WAITING_A_PLACE: usize = 4;
/// How many may wait at least, however few places there are.
pub(crate) const WAITING_MIN: usize = 128;
/// How many requests of one caller wait or run whoever else fills the queue: a page asks some at once.
pub(crate) const OWN_MIN: usize = 4;

/// One part of the pool.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    places: usize,
    wait: Duration,
}

#[derive(Debug)]
struct State {
    running: Ledger,
    waiting: Ledger,
    queue: VecDeque<Waiter>,
    next_number: u64,
    /// The kind of caller that was handed a place last.
    last_kind: Option<Payer>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    caller: Caller,
    granted: oneshot::Sender<()>,
}

/// A place; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Pool>,
    claims: Claims,
}

/// A request in the queue; leaves it on drop, with the place if it was granted one meanwhile.
struct Waiting {
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
        let state = State {
            running: Ledger::new(places),
            waiting: Ledger::new(waiting),
            queue: VecDeque::new(),
            next_number: 0,
            last_kind: None,
        };
        Arc::new(Self { state: Mutex::new(state), places, wait })
    }

    /// A place for a caller's request; `None` when none falls free in time, or too many wait.
    pub(super) async fn enter(self: &Arc<Self>, caller: &Caller) -> Option<Place> {
        let mut waiting = match self.ask(caller) {
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

    /// A place at once, or one in the queue, or neither.
    fn ask(self: &Arc<Self>, caller: &Caller) -> Result<Place, Option<Waiting>> {
        let mut state = self.lock();
        let claims = caller.claims_on_places(self.places);
        // Whoever waits while places are free has its share in use: nobody is overtaken here.
        if state.running.take(&claims, 1) {
            return Ok(self.place(caller));
        }
        let claims = caller.claims_on_queue(state.waiting.whole());
        if self.wait.is_zero() || !state.queue_up(&claims) {
            return Err(None);
        }
        let (sender, granted) = oneshot::channel();
        let number = state.next_number;
        state.next_number += 1;
        state.queue.push_back(Waiter { number, caller: *caller, granted: sender });
        let pool = Arc::clone(self);
        Err(Some(Waiting { pool, number, caller: *caller, granted, is_over: false }))
    }

    fn place(self: &Arc<Self>, caller: &Caller) -> Place {
        let claims = caller.claims_on_places(self.places);
        Place { pool: Arc::clone(self), claims }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a place in the queue. A caller who has less than a few requests here gets one though others
    /// have filled the queue, their organization among them; as many wait as there are connections.
    fn queue_up(&mut self, claims: &Claims) -> bool {
        let is_admitted = self.waiting.fits(claims, 1) || self.has_few(claims);
        if is_admitted {
            self.waiting.add(claims, 1);
        }
        is_admitted
    }

    /// One neighbourhood may have any number of networks: all of them together have as many places
    /// as the queue is meant for.
    fn has_few(&self, claims: &Claims) -> bool {
        claims.iter().flatten().all(|(payer, _)| match payer {
            Payer::Network(_) | Payer::Actor(_) | Payer::Keys(_) => {
                self.running.held(*payer) + self.waiting.held(*payer) < OWN_MIN
            },
            Payer::Neighbourhood(_) => self.waiting.held(*payer) < self.waiting.whole(),
            Payer::Organization(_) | Payer::Known | Payer::Strangers => true,
        })
    }

    /// Gives a place back, and hands it on.
    fn leave(&mut self, claims: &Claims) {
        self.running.give_back(claims, 1);
        while let Some(at) = self.next_in_turn() {
            let Some(waiter) = self.queue.remove(at) else { return };
            self.stop_waiting(&waiter.caller);
            let claims = waiter.caller.claims_on_places(self.running.whole());
            self.running.take(&claims, 1);
            self.last_kind = kind(&claims);
            // One that has gone meanwhile gives the place back itself.
            let _gone = waiter.granted.send(());
        }
    }

    fn next_in_turn(&self) -> Option<usize> {
        let whole = self.running.whole();
        let mut best = None;
        for (at, waiter) in self.queue.iter().enumerate() {
            let claims = waiter.caller.claims_on_places(whole);
            if !self.running.fits(&claims, 1) {
                continue;
            }
            let held = |payer: Option<Payer>| payer.map_or(0, |it| self.running.held(it));
            let [narrowest, ..] = claims;
            let narrowest = narrowest.map(|(payer, _)| payer);
            let kind = kind(&claims);
            let rank = (held(narrowest), held(kind), kind == self.last_kind);
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, at));
            }
        }
        best.map(|(_, at)| at)
    }

    fn stop_waiting(&mut self, caller: &Caller) {
        let claims = caller.claims_on_queue(self.waiting.whole());
        self.waiting.give_back(&claims, 1);
    }
}

/// Whether these are the claims of one who is known, or of a stranger; neither for the operator.
fn kind(claims: &Claims) -> Option<Payer> {
    let [_, _, kind] = claims;
    kind.map(|(payer, _)| payer)
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.lock().leave(&self.claims);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.pool.lock();
        let known = state.queue.iter().position(|waiter| waiter.number == self.number);
        if let Some(at) = known {
            state.queue.remove(at);
            state.stop_waiting(&self.caller);
        } else {
            let claims = self.caller.claims_on_places(self.pool.places);
            state.leave(&claims);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::runtime::Builder;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn actor(id: u8) -> Caller {
        Caller { actor: Some([id; 16]), organization: Some([id; 16]), ..Caller::default() }
    }

    fn at_once(pool: &Arc<Pool>, caller: &Caller) -> Option<Place> {
        pool.ask(caller).ok()
    }

    #[test]
    fn one_caller_holds_a_quarter_and_one_organization_half() {
        let pool = Pool::new(8, LONG);
        let held: Vec<_> = (0..8).filter_map(|_| at_once(&pool, &actor(1))).collect();
        assert_eq!(held.len(), 2);
        let colleague = |id| Caller { actor: Some([id; 16]), ..actor(1) };
        let more: Vec<_> = (2..9).filter_map(|id| at_once(&pool, &colleague(id))).collect();
        assert_eq!(more.len(), 2);
        let others: Vec<_> = (10..20).filter_map(|id| at_once(&pool, &actor(id))).collect();
        assert_eq!(others.len(), 4);
        drop((held, more, others));
        assert!(at_once(&pool, &actor(1)).is_some());
    }

    #[test]
    fn strangers_hold_a_quarter_an_address_and_half_a_neighbourhood() {
        let pool = Pool::new(8, LONG);
        let from = |text: &str| Caller::of(Some(text.parse::<IpAddr>().unwrap()));
        let one: Vec<_> = (0..8).filter_map(|_| at_once(&pool, &from("2001:db8::1"))).collect();
        assert_eq!(one.len(), 2);
        let near: Vec<_> =
            (1..9).filter_map(|it| at_once(&pool, &from(&format!("2001:db8:0:{it}::1")))).collect();
        assert_eq!(near.len(), 2);
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
            // Each holds its quarter; the fifth holds nothing and comes last.
            let waiting: Vec<_> = [1, 2, 5]
                .map(|id| pool.ask(&actor(id)).err().flatten().unwrap())
                .into_iter()
                .collect();
            drop(others);
            let [of_first, of_second, of_fifth] = waiting.try_into().ok().unwrap();
            let granted = |waiting: &mut Waiting| waiting.granted.try_recv().is_ok();
            let (mut of_first, mut of_second, mut of_fifth) = (of_first, of_second, of_fifth);
            assert!(granted(&mut of_fifth) && granted(&mut of_second));
            assert!(!granted(&mut of_first), "its share is in use");
            drop(first);
            assert!(granted(&mut of_first));
            // Those that leave without having taken their place up give it back.
            drop((of_first, of_second, of_fifth));
            let state = pool.lock();
            assert!(state.running.fits(&[None; 3], 4) && state.queue.is_empty());
        });
    }

    /// Two guests, or four addresses in two neighbourhoods, once filled the queue for everybody.
    #[test]
    fn who_has_nothing_here_may_wait_whoever_fills_the_queue() {
        let colleague = |id| Caller { actor: Some([id; 16]), ..actor(9) };
        let from = |text: &str| Caller::of(Some(text.parse::<IpAddr>().unwrap()));
        let near = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2"];
        for (crowd, late) in [
            (vec![colleague(1), colleague(2)], colleague(3)),
            (near.map(from).to_vec(), from("203.0.113.1")),
            (near.map(from).to_vec(), from("192.0.2.3")),
        ] {
            let pool = Pool::new(8, LONG);
            let mut held: Vec<_> = (0..8)
                .flat_map(|_| crowd.iter().filter_map(|it| at_once(&pool, it)).collect::<Vec<_>>())
                .collect();
            let queue: Vec<_> = (0..WAITING_MIN)
                .flat_map(|_| {
                    crowd.iter().filter_map(|it| pool.ask(it).err().flatten()).collect::<Vec<_>>()
                })
                .collect();
            let most = (crowd.len() * WAITING_MIN / 4).min(WAITING_MIN / 4 * 3);
            assert_eq!(queue.len(), most, "a quarter each, and three quarters of one kind");
            let mut own: Vec<_> = (0..9).filter_map(|_| pool.ask(&late).err().flatten()).collect();
            assert_eq!(own.len(), OWN_MIN);
            drop(held.remove(0));
            assert!(own[0].granted.try_recv().is_ok(), "it holds the fewest");
        }
        // All networks of one neighbourhood together wait in as many places as the queue has.
        let pool = Pool::new(1, LONG);
        let _held = at_once(&pool, &actor(1)).unwrap();
        let ask = |it: usize| pool.ask(&from(&format!("2001:db8:0:{it:x}::1"))).err().flatten();
        let queue: Vec<_> = (0..WAITING_MIN * 2).filter_map(ask).collect();
        assert_eq!(queue.len(), WAITING_MIN);
        assert!(pool.ask(&from("2001:db8:1::1")).err().flatten().is_some());
    }

    #[test]
    fn strangers_who_fill_the_queue_keep_nobody_out_who_is_known_nor_the_reverse() {
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
                (2..250).filter_map(|at| pool.ask(&crowd(at)).err().flatten()).collect();
            assert_eq!(queue.len(), 248, "each has few here, so each waits");
            let mut late = pool.ask(&other).err().flatten().unwrap();
            // The first place that falls free after one of the crowd's.
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

    #[test]
    fn waiting_has_an_end_and_a_bound() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = Pool::new(1, Duration::from_millis(1));
            let held = at_once(&pool, &actor(1)).unwrap();
            assert!(pool.enter(&actor(2)).await.is_none());
            let queue: Vec<_> =
                (0..WAITING_MIN).filter_map(|_| pool.ask(&actor(3)).err().flatten()).collect();
            assert_eq!(queue.len(), WAITING_MIN / 4, "one caller fills a quarter of the queue");
            drop((held, queue));
            assert!(pool.enter(&actor(2)).await.is_some());
        });
    }
}
