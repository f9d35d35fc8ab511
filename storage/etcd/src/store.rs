//! The store: an [`EtcdStore`] and its calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use keyhouse_storage::{
    At, Batch, Cause, Feed, OpenError, Page, Pending, Range, ReadError, Revision, Row, Store,
};

use crate::background::ClientRuntime;
use crate::feed::{ended, follow};
use crate::health;
use crate::lane::Lane;
use crate::layout::Layout;
use crate::members::Members;
use crate::opening::{exists, keep, open, revoke};
use crate::queue::QueuedBatch;
use crate::read::{self, RangeScan};
use crate::settings::EtcdSettings;
use crate::state::StoreState;

/// A store below one prefix of an etcd cluster.
#[derive(Debug)]
pub struct EtcdStore {
    shared: Arc<StoreState>,
    lane: Mutex<Option<JoinHandle<()>>>,
}

impl EtcdStore {
    /// Opens a store, or creates it. Waits up to 9 s for the lease of another node that has ended without
    /// closing. A node that renews its lease meanwhile is alive.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another node has the store open. [`OpenError::Newer`] and
    /// [`OpenError::Damaged`] if the prefix has something else. [`OpenError::Unavailable`] if no member
    /// answers, or rejects the credentials.
    pub fn open(settings: &EtcdSettings) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| OpenError::Unavailable(Cause::of(&error));
        let background = ClientRuntime::start().map_err(io)?;
        let layout = Layout::new(&settings.prefix);
        let shared = Arc::new(StoreState::new(layout, Members::new(settings.clone()), background));
        let named = |error: OpenError| name(error, settings);
        let opening = open(Arc::clone(&shared));
        let opened = shared.background.run(opening).ok_or_else(stopped)?.map_err(named)?;
        shared.set_base(opened.base);
        shared.set_lease(opened.lease);
        let lane = Lane {
            shared: Arc::clone(&shared),
            known: opened.known,
            node: opened.lease,
            number: 0,
        };
        let lane = thread::Builder::new().name("etcd-lane".to_owned()).spawn(|| lane.run());
        let lane = Mutex::new(Some(lane.map_err(io)?));
        shared.background.spawn(keep(Arc::clone(&shared)));
        Ok(Self { shared, lane })
    }

    /// Whether a store is there. Nothing is created.
    ///
    /// # Errors
    /// [`OpenError::Unavailable`] if no member answers, or rejects the credentials.
    pub fn exists(settings: &EtcdSettings) -> Result<bool, OpenError> {
        let io = |error: std::io::Error| OpenError::Unavailable(Cause::of(&error));
        let background = ClientRuntime::start().map_err(io)?;
        let layout = Layout::new(&settings.prefix);
        let shared = Arc::new(StoreState::new(layout, Members::new(settings.clone()), background));
        let asked = Arc::clone(&shared);
        let exists = shared.background.run(async move { exists(&asked).await });
        exists.ok_or_else(stopped)?.map_err(|error| name(error, settings))
    }

    /// Members that do not answer, or whose version has known faults.
    pub fn remarks(&self) -> Vec<String> {
        let shared = Arc::clone(&self.shared);
        let remarks = async move { health::remarks(&shared).await };
        self.shared.background.run(remarks).unwrap_or_default()
    }

    fn end(&self) {
        self.shared.queue.close();
        let lane = self.lane.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread has no result, and its panic has been reported.
        drop(lane.map(JoinHandle::join));
        if !self.shared.close() {
            return;
        }
        let (shared, lease) = (Arc::clone(&self.shared), self.shared.lease());
        self.shared.background.run(async move { revoke(&shared, lease).await });
        self.shared.background.stop();
    }
}

fn stopped() -> OpenError {
    OpenError::Unavailable(Cause::new("the client of etcd ended"))
}

/// Adds the URL to an error. It contains no secret.
fn name(error: OpenError, settings: &EtcdSettings) -> OpenError {
    let with = |cause: Cause| Cause::new(format!("{settings}: {cause}"));
    match error {
        OpenError::InUse(cause) => OpenError::InUse(with(cause)),
        OpenError::Damaged(cause) => OpenError::Damaged(with(cause)),
        OpenError::Newer(cause) => OpenError::Newer(with(cause)),
        OpenError::Unavailable(cause) => OpenError::Unavailable(with(cause)),
    }
}

impl Store for EtcdStore {
    fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
        let get = read::get(Arc::clone(&self.shared), key.to_vec(), at);
        self.shared.background.run(get).ok_or_else(ended)?
    }

    fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
        let bounds = self.shared.layout.rows(range);
        let scan = RangeScan { bounds, limit: range.limit, order: range.order };
        let scan = read::scan(Arc::clone(&self.shared), scan, at);
        self.shared.background.run(scan).ok_or_else(ended)?
    }

    fn submit(&self, batch: Batch) -> Pending {
        if let Err(error) = batch.validate() {
            return Pending::ready(Err(error.into()));
        }
        let (submission, pending) = QueuedBatch::new(batch);
        self.shared.queue.push(submission);
        pending
    }

    fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
        follow(&self.shared, from)
    }

    fn check(&self) -> Result<(), ReadError> {
        self.shared.readable()?;
        let shared = Arc::clone(&self.shared);
        let check = async move { health::check(&shared).await };
        self.shared.background.run(check).ok_or_else(ended)?
    }

    fn close(&self) -> Result<(), ReadError> {
        self.end();
        Ok(())
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.end();
    }
}
