//! Notices: changes that others made to a user's account, kept on the user's record until the user
//! has seen them.
//!
//! A notice is added in the batch of the change. The notice stays until the user acknowledges it.
//! Grave notices (a reset, a removed second factor, a changed address) stay at least 7 days. Each
//! kind of notice has a limit of its own, so that many notices of one kind do not replace those of
//! another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::moment::Moment;
use crate::records::key::Author;
use crate::records::text;

/// Maximum number of notices of one kind. A further notice replaces the oldest of its kind.
pub const NOTICES_OF_A_KIND_MAX: usize = 4;
/// Minimum time that a grave notice stays, even if it is acknowledged. An attacker who took over
/// the account can acknowledge notices, and must not be able to remove the evidence.
pub const GRAVE_KEPT: Duration = Duration::from_hours(7 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The password was set through a reset link that another user created.
    PasswordReset,
    TotpRemoved,
    SessionsEnded,
    EmailChanged,
}

/// The text is not the name of a kind of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a kind of notice")]
pub struct InvalidNoticeKind;

impl NoticeKind {
    pub const ALL: [Self; 4] =
        [Self::PasswordReset, Self::TotpRemoved, Self::SessionsEnded, Self::EmailChanged];

    /// The name in records and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::TotpRemoved => "totp_removed",
            Self::SessionsEnded => "sessions_ended",
            Self::EmailChanged => "email_changed",
        }
    }

    /// Whether the notice may be evidence that the account was taken over.
    const fn is_grave(self) -> bool {
        match self {
            Self::PasswordReset | Self::TotpRemoved | Self::EmailChanged => true,
            Self::SessionsEnded => false,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NoticeKind {
    type Err = InvalidNoticeKind;

    fn from_str(text: &str) -> Result<Self, InvalidNoticeKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(InvalidNoticeKind)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    #[serde(rename = "k", with = "text")]
    pub kind: NoticeKind,
    /// When the actor last made such a change.
    #[serde(rename = "t", with = "text::moment")]
    pub at: Moment,
    #[serde(rename = "w", with = "text")]
    pub by: Author,
}

/// The notices that a user has not seen yet, plus recent grave notices, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notices(Vec<Notice>);

impl Notices {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.0.iter()
    }

    /// Adds a notice. Every change of another user's account calls this function, and writes the
    /// user's record in its own batch.
    pub fn add(&mut self, kind: NoticeKind, by: Author, at: Moment) {
        self.0.retain(|known| (known.kind, known.by) != (kind, by));
        let same = self.0.iter().filter(|known| known.kind == kind).count();
        if same >= NOTICES_OF_A_KIND_MAX
            && let Some(oldest) = self.0.iter().position(|known| known.kind == kind)
        {
            self.0.remove(oldest);
        }
        self.0.push(Notice { kind, at, by });
    }

    /// Removes the notices up to a moment that the user has seen. Grave notices stay for
    /// [`GRAVE_KEPT`].
    pub fn acknowledge(&mut self, until: Moment, now: Moment) {
        let until_grave = until.min(now.before(GRAVE_KEPT));
        self.0.retain(|known| known.at > if known.kind.is_grave() { until_grave } else { until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{Id, UserId};

    fn user(number: u8) -> Author {
        let id: UserId = Id::from_bytes([number; 16]);
        Author::User(id)
    }

    #[test]
    fn notices_are_bounded_and_no_kind_pushes_out_another() {
        let mut notices = Notices::default();
        notices.add(NoticeKind::TotpRemoved, user(1), Moment::from_milliseconds(1));
        for number in 0..100 {
            let at = Moment::from_milliseconds(i64::from(number) + 2);
            notices.add(NoticeKind::SessionsEnded, user(number), at);
            notices.add(NoticeKind::SessionsEnded, user(number), at);
        }
        let kinds: Vec<_> = notices.iter().map(|notice| notice.kind).collect();
        let mut expected = vec![NoticeKind::TotpRemoved];
        expected.extend([NoticeKind::SessionsEnded; NOTICES_OF_A_KIND_MAX]);
        assert_eq!(kinds, expected);
        assert_eq!(notices.iter().last().map(|notice| notice.by), Some(user(99)));
    }

    #[test]
    fn acknowledging_keeps_what_came_later() {
        let mut notices = Notices::default();
        for at in [1, 2, 3] {
            notices.add(NoticeKind::SessionsEnded, user(at), Moment::from_milliseconds(at.into()));
        }
        notices.acknowledge(Moment::from_milliseconds(2), Moment::from_milliseconds(4));
        assert_eq!(notices.iter().map(|notice| notice.by).collect::<Vec<_>>(), [user(3)]);
    }

    /// Regression: a user who reset a peer's password signed in as the peer and removed the notice
    /// of the reset.
    #[test]
    fn grave_notices_stay_for_a_week_whatever_is_acknowledged() {
        let begin = Moment::from_milliseconds(1_800_000_000_000);
        let mut notices = Notices::default();
        for kind in NoticeKind::ALL {
            notices.add(kind, user(1), begin);
        }
        let almost = begin.after(GRAVE_KEPT.saturating_sub(Duration::from_millis(1)));
        notices.acknowledge(almost, almost);
        let kinds: Vec<_> = notices.iter().map(|notice| notice.kind).collect();
        let grave = [NoticeKind::PasswordReset, NoticeKind::TotpRemoved, NoticeKind::EmailChanged];
        assert_eq!(kinds, grave);
        let now = begin.after(GRAVE_KEPT);
        notices.acknowledge(begin.before(Duration::from_millis(1)), now);
        assert_eq!(notices.iter().count(), 3, "not seen yet");
        notices.acknowledge(now, now);
        assert!(notices.is_empty());
    }

    #[test]
    fn kinds_are_parsed_from_their_names() {
        for kind in NoticeKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("reset".parse::<NoticeKind>().is_err());
    }
}
