//! Lists keys in another order than by creation time.
//!
//! Keys are stored by creation time, so any other order takes one pass over all keys of the
//! organization for each page. Only the keys of the page are held in memory.
//!
//! An organization may have at most 200,000 keys for this. Keys of which the actor sees only the
//! existence are listed last, by id, in every order, so that no order reveals anything about these
//! keys.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::actions::actor::Actor;
use crate::actions::keys::Query;
use crate::actions::rows::{newest_first, rows_in_turns};
use crate::actions::{ActionError, Actions};
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::KeyId;
use crate::model::moment::Moment;
use crate::records::key::KeyRecord;
use crate::records::place::StoreKey;
use crate::records::read_row;

/// Maximum number of keys in an organization for which another order is available.
pub const SORTED_KEYS_MAX: usize = 200_000;
/// Number of keys that are held beside a page until the best are chosen.
const CANDIDATES_MAX: usize = 500;

/// The field by which keys are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    CreatedAt,
    /// The name in lower case.
    Name,
    LastUsed,
    ExpiresAt,
}

/// A sort order. Keys without a value are last in both directions. The keys of which the actor sees
/// only the existence follow at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    /// Whether the greatest value is first.
    pub descending: bool,
}

/// The text is not the name of a sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be created_at, name, last_used or expires_at, with a leading '-' for descending order"
)]
pub struct InvalidSort;

impl Sort {
    /// The order in which keys are stored: the newest first.
    pub const NEWEST_FIRST: Self = Self { by: SortBy::CreatedAt, descending: true };
}

impl SortBy {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::CreatedAt, "created_at"),
        (Self::Name, "name"),
        (Self::LastUsed, "last_used"),
        (Self::ExpiresAt, "expires_at"),
    ];
}

impl FromStr for Sort {
    type Err = InvalidSort;

    fn from_str(text: &str) -> Result<Self, InvalidSort> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let by = SortBy::NAMES.iter().find(|(_, known)| *known == name).ok_or(InvalidSort)?.0;
        Ok(Self { by, descending })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SortBy::NAMES.iter().find(|(by, _)| *by == self.by).map_or("", |(_, name)| name);
        write!(f, "{}{name}", if self.descending { "-" } else { "" })
    }
}

/// Position of a key in a sort order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    sort: Sort,
    rank: SortRank,
    value: SortValue,
    id: KeyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortRank {
    Valued,
    Without,
    Hidden,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortValue {
    Nothing,
    Moment(i64),
    Name(String),
}

impl Position {
    pub fn sort(&self) -> Sort {
        self.sort
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_value = self.value.cmp(&other.value);
        let by_value = if self.sort.descending { by_value.reverse() } else { by_value };
        // Keys with equal values are sorted by age, the newest first.
        self.rank.cmp(&other.rank).then(by_value).then(other.id.cmp(&self.id))
    }
}

/// The text form for cursors: order, rank and id, then the value, which may contain any character.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sort, id, .. } = self;
        match (self.rank, &self.value) {
            (SortRank::Hidden, _) => write!(f, "{sort}|hidden|{id}|"),
            (SortRank::Valued, SortValue::Moment(at)) => write!(f, "{sort}|moment|{id}|{at}"),
            (SortRank::Valued, SortValue::Name(name)) => write!(f, "{sort}|name|{id}|{name}"),
            (SortRank::Valued | SortRank::Without, _) => write!(f, "{sort}|without|{id}|"),
        }
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the next_cursor of an earlier page in the same order")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.splitn(4, '|');
        let mut part = || parts.next().ok_or(InvalidPosition);
        let sort = part()?.parse().map_err(|_source| InvalidPosition)?;
        let kind = part()?;
        let id = part()?.parse().map_err(|_source| InvalidPosition)?;
        let value = part()?;
        let (rank, value) = match kind {
            "hidden" => (SortRank::Hidden, SortValue::Nothing),
            "without" => (SortRank::Without, SortValue::Nothing),
            "name" => (SortRank::Valued, SortValue::Name(value.to_owned())),
            "moment" => {
                let at = value.parse().map_err(|_source| InvalidPosition)?;
                (SortRank::Valued, SortValue::Moment(at))
            },
            _ => return Err(InvalidPosition),
        };
        Ok(Self { sort, rank, value, id })
    }
}

/// A page of keys in a sort order.
#[derive(Debug)]
pub struct SortedKeys {
    /// The keys, each with a flag that is true if the actor sees the whole key.
    pub keys: Vec<(KeyRecord, bool)>,
    /// The position of the last key, if more keys follow.
    pub next: Option<Position>,
}

impl Actions {
    /// Lists the keys of [`Actions::list_keys`] in another order, after `after`.
    ///
    /// # Errors
    /// The errors of [`Actions::list_keys`]; [`ActionError::Invalid`] in an organization of more than
    /// [`SORTED_KEYS_MAX`] keys.
    pub fn list_keys_sorted(
        &self,
        actor: &Actor,
        query: &Query,
        sort: Sort,
        after: Option<&Position>,
    ) -> Result<SortedKeys, ActionError> {
        let Some(sought) = self.sought(actor, query)? else {
            return Ok(SortedKeys { keys: Vec::new(), next: None });
        };
        let prefix = StoreKey::keys_of(actor.organization_id());
        let (mut best, range) = (Vec::new(), newest_first(&prefix, None));
        // One key more than requested is kept, only to find out whether more keys follow.
        let keep_best = |best: &mut Vec<(Position, KeyRecord, bool)>| {
            best.sort_by(|(one, ..), (other, ..)| one.compare(other));
            best.truncate(query.limit + 1);
        };
        let rows = rows_in_turns(&*self.store, &range, || self.page_turn(actor));
        for (rows_read, row) in rows.enumerate() {
            require_sortable(rows_read + 1)?;
            let record = read_row::<KeyRecord>(&row?)?.record;
            let whole = self.listed_whole(actor, query, &sought, &record);
            let Some(whole) = whole else { continue };
            let position = self.position(&record, whole, sort);
            if after.is_none_or(|after| position.compare(after).is_gt()) {
                best.push((position, record, whole));
            }
            if best.len() >= query.limit + CANDIDATES_MAX {
                keep_best(&mut best);
            }
        }
        keep_best(&mut best);
        let more = best.len() > query.limit;
        best.truncate(query.limit);
        let next = best.last().filter(|_last| more).map(|(position, ..)| position.clone());
        let keys = best.into_iter().map(|(_, record, whole)| (record, whole)).collect();
        Ok(SortedKeys { keys, next })
    }

    fn position(&self, record: &KeyRecord, whole: bool, sort: Sort) -> Position {
        let moment = |moment: Moment| SortValue::Moment(moment.milliseconds());
        let value = match sort.by {
            _ if !whole => None,
            SortBy::CreatedAt => Some(moment(record.created_at)),
            SortBy::Name => Some(SortValue::Name(record.name.to_lowercase())),
            SortBy::LastUsed => self.last_used_at(record).map(moment),
            SortBy::ExpiresAt => record.expires_at.map(moment),
        };
        let rank = match &value {
            _ if !whole => SortRank::Hidden,
            Some(_) => SortRank::Valued,
            None => SortRank::Without,
        };
        let value = value.unwrap_or(SortValue::Nothing);
        Position { sort, rank, value, id: record.id }
    }

    /// Returns when a key was last used, from live state.
    pub(super) fn last_used_at(&self, record: &KeyRecord) -> Option<Moment> {
        let secret = record.secrets.first()?;
        let last = self.index.with_grant(&secret.digest, |grant| grant?.live.last_use());
        last.map(|last| last.at)
    }
}

fn require_sortable(keys: usize) -> Result<(), ActionError> {
    if keys <= SORTED_KEYS_MAX {
        return Ok(());
    }
    let detail = format!(
        "an organization with more than {SORTED_KEYS_MAX} keys can only be listed by -created_at"
    );
    Err(ActionError::Invalid(vec![Fault::new("?sort", FaultCode::TOO_MANY, detail)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_keys_for_an_order_are_a_fault_of_its_parameter() {
        assert!(require_sortable(SORTED_KEYS_MAX).is_ok());
        let refused = require_sortable(SORTED_KEYS_MAX + 1);
        let Err(ActionError::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!((&*faults[0].pointer, faults[0].code.name), ("?sort", "too_many"));
    }

    #[test]
    fn a_position_comes_back_from_its_text() {
        let id = KeyId::from_bytes([7; 16]);
        for sort in ["created_at", "-created_at", "name", "-last_used", "expires_at"] {
            let sort: Sort = sort.parse().unwrap();
            for (rank, value) in [
                (SortRank::Hidden, SortValue::Nothing),
                (SortRank::Without, SortValue::Nothing),
                (SortRank::Valued, SortValue::Moment(-5)),
                (SortRank::Valued, SortValue::Name("a|b|\u{1f511}|".to_owned())),
            ] {
                let position = Position { sort, rank, value, id };
                assert_eq!(position.to_string().parse(), Ok(position));
            }
        }
        for wrong in ["", "name|hidden|key_1|", "color|hidden|", "name|moment|key|x"] {
            assert_eq!(wrong.parse::<Position>(), Err(InvalidPosition), "{wrong}");
        }
    }
}
