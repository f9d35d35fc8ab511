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
use crate::index::CallOrigin;
use crate::instance::{Instance, InstanceParameters};
use crate::model::code::Code;
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::secret::Secret;
use crate::records::event::EventRecord;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::{Record, encode, read_row};
use crate::upkeep::last_use;

pub(super) struct TestInstance {
    pub(super) store: Arc<MemoryStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) actions: Arc<Actions>,
    pub(super) owner: UserId,
    instance: Option<Instance>,
}

impl Drop for TestInstance {
    fn drop(&mut self) {
        self.instance.take().into_iter().for_each(Instance::stop);
    }
}

impl TestInstance {
    pub(super) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at(Moment::from_milliseconds(1_800_000_000_000)));
        let instance = over(&store, &clock);
        let actions = Arc::clone(instance.actions());
        let owner = FirstOwner {
            name: None,
            email: "ada@example.com".to_owned(),
            password: Secret::new("correct horse battery".to_owned()),
        };
        let (owner, _) = actions.found(&owner, None, None).unwrap();
        Self { store, clock, actions, owner, instance: Some(instance) }
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
        self.instance.take().into_iter().for_each(Instance::stop);
        let instance = over(&self.store, &self.clock);
        (self.actions, self.instance) = (Arc::clone(instance.actions()), Some(instance));
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
            index.note_call(
                &grant,
                code,
                now,
                CallOrigin { ip, user_agent: None, ..CallOrigin::default() },
            );
        }
    }

    /// Writes a record and waits until the index has it.
    pub(super) fn put<T: Record>(&self, place: &StoreKey, record: &T) {
        let value = encode(place, record).unwrap();
        self.commit(keyhouse_storage::Batch::new().put(place.to_bytes(), value));
    }

    /// Commits a batch and waits until the index has it.
    pub(super) fn commit(&self, batch: keyhouse_storage::Batch) {
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

fn over(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>) -> Instance {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let parameters = InstanceParameters { interval_writes: false, ..InstanceParameters::default() };
    Instance::assemble(store, clock, StdRng::seed_from_u64(7), parameters).unwrap()
}
