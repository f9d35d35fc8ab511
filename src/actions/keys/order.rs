//! The orders of a list of keys, and the position of a key in one.
//!
//! Keys of which the actor sees only the existence are last, by id, in every order but that of the
//! store, so that no order reveals anything about these keys.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::index::key_lists::Entry;
use crate::model::id::KeyId;
use crate::model::moment::Moment;

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

#[derive(Clone, Debug, PartialEq, Eq)]
enum SortValue {
    Nothing,
    Moment(i64),
    Name(String),
}

/// A position whose name belongs to a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyPlace<'a> {
    sort: Sort,
    rank: SortRank,
    moment: Option<Moment>,
    name: &'a [u8],
    id: KeyId,
}

impl<'a> KeyPlace<'a> {
    /// The place of a key; `whole` if the actor sees the whole key.
    pub(super) fn new(entry: Entry<'a>, whole: bool, sort: Sort) -> Self {
        let id = entry.id;
        if sort == Sort::NEWEST_FIRST {
            return Self { sort, rank: SortRank::Without, moment: None, name: &[], id };
        }
        if !whole {
            return Self { sort, rank: SortRank::Hidden, moment: None, name: &[], id };
        }
        let moment = match sort.by {
            SortBy::CreatedAt => Some(entry.created_at()),
            SortBy::LastUsed => entry.last_used_at(),
            SortBy::ExpiresAt => entry.expires_at(),
            SortBy::Name => {
                return Self { sort, rank: SortRank::Valued, moment: None, name: entry.name(), id };
            },
        };
        let rank = if moment.is_some() { SortRank::Valued } else { SortRank::Without };
        Self { sort, rank, moment, name: &[], id }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let by_value = self.moment.cmp(&other.moment).then_with(|| self.name.cmp(other.name));
        let by_value = if self.sort.descending { by_value.reverse() } else { by_value };
        // Keys with equal values are sorted by age, the newest first.
        self.rank.cmp(&other.rank).then(by_value).then_with(|| other.id.cmp(&self.id))
    }
}

impl From<KeyPlace<'_>> for Position {
    fn from(place: KeyPlace<'_>) -> Self {
        let KeyPlace { sort, rank, moment, name, id } = place;
        let value = match (rank, moment) {
            (SortRank::Valued, Some(moment)) => SortValue::Moment(moment.milliseconds()),
            (SortRank::Valued, None) => SortValue::Name(String::from_utf8_lossy(name).into_owned()),
            (SortRank::Without | SortRank::Hidden, _) => SortValue::Nothing,
        };
        Self { sort, rank, value, id }
    }
}

impl Position {
    /// The position after a key in the order of the store.
    pub fn newest_first(id: KeyId) -> Self {
        let (sort, rank, value) = (Sort::NEWEST_FIRST, SortRank::Without, SortValue::Nothing);
        Self { sort, rank, value, id }
    }

    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The id of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn place(&self) -> KeyPlace<'_> {
        let Self { sort, rank, value, id } = self;
        let (moment, name) = match value {
            SortValue::Nothing => (None, &[][..]),
            SortValue::Moment(at) => (Some(Moment::from_milliseconds(*at)), &[][..]),
            SortValue::Name(name) => (None, name.as_bytes()),
        };
        KeyPlace { sort: *sort, rank: *rank, moment, name, id: *id }
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

#[cfg(test)]
mod tests {
    use super::*;

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
