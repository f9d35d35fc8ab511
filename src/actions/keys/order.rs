//! The sort orders of a list of keys, and the position of a key in a sort order.
//!
//! An actor sees of some keys only that they exist. These hidden keys are last and sorted by id in every
//! order except [`Sort::NEWEST_FIRST`], so that no order reveals their fields.

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

/// A sort order. Keys without a value are last in both directions. Hidden keys follow after them.
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
    pub const NEWEST_FIRST: Self = Self::descending(SortBy::CreatedAt);
    /// Nearly the opposite order: imported keys can have an earlier creation time than older keys.
    pub(super) const OLDEST_FIRST: Self = Self::ascending(SortBy::CreatedAt);
    /// The most recently used first. Keys that were never used are last.
    pub const LAST_USED_FIRST: Self = Self::descending(SortBy::LastUsed);
    /// All orders, each with its name.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::NEWEST_FIRST, "-created_at"),
        (Self::OLDEST_FIRST, "created_at"),
        (Self::ascending(SortBy::Name), "name"),
        (Self::descending(SortBy::Name), "-name"),
        (Self::ascending(SortBy::LastUsed), "last_used"),
        (Self::LAST_USED_FIRST, "-last_used"),
        (Self::ascending(SortBy::ExpiresAt), "expires_at"),
        (Self::descending(SortBy::ExpiresAt), "-expires_at"),
    ];

    const fn ascending(by: SortBy) -> Self {
        Self { by, descending: false }
    }

    const fn descending(by: SortBy) -> Self {
        Self { by, descending: true }
    }
}

impl FromStr for Sort {
    type Err = InvalidSort;

    fn from_str(text: &str) -> Result<Self, InvalidSort> {
        let known = Self::ALL.into_iter().find(|(_, name)| *name == text);
        known.map(|(sort, _)| sort).ok_or(InvalidSort)
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.into_iter().find(|(sort, _)| sort == self);
        f.write_str(known.map_or("", |(_, name)| name))
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

/// A [`Position`] that borrows the name from a list, so that comparing keys copies no names.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyPlace<'a> {
    sort: Sort,
    rank: SortRank,
    moment: Option<Moment>,
    name: &'a [u8],
    id: KeyId,
}

impl<'a> KeyPlace<'a> {
    /// The position of a key. `whole`: whether the actor sees the whole key.
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
        let by_value = match self.sort.by {
            SortBy::Name => compare_names(self.name, other.name),
            SortBy::CreatedAt | SortBy::LastUsed | SortBy::ExpiresAt => {
                self.moment.cmp(&other.moment)
            },
        };
        let by_value = if self.sort.descending { by_value.reverse() } else { by_value };
        // Of keys with equal values, the newest is first.
        self.rank.cmp(&other.rank).then(by_value).then_with(|| other.id.cmp(&self.id))
    }
}

/// Orders as slices do, eight bytes at a time: the static binary has the `memcmp` of musl, which takes one byte at a time.
fn compare_names(mut one: &[u8], mut other: &[u8]) -> Ordering {
    while let (Some((first, rest)), Some((other_first, other_rest))) =
        (one.split_first_chunk(), other.split_first_chunk())
    {
        let order = u64::from_be_bytes(*first).cmp(&u64::from_be_bytes(*other_first));
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, other_rest);
    }
    one.cmp(other)
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
    /// The position of a key in the order [`Sort::NEWEST_FIRST`].
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

/// The text of a position, for cursors: sort order, kind of value and id, and at the end the value,
/// because a name may contain the separator.
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
    fn names_are_ordered_as_slices() {
        let ends: [&[u8]; 7] = [b"", b"\0", b"a", b"b", b"\xff", b"aaaaaaaa", b"\xffaaaaaaab"];
        let starts = [0, 1, 7, 8, 9, 16].map(|len| "n".repeat(len));
        let names: Vec<Vec<u8>> = starts
            .iter()
            .flat_map(|start| ends.map(|end| [start.as_bytes(), end].concat()))
            .collect();
        for one in &names {
            for other in &names {
                assert_eq!(compare_names(one, other), one.cmp(other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_position_comes_back_from_its_text() {
        let id = KeyId::from_bytes([7; 16]);
        for (sort, name) in Sort::ALL {
            assert_eq!((name.parse::<Sort>(), &*sort.to_string()), (Ok(sort), name));
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
