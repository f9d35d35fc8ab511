//! The fields of one key in a list: the values by which lists are sorted and filtered, and the texts
//! that are searched.

use std::net::IpAddr;
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::index::live::KeyCounters;
use crate::model::id::{KeyId, TeamId, UserId};
use crate::model::key_text::Environment;
use crate::model::moment::Moment;
use crate::model::secret::Digest;
use crate::model::text::search_form;
use crate::records::key::{KeyRecord, Status, StatusFacts};

/// Separates two texts of a key, so that no search matches across them. UTF-8 never contains this byte.
const BETWEEN: u8 = 0xff;

// The bits of [`EntryFacts::flags`].
const REVOKED: u8 = 1;
const DISABLED: u8 = 1 << 1;
const ENDS: u8 = 1 << 2;
const ROTATED: u8 = 1 << 3;

/// The fields of a key for a list, read from its record.
#[derive(Debug)]
pub struct EntryDraft {
    pub(super) id: KeyId,
    pub(super) owner: Option<UserId>,
    pub(super) teams: Option<Arc<[TeamId]>>,
    pub(super) profile: Arc<KeyProfile>,
    pub(super) values: Values,
    pub(super) texts: Vec<u8>,
    pub(super) flags: u8,
}

/// The environment and the own list of permissions of a key, which many keys have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KeyProfile {
    pub environment: Environment,
    /// The list of permissions, in its search form. `None` for a key without a list.
    pub permissions: Option<Box<[u8]>>,
}

/// The fields of a key that most requests read. The numbers are those of
/// [`crate::index::key_lists::Common`].
#[derive(Debug)]
pub(super) struct EntryFacts {
    pub(super) owner: u32,
    pub(super) sharing: u32,
    pub(super) profile: u32,
    pub(super) flags: u8,
}

#[derive(Debug)]
pub(super) struct Values {
    created_at: Moment,
    /// [`Moment::NEVER`] for a key without an expiry.
    expires_at: Moment,
    /// [`Moment::BEGINNING`] for a key without a start.
    not_before: Moment,
    /// The live state of the key. `None` if the index did not have the key when its record was read.
    live: Option<Arc<KeyCounters>>,
    /// The position of the key's texts in the texts of its chunk.
    pub(super) start: u32,
    /// Length of the name in its search form, which is the first text.
    name: u32,
    /// Length of all texts that are searched, with their separators.
    searched: u32,
    /// Length of the name in lower case, which follows the searched texts. 0 if it equals the search form.
    lower_case: u32,
}

impl EntryDraft {
    /// `live` is the key's live state, or `None` if the index does not have the key.
    pub fn new(record: &KeyRecord, live: Option<Arc<KeyCounters>>) -> Self {
        let name = search_form(&record.name);
        let lower_case = record.name.to_lowercase();
        let mut texts = name.clone().into_bytes();
        let hints = record.secrets.iter().map(|secret| &secret.hint);
        for text in [&record.description].into_iter().chain(hints).filter(|it| !it.is_empty()) {
            texts.push(BETWEEN);
            texts.extend_from_slice(search_form(text).as_bytes());
        }
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (name_length, searched) = (length(name.len()), length(texts.len()));
        let is_same = lower_case == name;
        if !is_same {
            texts.extend_from_slice(lower_case.as_bytes());
        }
        let flags = [
            (record.revoked_at.is_some(), REVOKED),
            (record.disabled.is_some(), DISABLED),
            (record.expires_at.is_some(), ENDS),
            (record.secrets.len() > 1, ROTATED),
        ];
        Self {
            id: record.id,
            owner: record.owner,
            teams: teams_of(record),
            profile: Arc::new(KeyProfile::new(record)),
            values: Values {
                created_at: record.created_at,
                expires_at: record.expires_at.unwrap_or(Moment::NEVER),
                not_before: record.not_before.unwrap_or(Moment::BEGINNING),
                live,
                start: 0,
                name: name_length,
                searched,
                lower_case: if is_same { 0 } else { length(lower_case.len()) },
            },
            texts,
            flags: flags.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit).sum(),
        }
    }
}

impl KeyProfile {
    fn new(record: &KeyRecord) -> Self {
        let permissions = record.permissions.as_ref().map(|list| {
            let texts: Vec<String> = list.as_set().texts().map(search_form).collect();
            texts.iter().map(String::as_bytes).collect::<Vec<_>>().join(&BETWEEN).into()
        });
        Self { environment: record.environment.clone(), permissions }
    }

    /// The memory of the profile's texts, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.environment.as_str().len() + self.permissions.as_deref().map_or(0, size_of_val)
    }
}

/// The teams of a key, sorted, so that keys with the same teams have equal values. `None` if there are
/// none.
fn teams_of(record: &KeyRecord) -> Option<Arc<[TeamId]>> {
    let mut teams: Vec<TeamId> = record.teams.iter().map(|share| share.team).collect();
    teams.sort_unstable();
    teams.dedup();
    (!teams.is_empty()).then(|| teams.into())
}

impl EntryFacts {
    pub(super) fn is_revoked(&self) -> bool {
        self.flags & REVOKED != 0
    }
}

/// A key in a list. The numbers of its values are those of the list's [`crate::index::key_lists::Common`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub id: KeyId,
    pub(super) facts: &'a EntryFacts,
    pub(super) values: &'a Values,
    pub(super) texts: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The number of the owner. A service key has a number without a value.
    pub fn owner(self) -> u32 {
        self.facts.owner
    }

    pub fn is_service(self) -> bool {
        self.facts.owner == super::slots::NONE
    }

    /// The number of the set of teams that the key is shared with.
    pub fn sharing(self) -> u32 {
        self.facts.sharing
    }

    /// The number of the key's environment and own list of permissions.
    pub fn profile(self) -> u32 {
        self.facts.profile
    }

    pub fn is_revoked(self) -> bool {
        self.facts.is_revoked()
    }

    /// The status at a moment; see [`KeyRecord::status`].
    pub fn status(self, now: Moment) -> Status {
        let facts = StatusFacts {
            is_revoked: self.is_revoked(),
            is_disabled: self.facts.flags & DISABLED != 0,
            not_before: Some(self.values.not_before),
            expires_at: self.expires_at(),
        };
        facts.status(now)
    }

    pub fn created_at(self) -> Moment {
        self.values.created_at
    }

    pub fn expires_at(self) -> Option<Moment> {
        (self.facts.flags & ENDS != 0).then_some(self.values.expires_at)
    }

    /// When the key was last used.
    pub fn last_used_at(self) -> Option<Moment> {
        self.values.live.as_ref()?.last_used_at()
    }

    /// The client's address of the last use.
    pub fn last_address(self) -> Option<IpAddr> {
        self.values.live.as_ref()?.last_address()
    }

    /// The replaced secret, if it was used since the rotation.
    pub fn old_secret_in_use(self) -> Option<Digest> {
        let is_rotated = self.facts.flags & ROTATED != 0;
        self.values.live.as_ref().filter(|_live| is_rotated)?.old_secret_in_use()
    }

    /// The name in lower case.
    pub fn name(self) -> &'a [u8] {
        let Values { name, searched, lower_case, .. } = self.values;
        if *lower_case == 0 { self.text(0, *name) } else { self.text(*searched, *lower_case) }
    }

    /// Whether the name, the description or a hint contains the text of `finder`, which must be in its
    /// search form.
    pub fn contains(self, finder: &Finder<'_>) -> bool {
        finder.find(self.text(0, self.values.searched)).is_some()
    }

    fn text(self, from: u32, length: u32) -> &'a [u8] {
        let begin = usize::try_from(from).unwrap_or(usize::MAX);
        let end = begin.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        self.texts.get(begin..end).unwrap_or_default()
    }
}

impl Values {
    /// Length of all texts of the key.
    pub(super) fn texts_length(&self) -> usize {
        let length = u64::from(self.searched) + u64::from(self.lower_case);
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    /// The texts of the key, from the texts of its chunk.
    pub(super) fn of<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        texts.get(start..start.saturating_add(self.texts_length())).unwrap_or_default()
    }
}
