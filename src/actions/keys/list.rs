//! Lists the keys that the actor may see, the newest first.

use crate::actions::actor::Actor;
use crate::actions::keys::standing::require_window;
use crate::actions::keys::{KeyKind, is_listed_by_default};
use crate::actions::rows::{newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions};
use crate::model::id::{KeyId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::role::{INSTANCE_IMPORT, KEYS_READ};
use crate::model::text::search_form;
use crate::records::key::{KeyRecord, Status};
use crate::records::place::StoreKey;
use crate::records::read_row;

/// Maximum number of rows read for one page. If few rows match, the next request continues the
/// search.
const ROWS_READ_MAX: usize = 20_000;

/// Filters of a key list.
#[derive(Debug)]
pub struct Query {
    /// Maximum number of keys to return, 1 to [`crate::actions::LIST_LIMIT_MAX`].
    pub limit: usize,
    /// The last key of the previous page.
    pub after: Option<KeyId>,
    /// Lists only keys that contain this text in name, description, hint or id, ignoring case.
    pub search: Option<String>,
    /// Lists only keys with this status. The default leaves out revoked keys.
    pub status: Wanted,
    pub kind: Option<KeyKind>,
    /// Lists only this user's keys, among those that the actor sees whole.
    pub owner: Option<OwnerWanted>,
    /// Lists only keys shared with this team, among those that the actor sees whole.
    pub team: Option<TeamId>,
    /// Lists only keys that were never used, among those that the actor sees whole.
    pub unused: bool,
    /// Lists only keys that expire between now and this time, among those that the actor sees whole.
    pub expires_before: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerWanted {
    /// The user that the actor represents.
    Me,
    User(UserId),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The default: every status except revoked.
    #[default]
    Current,
    All,
    Only(Status),
}

#[derive(Debug)]
pub struct ListedKeys {
    /// The keys, each with a flag that is true if the actor sees the whole key.
    pub keys: Vec<(KeyRecord, bool)>,
    /// The id of the last row read, if more keys may follow.
    pub next: Option<KeyId>,
}

impl Actions {
    /// Lists the keys of the actor's organization.
    ///
    /// The actor sees a key whole if it is the actor's own, is shared with one of their teams, or
    /// if they hold `keyhouse:keys:read`. The actor sees only that any other key exists, and
    /// filters on hidden fields never match such a key. Keys that are shared only with secret teams
    /// are not listed for users outside those teams.
    ///
    /// # Errors
    /// [`ActionError::StorageUnavailable`]; [`ActionError::PermissionRequired`] for a key whose
    /// list names no permission to manage keys.
    pub fn list_keys(&self, actor: &Actor, query: &Query) -> Result<ListedKeys, ActionError> {
        let Some(sought) = self.sought(actor, query)? else {
            return Ok(ListedKeys { keys: Vec::new(), next: None });
        };
        let organization = actor.organization_id();
        let prefix = StoreKey::keys_of(organization);
        let after = query.after.map(|id| StoreKey::Key(organization, id).to_bytes());
        let range = newest_first(&prefix, after.as_deref());
        let (mut keys, mut rows_read) = (Vec::new(), 0);
        for row in rows_in_turns(&*self.store, &range, || self.page_turn(actor)) {
            let record = read_row::<KeyRecord>(&row?)?.record;
            let id = record.id;
            rows_read += 1;
            if let Some(whole) = self.listed_whole(actor, query, &sought, &record) {
                keys.push((record, whole));
            }
            if keys.len() > query.limit {
                // One key more than requested was read, only to find out whether more keys follow.
                keys.pop();
                let next = keys.last().map(|(record, _)| record.id);
                return Ok(ListedKeys { keys, next });
            }
            if rows_read >= ROWS_READ_MAX {
                return Ok(ListedKeys { keys, next: Some(id) });
            }
        }
        Ok(ListedKeys { keys, next: None })
    }

    /// Lists the service keys of the actor's organization, for an export: without revoked keys, the
    /// newest first.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for an actor that may not import keys and read all keys.
    pub fn list_service_keys(
        &self,
        actor: &Actor,
        limit: usize,
        after: Option<KeyId>,
    ) -> Result<ListedKeys, ActionError> {
        actor.require(INSTANCE_IMPORT)?;
        actor.require(KEYS_READ)?;
        let query = Query {
            limit,
            after,
            search: None,
            status: Wanted::Current,
            kind: Some(KeyKind::Service),
            owner: None,
            team: None,
            unused: false,
            expires_before: None,
        };
        self.list_keys(actor, &query)
    }

    /// Converts the filters that match only keys that the actor sees whole. Returns `None` if no
    /// key can match.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] for a key whose list names no permission to manage keys.
    pub(super) fn sought(
        &self,
        actor: &Actor,
        query: &Query,
    ) -> Result<Option<Sought>, ActionError> {
        require_window(actor)?;
        let owner = query.owner.map(|owner| match owner {
            OwnerWanted::Me => actor.user_id(),
            OwnerWanted::User(user) => Some(user),
        });
        let is_unknown = |team| self.known_team(actor, team).is_none();
        if owner == Some(None) || query.team.is_some_and(is_unknown) {
            // An actor without a user owns no keys. A team that the actor may not see has no keys,
            // like a team that does not exist.
            return Ok(None);
        }
        let needle = query.search.as_deref().map(search_form);
        let (team, unused) = (query.team, query.unused);
        let now = self.clock.now().wall;
        let ends = query.expires_before.map(|until| now..until);
        Ok(Some(Sought { needle, owner: owner.flatten(), team, unused, ends, now }))
    }

    /// Whether the actor sees the whole key; `None` if the key is not listed.
    pub(super) fn listed_whole(
        &self,
        actor: &Actor,
        query: &Query,
        sought: &Sought,
        record: &KeyRecord,
    ) -> Option<bool> {
        if !query.wants(record, record.status(sought.now)) {
            return None;
        }
        let whole = self.is_whole_for(actor, record);
        let there = whole || !self.is_concealed_from(actor, record);
        let unused = |record| !sought.unused || self.last_used_at(record).is_none();
        let found = sought.is_nothing() || (whole && sought.fits(record) && unused(record));
        (there && found).then_some(whole)
    }
}

impl Query {
    fn wants(&self, record: &KeyRecord, status: Status) -> bool {
        let by_status = match self.status {
            Wanted::Current => is_listed_by_default(status),
            Wanted::All => true,
            Wanted::Only(only) => status == only,
        };
        let kind = if record.is_service() { KeyKind::Service } else { KeyKind::Personal };
        by_status && self.kind.is_none_or(|wanted| wanted == kind)
    }
}

/// Filters that match only keys that the actor sees whole.
pub(super) struct Sought {
    needle: Option<String>,
    owner: Option<UserId>,
    team: Option<TeamId>,
    unused: bool,
    ends: Option<std::ops::Range<Moment>>,
    now: Moment,
}

impl Sought {
    fn is_nothing(&self) -> bool {
        self.needle.is_none()
            && self.owner.is_none()
            && self.team.is_none()
            && self.ends.is_none()
            && !self.unused
    }

    fn fits(&self, record: &KeyRecord) -> bool {
        let is_shared = |team| record.teams.iter().any(|share| share.team == team);
        let ends = |span: &std::ops::Range<Moment>| {
            record.expires_at.is_some_and(|end| span.contains(&end))
        };
        self.needle.as_ref().is_none_or(|needle| contains(record, needle))
            && (self.owner.is_none() || record.owner == self.owner)
            && self.team.is_none_or(is_shared)
            && self.ends.as_ref().is_none_or(ends)
    }
}

fn contains(record: &KeyRecord, needle: &str) -> bool {
    let hints = record.secrets.iter().any(|secret| search_form(&secret.hint).contains(needle));
    hints
        || search_form(&record.name).contains(needle)
        || search_form(&record.description).contains(needle)
        || record.id.to_string().contains(needle)
}
