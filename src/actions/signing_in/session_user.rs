//! A user in the user's own session.

use crate::actions::actor::Actor;
use crate::actions::signing_in::throttle::{Attempter, Browser, Source};
use crate::model::id::UserId;
use crate::model::secret::Secret;

/// A user who acts in their own session.
#[derive(Clone, Copy, Debug)]
pub struct Me<'a> {
    /// The session's user as an actor.
    pub actor: &'a Actor,
    pub user: UserId,
    pub token: &'a Secret,
    /// The client's address and network.
    pub source: Source,
}

impl Me<'_> {
    /// The attempter when this user must present a password or a code again. An open session counts
    /// as a known browser, so that a stranger's guesses do not block the user's changes.
    pub(in crate::actions) fn attempter(&self) -> Attempter {
        let browser = Some(Browser::of_session(self.token.digest()));
        Attempter { source: self.source, browser }
    }
}
