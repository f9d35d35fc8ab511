//! A feed: one watch of etcd in a task, opened again after every failure.
//!
//! While no commit comes, the feed looks at the head with a linearizable read. Only this look proves
//! progress: a watch that hangs, a member without a leader or a progress message of etcd do not.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Event, WatchOptions, WatchStream};
use keyhouse_storage::{Cause, Feed, FeedError, ReadError, Revision, Step, Stop};
use tokio::time::timeout;

use crate::assembly::{Assembly, Gap};
use crate::fault::EtcdFault;
use crate::inbox::{Inbox, Item, Until};
use crate::members::{CALL_TIME, Purpose};
use crate::read::{head, head_version_at};
use crate::state::StoreState;

/// The longest wait for events that a look at the head has shown.
const STUCK_TIME: Duration = Duration::from_secs(2);
/// The longest wait for a look at the head. Reads end earlier.
const LOOK_TIME: Duration = Duration::from_secs(30);
/// The pause before a watch is opened again.
const REOPEN_WAIT: Duration = Duration::from_millis(200);
/// Maximum size of a message of a watch in bytes. etcd splits messages near 2 MiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(crate) struct EtcdFeed {
    shared: Arc<StoreState>,
    inbox: Arc<Inbox>,
    position: Revision,
    /// Whether the last step was [`FeedError::Unavailable`].
    reported: bool,
}

/// Starts a feed of every commit after a revision.
pub(crate) fn follow(shared: &Arc<StoreState>, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
    let (epoch, base) = (shared.epoch(), shared.readable()?);
    let etcd = base.etcd(from).ok_or(ReadError::Compacted)?;
    let asked = Arc::clone(shared);
    // A watch may start at a future revision and is then silent, so the head decides.
    let start = shared.background.run(async move {
        let latest = head(&asked).await?;
        if etcd > latest.etcd {
            return Err(EtcdFault::Compacted);
        }
        if etcd == latest.etcd {
            return Ok((latest.at.saturating_add(1), latest.version));
        }
        Ok((etcd.saturating_add(1), head_version_at(&asked, etcd).await?))
    });
    let (next, version) = start.ok_or_else(ended)??;
    let inbox = Arc::new(Inbox::default());
    shared.register(&inbox, from, epoch)?;
    let watch = Watching {
        assembly: Assembly::new(shared.layout.clone(), base, next, version),
        shared: Arc::clone(shared),
        inbox: Arc::clone(&inbox),
        member: shared.members.current(),
    };
    shared.background.spawn(watch.run());
    let shared = Arc::clone(shared);
    Ok(Box::new(EtcdFeed { shared, inbox, position: from, reported: false }))
}

pub(crate) fn ended() -> ReadError {
    ReadError::Unavailable(Cause::new("store closed"))
}

impl EtcdFeed {
    fn step(&mut self, timeout: Duration) -> Result<Step, FeedError> {
        let until = if self.reported { Until::Commit } else { Until::Interruption };
        match self.inbox.wait(timeout, until) {
            Item::Nothing | Item::Looked(_) => {},
            item @ (Item::Commit(_) | Item::End(_) | Item::Interrupted(_)) => {
                return self.ready(item);
            },
        }
        let number = self.inbox.begin_look();
        let (shared, inbox) = (Arc::clone(&self.shared), Arc::clone(&self.inbox));
        self.shared.background.spawn(async move {
            let base = shared.base();
            let outcome = head(&shared).await.map(|seen| base.revision(seen.etcd));
            inbox.finish_look(number, outcome.map_err(EtcdFault::cause));
        });
        match self.inbox.wait(LOOK_TIME, Until::Look(number)) {
            Item::Looked(Ok(head)) if head <= self.position => {
                return Ok(Step::Progress(self.position));
            },
            Item::Looked(Ok(_)) => {},
            Item::Looked(Err(cause)) => return Err(FeedError::Unavailable(cause)),
            item @ (Item::Commit(_) | Item::End(_) | Item::Interrupted(_) | Item::Nothing) => {
                return self.ready(item);
            },
        }
        match self.inbox.wait(STUCK_TIME, Until::Commit) {
            Item::Nothing | Item::Looked(_) => {
                self.inbox.reopen();
                Err(FeedError::Unavailable(Cause::new("the watch shows no event of a commit")))
            },
            item @ (Item::Commit(_) | Item::End(_) | Item::Interrupted(_)) => self.ready(item),
        }
    }

    fn ready(&mut self, item: Item) -> Result<Step, FeedError> {
        match item {
            Item::Commit(commit) => {
                self.position = commit.revision;
                Ok(Step::Commit(commit))
            },
            Item::End(error) => Err(error),
            Item::Interrupted(cause) => Err(FeedError::Unavailable(cause)),
            Item::Looked(_) | Item::Nothing => {
                Err(FeedError::Unavailable(Cause::new("no answer of etcd")))
            },
        }
    }
}

impl Feed for EtcdFeed {
    fn next(&mut self, timeout: Duration) -> Result<Step, FeedError> {
        let step = self.step(timeout);
        self.reported = matches!(step, Err(FeedError::Unavailable(_)));
        step
    }

    fn stopper(&self) -> Box<dyn Stop> {
        Box::new(EtcdStop(Arc::clone(&self.inbox)))
    }
}

impl Drop for EtcdFeed {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

#[derive(Debug)]
struct EtcdStop(Arc<Inbox>);

impl Stop for EtcdStop {
    fn stop(&self) {
        self.0.stop();
    }
}

/// The task of one feed.
struct Watching {
    shared: Arc<StoreState>,
    inbox: Arc<Inbox>,
    assembly: Assembly,
    member: usize,
}

/// Why a watch ended.
enum WatchEnd {
    /// The feed can't show every commit.
    Missed,
    Failed(Cause),
    /// The feed ended or requested another member.
    Requested,
}

impl From<Gap> for WatchEnd {
    fn from(_: Gap) -> Self {
        Self::Missed
    }
}

impl Watching {
    async fn run(mut self) {
        while !self.inbox.has_ended() {
            self.assembly.restart();
            match self.watch().await {
                WatchEnd::Missed => self.inbox.end(FeedError::Compacted),
                WatchEnd::Failed(cause) => self.inbox.interrupt(&cause),
                WatchEnd::Requested => {},
            }
            self.member = (self.member + 1) % self.shared.members.count().max(1);
            if !self.inbox.has_ended() {
                tokio::time::sleep(REOPEN_WAIT).await;
            }
        }
    }

    /// Opens the watch and delivers its commits until it ends.
    async fn watch(&mut self) -> WatchEnd {
        let mut stream = match self.open().await {
            Ok(stream) => stream,
            Err(left) => return left,
        };
        self.inbox.resume();
        loop {
            if !self.inbox.has_space().await {
                return WatchEnd::Requested;
            }
            let message = tokio::select! {
                () = self.inbox.left() => return WatchEnd::Requested,
                message = stream.message() => message,
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return WatchEnd::Failed(Cause::new("etcd ended the watch")),
                Err(error) => return self.failed(EtcdFault::of(&error)).await,
            };
            // The stream of a cancelled watch stays open.
            if message.canceled() {
                return self.cancelled(message.compact_revision(), message.cancel_reason()).await;
            }
            for event in message.events() {
                if let Err(left) = self.deliver(event).await {
                    return left;
                }
            }
        }
    }

    async fn deliver(&mut self, event: &Event) -> Result<(), WatchEnd> {
        let Some(commit) = self.assembly.take(event)? else { return Ok(()) };
        if !self.inbox.has_space().await {
            return Err(WatchEnd::Requested);
        }
        self.inbox.push(commit);
        Ok(())
    }

    async fn open(&self) -> Result<WatchStream, WatchEnd> {
        let (start, end) = self.shared.layout.watched();
        let options = WatchOptions::new()
            .with_range(end)
            .with_start_revision(self.assembly.next())
            .with_fragment();
        let members = &self.shared.members;
        let opened = members.ask(self.member, Purpose::Watch, |client| async move {
            let watches = client.watch_client();
            watches.max_decoding_message_size(MESSAGE_BYTES_MAX).watch(start, Some(options)).await
        });
        let mut stream = match opened.await {
            Ok(stream) => stream,
            Err(fault) => return Err(self.failed(fault).await),
        };
        let first = match timeout(CALL_TIME, stream.message()).await {
            Ok(Ok(Some(first))) => first,
            Ok(Ok(None)) => return Err(WatchEnd::Failed(Cause::new("etcd ended the watch"))),
            Ok(Err(error)) => return Err(self.failed(EtcdFault::of(&error)).await),
            Err(_) => return Err(WatchEnd::Failed(Cause::new("etcd did not open the watch"))),
        };
        // A watch that etcd refuses is created and cancelled in one message.
        if first.canceled() {
            return Err(self.cancelled(first.compact_revision(), first.cancel_reason()).await);
        }
        if first.created() {
            return Ok(stream);
        }
        Err(WatchEnd::Failed(Cause::new("etcd did not create the watch")))
    }

    async fn failed(&self, fault: EtcdFault) -> WatchEnd {
        if fault == EtcdFault::Compacted {
            return WatchEnd::Missed;
        }
        // A new connection signs in again, and does not depend on one that hangs.
        self.shared.members.forget(self.member, Purpose::Watch).await;
        WatchEnd::Failed(fault.cause())
    }

    async fn cancelled(&self, compact_revision: i64, reason: &str) -> WatchEnd {
        if compact_revision > 0 {
            return WatchEnd::Missed;
        }
        self.shared.members.forget(self.member, Purpose::Watch).await;
        WatchEnd::Failed(Cause::new(format!("etcd cancelled the watch: {reason}")))
    }
}
