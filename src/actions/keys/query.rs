//! What a caller asks of a list of keys: filters, order, and the position of a page.

use crate::actions::keys::KeyKind;
use crate::actions::keys::order::{Position, Sort};
use crate::model::id::{TeamId, UserId};
use crate::model::moment::Moment;
use crate::records::key::Status;

/// Filters and order of a key list.
#[derive(Debug)]
pub struct Query {
    /// Maximum number of keys to return, 1 to [`crate::actions::LIST_LIMIT_MAX`].
    pub limit: usize,
    pub sort: Sort,
    /// The last key of the previous page, in this order.
    pub after: Option<Position>,
    /// Whether the keys of all pages are counted.
    pub counted: bool,
    /// Lists only keys that contain this text in name, description, hint, id, permissions, owner's
    /// name, owner's email address or last address, among those that the actor sees whole. Ignores
    /// case. The owner's email address counts only for actors who see it.
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
