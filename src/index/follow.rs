//! The index's only writer: builds it from a scan, then follows the store's feed.
//!
//! When the feed has missed commits, the index is built anew in place: what the store has is put
//! in, and what it no longer has is taken out. Checks go on meanwhile.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use keyhouse_storage::{At, Feed, FeedError, Range, ReadError, Revision, Step, Store, Write};

use crate::index::facts::{OrganizationFacts, Shared, SharedUser, UserFacts};
use crate::index::grant::Grant;
use crate::index::halt::Halt;
use crate::index::live::{LastUse, Live};
use crate::index::{AGENT_NONE, DigestKey, Index, State};
use crate::model::id::{KeyId, OrganizationId, UserId};
use crate::records::access::{OrganizationRecord, PlanRecord, UserRecord};
use crate::records::key::{KeyRecord, UseRecord};
use crate::records::place::{INDEXED, Place};
use crate::records::{RecordError, Stored, read};

/// How long one wait for the feed lasts.
const FEED_WAIT: Duration = Duration::from_secs(5);
/// How long to leave an unreachable store alone.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// Why the index could not be built.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The store did not answer.
    #[error("could not read the store")]
    Read(#[from] ReadError),
    /// A row is not what it should be. The index takes no part of a store it does not understand.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// No thread was to be had.
    #[error("could not start the thread that follows the store")]
    Thread(#[from] io::Error),
}

/// The thread that keeps the index. Dropping it leaves the thread running.
#[derive(Debug)]
pub struct Follower {
    halt: Arc<Halt>,
    thread: JoinHandle<()>,
}

impl Follower {
    /// Stops following and waits for the thread to end.
    pub fn stop(self) {
        self.halt.halt();
        if self.thread.join().is_err() {
            tracing::error!("the thread that followed the store had panicked");
        }
    }
}

/// Builds the index from the store, then keeps it in a thread of its own. Returns once the index
/// has everything that was committed before the call.
///
/// # Errors
/// [`FollowError`].
pub fn start(index: Arc<Index>, store: Arc<dyn Store>) -> Result<Follower, FollowError> {
    let mut writer = Writer::new(index);
    let feed = first_build(&mut writer, &*store)?;
    let halt = Arc::new(Halt::default());
    halt.watch(feed.stopper());
    let following = Following { feed, writer, store, halt: Arc::clone(&halt), missed: false };
    let thread = Builder::new().name("index-follow".to_owned()).spawn(|| following.run())?;
    Ok(Follower { halt, thread })
}

/// Builds the index for the first time; a feed that is missed meanwhile is begun anew.
fn first_build(writer: &mut Writer, store: &dyn Store) -> Result<Box<dyn Feed>, FollowError> {
    loop {
        match writer.rebuild(store) {
            Ok(feed) => return Ok(feed),
            Err(Stopped::Missed) => {},
            Err(Stopped::Store(error)) => return Err(error),
            Err(Stopped::Closed) => {
                let cause = keyhouse_storage::Cause::new("the store was closed");
                return Err(ReadError::Unavailable(cause).into());
            },
        }
    }
}

struct Following {
    feed: Box<dyn Feed>,
    writer: Writer,
    store: Arc<dyn Store>,
    halt: Arc<Halt>,
    /// Whether the index must be built anew before the feed goes on.
    missed: bool,
}

impl Following {
    fn run(mut self) {
        let ended = self.follow_until_it_ends();
        // Asked to, it ends quietly. Else changes would go on that the index never sees.
        if !self.halt.pause(Duration::ZERO) {
            tracing::error!(cause = %ended, "index: no longer follows the store");
            self.writer.set_state(State::Ended(ended));
        }
    }

    fn follow_until_it_ends(&mut self) -> String {
        loop {
            let Err(stopped) = self.step() else { continue };
            match stopped {
                // The store comes and goes; only what won't mend by itself is the end.
                Stopped::Store(FollowError::Read(error)) => {
                    self.writer.set_state(State::Unavailable(error.to_string()));
                    if self.halt.pause(RETRY_WAIT) {
                        return "asked to".to_owned();
                    }
                },
                Stopped::Store(error @ (FollowError::Record(_) | FollowError::Thread(_))) => {
                    return error.to_string();
                },
                Stopped::Missed => self.missed = true,
                Stopped::Closed => return "the store was closed".to_owned(),
            }
        }
    }

    /// Takes one step of the feed, or builds the index anew where commits were missed.
    fn step(&mut self) -> Result<(), Stopped> {
        if self.missed {
            self.feed = self.writer.rebuild(&*self.store)?;
            self.halt.watch(self.feed.stopper());
            self.missed = false;
        }
        match self.feed.next(FEED_WAIT)? {
            Step::Commit(commit) => {
                self.writer.apply(&commit.writes)?;
                self.writer.reach(commit.revision);
            },
            Step::Progress(revision) => self.writer.reach(revision),
        }
        Ok(())
    }
}

/// Says so when the thread ends in a way that nobody planned.
impl Drop for Following {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.writer.set_state(State::Ended("its thread panicked".to_owned()));
        }
    }
}

/// Why a step was not taken.
enum Stopped {
    /// The store did not answer, or not as it should.
    Store(FollowError),
    /// Commits were missed.
    Missed,
    /// The feed was stopped, by us or by the store.
    Closed,
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Compacted => Self::Missed,
            ReadError::Unavailable(_) => Self::Store(error.into()),
        }
    }
}

impl From<RecordError> for Stopped {
    fn from(error: RecordError) -> Self {
        Self::Store(error.into())
    }
}

impl From<FeedError> for Stopped {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Compacted => Self::Missed,
            FeedError::Stopped => Self::Closed,
            FeedError::Unavailable(cause) => ReadError::Unavailable(cause).into(),
        }
    }
}

/// What the writer alone knows, beside the index itself.
struct Writer {
    index: Arc<Index>,
    lives: HashMap<KeyId, Arc<Live>>,
    plans: HashMap<Box<str>, PlanRecord>,
    organizations: HashMap<OrganizationId, OrganizationRecord>,
}

impl Writer {
    fn new(index: Arc<Index>) -> Self {
        let (lives, plans, organizations) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { index, lives, plans, organizations }
    }

    fn reach(&self, revision: Revision) {
        self.set_state(State::Following);
        self.index.progress.reach(revision);
    }

    fn set_state(&self, state: State) {
        self.index.progress.set_state(state);
    }

    /// Puts in what the store has, takes out what it has not, and returns the feed of what comes
    /// after.
    ///
    /// The pages are each of their own moment, so that no revision need be held while others write.
    /// What was committed during the scan is caught up with by reading each key that changed once
    /// more: no key ever goes back to an older state, and the index says that it has a revision
    /// only when all of it does.
    fn rebuild(&mut self, store: &dyn Store) -> Result<Box<dyn Feed>, Stopped> {
        self.set_state(State::Loading);
        let nothing = Range { limit: 0, ..Range::prefix(Place::EVENTS) };
        let begun = store.scan(&nothing, At::Latest)?.revision;
        let mut feed = store.follow(begun)?;
        let mut gone = Gone::all_of(self);
        let mut scanned = begun;
        for prefix in INDEXED {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let range = Range { after: after.as_deref(), ..Range::prefix(prefix) };
                let page = store.scan(&range, At::Latest)?;
                scanned = scanned.max(page.revision);
                for row in &page.rows {
                    let stored = read(&row.key, &row.value)?;
                    gone.keep(&stored);
                    self.put(stored);
                }
                after = page.rows.last().map(|row| row.key.clone());
                if !page.more {
                    break;
                }
            }
        }
        gone.remove_from(self);
        self.catch_up(store, &mut *feed, scanned)?;
        tracing::info!(keys = self.lives.len(), revision = %scanned, "index: built");
        Ok(feed)
    }

    /// Reads again what changed up to a revision, as the feed names it.
    fn catch_up(
        &mut self,
        store: &dyn Store,
        feed: &mut dyn Feed,
        until: Revision,
    ) -> Result<(), Stopped> {
        let mut reached = self.index.progress.revision();
        while reached < until {
            match feed.next(FEED_WAIT)? {
                Step::Progress(revision) => reached = revision,
                Step::Commit(commit) => {
                    for write in &commit.writes {
                        match store.get(write.key(), At::Latest)? {
                            Some(row) => self.put(read(&row.key, &row.value)?),
                            None => self.delete(&Place::parse(write.key())?),
                        }
                    }
                    reached = commit.revision;
                },
            }
        }
        self.reach(until.max(reached));
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), RecordError> {
        for write in writes {
            match write {
                Write::Put { key, value } => self.put(read(key, value)?),
                Write::Delete { key } => self.delete(&Place::parse(key)?),
            }
        }
        Ok(())
    }

    fn put(&mut self, stored: Stored) {
        match stored {
            Stored::Plan(plan) => self.put_plan(plan),
            Stored::Organization(record) => {
                self.share_organization(&record);
                self.organizations.insert(record.id, record);
            },
            Stored::User(record) => self.put_user(&record),
            Stored::Key(record) => self.put_key(&record),
            Stored::Use(key, record) => self.put_use(key, &record),
            Stored::Aside => {},
        }
    }

    fn delete(&mut self, place: &Place) {
        match place {
            Place::Plan(name) => {
                self.plans.remove(name);
                self.share_organizations_on(name);
            },
            Place::Organization(id) => {
                self.organizations.remove(id);
                self.organization(*id).store(Arc::new(OrganizationFacts::unknown(*id)));
                self.index.organizations.pin().remove(id);
            },
            Place::User(id) => {
                self.user(*id).store(UserFacts::unknown(*id));
                self.index.users.pin().remove(id);
            },
            Place::Key(_, id) => self.delete_key(*id),
            Place::Use(_)
            | Place::Format
            | Place::Email(_)
            | Place::Session(_)
            | Place::Sessions(_)
            | Place::Founded
            | Place::Setup
            | Place::Event(_) => {},
        }
    }

    fn put_plan(&mut self, plan: PlanRecord) {
        let name = plan.name.clone();
        self.plans.insert(name.clone(), plan);
        self.share_organizations_on(&name);
    }

    fn share_organizations_on(&self, plan: &str) {
        for record in self.organizations.values().filter(|record| &*record.plan == plan) {
            self.share_organization(record);
        }
    }

    fn share_organization(&self, record: &OrganizationRecord) {
        let facts = OrganizationFacts::new(record, self.plans.get(&record.plan));
        self.organization(record.id).store(Arc::new(facts));
    }

    fn put_user(&self, record: &UserRecord) {
        self.user(record.id).store(record.into());
    }

    fn put_key(&mut self, record: &KeyRecord) {
        let live = self.lives.entry(record.id).or_insert_with(|| Arc::new(Live::new(record.id)));
        let live = Arc::clone(live);
        let owner = record.owner.map(|id| self.user(id));
        let organization = self.organization(record.organization);
        let grants = self.index.grants.pin();
        for secret in &record.secrets {
            let grant = Grant::new(
                record,
                secret,
                owner.clone(),
                Arc::clone(&organization),
                Arc::clone(&live),
            );
            grants.insert(DigestKey(secret.digest), grant);
        }
        let mut ledger = live.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in ledger.digests.as_slice() {
            if !record.secrets.iter().any(|secret| secret.digest == *digest) {
                grants.remove(&DigestKey(*digest));
            }
        }
        ledger.digests = record.secrets.iter().map(|secret| secret.digest).collect();
    }

    fn delete_key(&mut self, id: KeyId) {
        let Some(live) = self.lives.remove(&id) else { return };
        let ledger = live.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let grants = self.index.grants.pin();
        for digest in ledger.digests.as_slice() {
            grants.remove(&DigestKey(*digest));
        }
    }

    /// Takes a stored use over where nothing newer was noted in this process.
    fn put_use(&self, key: KeyId, record: &UseRecord) {
        let Some(live) = self.lives.get(&key) else { return };
        if live.last_use().is_some_and(|known| known.at >= record.at) {
            return;
        }
        let name = record.user_agent.as_deref();
        let agent = name.map_or(AGENT_NONE, |name| self.index.agent_number(name));
        live.note(LastUse { at: record.at, ip: record.ip, agent });
    }

    /// The handle to a user's facts: made before its record comes, if a key comes first.
    fn user(&self, id: UserId) -> Arc<SharedUser> {
        let unknown = || Arc::new(SharedUser::new(UserFacts::unknown(id)));
        Arc::clone(self.index.users.pin().get_or_insert_with(id, unknown))
    }

    fn organization(&self, id: OrganizationId) -> Shared<OrganizationFacts> {
        let unknown = || Arc::new(ArcSwap::from_pointee(OrganizationFacts::unknown(id)));
        Arc::clone(self.index.organizations.pin().get_or_insert_with(id, unknown))
    }
}

/// What the index has and a scan has not shown yet.
struct Gone {
    keys: HashSet<KeyId>,
    users: HashSet<UserId>,
    organizations: HashSet<OrganizationId>,
    plans: HashSet<Box<str>>,
}

impl Gone {
    fn all_of(writer: &Writer) -> Self {
        Self {
            keys: writer.lives.keys().copied().collect(),
            users: writer.index.users.pin().keys().copied().collect(),
            organizations: writer.organizations.keys().copied().collect(),
            plans: writer.plans.keys().cloned().collect(),
        }
    }

    fn keep(&mut self, stored: &Stored) {
        match stored {
            Stored::Key(record) => drop(self.keys.remove(&record.id)),
            Stored::User(record) => drop(self.users.remove(&record.id)),
            Stored::Organization(record) => drop(self.organizations.remove(&record.id)),
            Stored::Plan(record) => drop(self.plans.remove(&record.name)),
            Stored::Use(..) | Stored::Aside => {},
        }
    }

    fn remove_from(self, writer: &mut Writer) {
        for id in self.keys {
            writer.delete_key(id);
        }
        for id in self.users {
            writer.delete(&Place::User(id));
        }
        for id in self.organizations {
            writer.delete(&Place::Organization(id));
        }
        for name in self.plans {
            writer.delete(&Place::Plan(name));
        }
    }
}
