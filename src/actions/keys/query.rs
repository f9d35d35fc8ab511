//! The query of a request for a list of keys: filters, order, and the position of a page.

use crate::actions::keys::KeyKind;
use crate::actions::keys::order::{Position, Sort};
use crate::model::id::{TeamId, UserId};
use crate::model::key_text::Environment;
use crate::model::moment::Moment;
use crate::records::key::Status;

/// Filters and order of a list of keys.
///
/// An actor sees some keys whole, and of other keys only that they exist. All filters except `status` and
/// `kind` match only keys that the actor sees whole.
#[expect(clippy::struct_excessive_bools, reason = "independent filters")]
#[derive(Clone, Debug)]
pub struct Query {
    /// Maximum number of keys to return, 1 to [`crate::actions::LIST_LIMIT_MAX`].
    pub limit: usize,
    pub sort: Sort,
    /// The last key of the previous page, in this order.
    pub after: Option<Position>,
    /// Whether to count the keys of all pages.
    pub counted: bool,
    /// Lists only keys that contain this text, in upper or lower case, in their name, description, a hint,
    /// their id, permissions, the name or email address of their owner, or the IP address of their last
    /// use. The email address is searched only if the actor may see it.
    pub search: Option<String>,
    /// Lists only keys with this status.
    pub status: Wanted,
    /// Lists only keys of this kind.
    pub kind: Option<KeyKind>,
    /// Lists only this user's keys.
    pub owner: Option<OwnerWanted>,
    /// Lists only keys that are shared with this team.
    pub team: Option<TeamWanted>,
    /// Lists only keys of this environment.
    pub environment: Option<Environment>,
    /// Lists only keys that were never used.
    pub unused: bool,
    /// Lists only keys that were created before this time and not used since.
    pub unused_since: Option<Moment>,
    /// Lists only keys that expire between now and this time.
    pub expires_before: Option<Moment>,
    /// Lists only keys without an end.
    pub endless: bool,
    /// Lists only active keys whose replaced secret still works and was used since the rotation.
    pub old_secret_used: bool,
}

impl Query {
    /// The first page of all keys that are not revoked, with the number of these keys.
    pub fn of(limit: usize, sort: Sort) -> Self {
        Self {
            limit,
            sort,
            after: None,
            counted: true,
            search: None,
            status: Wanted::Current,
            kind: None,
            owner: None,
            team: None,
            environment: None,
            unused: false,
            unused_since: None,
            expires_before: None,
            endless: false,
            old_secret_used: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerWanted {
    /// The user that the actor represents.
    Me,
    User(UserId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamWanted {
    /// Any team of the user that the actor represents.
    Mine,
    Team(TeamId),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The default: every status except revoked.
    #[default]
    Current,
    All,
    Only(Status),
}
