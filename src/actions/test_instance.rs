//! An in-memory instance for tests of actions, with a clock that tests advance.

use std::sync::Arc;

use keyhouse_storage::{MemoryStore, Range, Store};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::actions::Actions;
use crate::actions::actor::Actor;
use crate::actions::keys::KeyDraft;
use crate::actions::signing_in::setup::FirstOwner;
use crate::clock::{Clock, ManualClock, Now};
use crate::index::follow;
use crate::index::{CallOrigin, Index};
use crate::model::code::Code;
use crate::model::id::UserId;
use crate::model::key_text::Prefix;
use crate::model::moment::Moment;
use crate::model::secret::Secret;
use crate::records::event::EventRecord;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::{Record, encode, prepare, read_row};
use crate::upkeep::last_use;
use crate::worker::Worker;

pub(super) struct TestInstance {
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) actions: Actions,
    pub(super) owner: UserId,
    follower: Option<Worker>,
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        self.follower.take().into_iter().for_each(Worker::stop);
    }
}

impl TestInstance {
    pub(super) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
        prepare::prepare(&*store).unwrap();
        let (actions, follower) = over(&store, &clock);
        let owner = FirstOwner {
            name: None,
            email: "ada@example.com".to_owned(),
            password: Secret::new("correct horse battery".to_owned()),
        };
        let (owner, _) = actions.found(&owner, None, None).unwrap();
        Self { store, clock, actions, owner, follower: Some(follower) }
    }

    /// Stops the instance, which writes the waiting uses, and starts another instance on the same
    /// store.
    pub(super) fn restart(&mut self) {
        self.write_uses();
        self.crash();
    }

    pub(super) fn write_uses(&self) {
        let index = Arc::clone(self.actions.index());
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        last_use::start(index, store, clock).unwrap().stop();
    }

    /// Starts another instance on the same store. Unwritten data is lost.
    pub(super) fn crash(&mut self) {
        self.follower.take().into_iter().for_each(Worker::stop);
        let (actions, follower) = over(&self.store, &self.clock);
        (self.actions, self.follower) = (actions, Some(follower));
    }

    pub(super) fn clock_now(&self) -> Now {
        self.clock.now()
    }

    pub(super) fn owner(&self) -> Actor {
        let index = self.actions.index();
        Actor::user(index, index.user(self.owner).unwrap(), None).unwrap()
    }

    pub(super) fn local(&self) -> Actor {
        Actor::local(self.actions.index().first_organization().unwrap())
    }

    pub(super) fn made_key(&self) -> KeyRecord {
        self.actions.create_key(&self.owner(), KeyDraft::default()).unwrap().0
    }

    /// Calls a key `times` times, each with the outcome `code`.
    pub(super) fn call(&self, key: &KeyRecord, code: Code, times: usize) {
        let (index, now) = (self.actions.index(), self.clock.now().wall);
        let grant = index.grant(&key.secrets[0].digest).unwrap();
        let ip = Some([192, 0, 2, 7].into());
        for _ in 0..times {
            index.note_call(&grant, code, now, CallOrigin { ip, user_agent: None });
        }
    }

    /// Writes a record and waits until the index has it.
    pub(super) fn put<T: Record>(&self, place: &StoreKey, record: &T) {
        let batch = keyhouse_storage::Batch::new();
        let batch = batch.put(place.to_bytes(), encode(place, record).unwrap());
        self.actions.commit_upkeep(batch).unwrap().unwrap();
    }

    /// Number of rows below a prefix.
    pub(super) fn count(&self, prefix: &[u8]) -> usize {
        let range = Range { limit: 10_000, ..Range::prefix(prefix) };
        self.store.scan(&range, keyhouse_storage::At::Latest).unwrap().rows.len()
    }

    pub(super) fn events(&self, action: &str) -> Vec<EventRecord> {
        let range = Range { limit: 10_000, ..Range::prefix(StoreKey::EVENTS) };
        let page = self.store.scan(&range, keyhouse_storage::At::Latest).unwrap();
        let events = page.rows.iter().map(|row| read_row::<EventRecord>(row).unwrap().record);
        events.filter(|event| &*event.action == action).collect()
    }
}

fn over(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>) -> (Actions, Worker) {
    let index = Arc::new(Index::new());
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let follower = follow::start(Arc::clone(&index), Arc::clone(&store)).unwrap();
    let random = StdRng::seed_from_u64(7);
    (Actions::new(store, index, clock, random, Prefix::default()), follower)
}
