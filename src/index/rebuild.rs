//! Rebuilds the index from a scan of the store. Entries that the scan has not found are removed when
//! the scan ends.

use std::collections::HashSet;

use keyhouse_storage::{At, Feed, Progress, Range, Revision, Step, Store};

use crate::index::IndexState;
use crate::index::digest_key::DigestKey;
use crate::index::scan::{self, DecodedPage};
use crate::index::stopped::{FEED_WAIT, Stopped};
use crate::index::writer::Writer;
use crate::model::id::{KeyId, OrganizationId, RoleId, TeamId, UserId};
use crate::records::place::StoreKey;
use crate::records::{RecordError, Stored};

impl Writer {
    /// Adds the rows of the store, removes entries that the store does not have, and returns the
    /// feed of later commits.
    ///
    /// Each page is read at the latest revision, so that the store need not keep an old one. Rows
    /// that change during the scan are read again after it. No key ever returns to an older state,
    /// and the index reports a revision only when it contains all of that revision.
    pub(super) fn rebuild(
        &mut self,
        store: &dyn Store,
        progress: &Progress,
    ) -> Result<Box<dyn Feed>, Stopped> {
        self.set_state(IndexState::Loading);
        let nothing = Range { limit: 0, ..Range::prefix(StoreKey::EVENTS) };
        let begun = store.scan(&nothing, At::Latest)?.revision;
        let mut feed = store.follow(begun)?;
        // A list that is opened later misses no change: it is read from the store at `begun` or later, and
        // the feed has every commit after that.
        self.index.key_lists.close_all();
        let mut stale = Stale::all_of(self);
        let mut scanned = begun;
        std::thread::scope(|scope| {
            for page in scan::begin(scope, store, progress)? {
                let page = page?;
                scanned = scanned.max(page.revision);
                self.put_page(page, &mut stale)?;
            }
            Ok::<(), Stopped>(())
        })?;
        stale.remove_from(self);
        self.catch_up(store, &mut *feed, begun..scanned)?;
        tracing::info!(keys = self.lives.len(), revision = %scanned, "index: built");
        Ok(feed)
    }

    fn put_page(&mut self, page: DecodedPage, stale: &mut Stale) -> Result<(), RecordError> {
        for (key, stored) in page.rows {
            stale.keep(&stored);
            self.timed(&key, |writer| {
                writer.put(stored);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Reads all rows again that changed `during` these revisions, according to the feed.
    fn catch_up(
        &mut self,
        store: &dyn Store,
        feed: &mut dyn Feed,
        during: std::ops::Range<Revision>,
    ) -> Result<(), Stopped> {
        let mut reached = during.start;
        while reached < during.end {
            match feed.next(FEED_WAIT)? {
                Step::Progress(revision) => reached = revision,
                Step::Commit(commit) => {
                    for write in &commit.writes {
                        match store.get(write.key(), At::Latest)? {
                            Some(row) => self.put_row(&row.key, &row.value)?,
                            None => self.delete_row(write.key())?,
                        }
                    }
                    reached = commit.revision;
                },
            }
        }
        self.reach(reached);
        Ok(())
    }
}

/// Entries of the index that a scan has not found yet.
struct Stale {
    keys: HashSet<KeyId>,
    users: HashSet<UserId>,
    organizations: HashSet<OrganizationId>,
    roles: HashSet<RoleId>,
    teams: HashSet<TeamId>,
    plans: HashSet<Box<str>>,
    gates: HashSet<Box<str>>,
    sessions: HashSet<DigestKey>,
}

impl Stale {
    fn all_of(writer: &Writer) -> Self {
        Self {
            keys: writer.lives.ids().collect(),
            users: writer.index.users.pin().keys().copied().collect(),
            organizations: writer.index.organizations.pin().keys().copied().collect(),
            roles: writer.index.roles.pin().keys().copied().collect(),
            teams: writer.index.teams.pin().keys().copied().collect(),
            plans: writer.plans.keys().cloned().collect(),
            gates: writer.index.gates.pin().keys().cloned().collect(),
            sessions: writer.index.sessions.all(),
        }
    }

    fn keep(&mut self, stored: &Stored) {
        match stored {
            Stored::Key(record) => drop(self.keys.remove(&record.id)),
            Stored::User(record) => drop(self.users.remove(&record.id)),
            Stored::Organization(record) => drop(self.organizations.remove(&record.id)),
            Stored::Plan(record) => drop(self.plans.remove(&record.name)),
            Stored::Gate(record) => drop(self.gates.remove(&record.name)),
            Stored::Role(record) => drop(self.roles.remove(&record.id)),
            Stored::Team(record) => drop(self.teams.remove(&record.id)),
            Stored::Session(digest, _) => drop(self.sessions.remove(&(*digest).into())),
            Stored::Founded(_)
            | Stored::Use(..)
            | Stored::Quota(..)
            | Stored::PlanQuota(..)
            | Stored::Taken(..)
            | Stored::NotIndexed => {},
        }
    }

    fn remove_from(self, writer: &mut Writer) {
        for id in self.keys {
            writer.delete_key(id);
        }
        for id in self.users {
            writer.delete(&StoreKey::User(id));
        }
        for id in self.organizations {
            writer.delete(&StoreKey::Organization(id));
        }
        for id in self.roles {
            writer.delete(&StoreKey::Role(OrganizationId::default(), id));
        }
        for id in self.teams {
            writer.delete(&StoreKey::Team(OrganizationId::default(), id));
        }
        for name in self.plans {
            writer.delete(&StoreKey::Plan(name));
        }
        for name in self.gates {
            writer.delete(&StoreKey::Gate(name));
        }
        writer.index.sessions.forget(self.sessions);
    }
}
