//! Who asks: a session's user, a management key, or the operator on the host.
//!
//! A key is not its owner. It lists keys only where its own list names management of keys, changes its
//! owner's keys only as far as it holds everything they grant, and never changes its own permissions.

use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::ActionError;
use crate::index::Index;
use crate::index::facts::{Ask, HeldRole, OrganizationFacts, UserFacts};
use crate::index::grant::Grant;
use crate::model::id::{KeyId, OrganizationId, TeamId, UserId};
use crate::model::permission::PatternSet;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::secret::Digest;
use crate::records::key::Author;

/// What a refusal names where only an owner would do: it is no permission that could be granted.
pub const OWNER: &str = "owner";

/// One who asks, with the facts of this moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The address the request came from; none through the control socket.
    pub address: Option<IpAddr>,
    /// Whether the session was opened with a second factor.
    second_factor: bool,
    organization: Arc<OrganizationFacts>,
    power: Power,
}

#[derive(Clone, Debug)]
enum Power {
    Local,
    User(Arc<UserFacts>, Option<Digest>),
    Key(Box<PresentedKey>),
}

#[derive(Clone, Debug)]
struct PresentedKey {
    grant: Grant,
    owner: Option<Arc<UserFacts>>,
    secret: Digest,
}

/// What an actor presented to act.
#[derive(Clone, Copy, Debug)]
pub(super) enum Presented {
    /// Access to the host.
    Local,
    /// A session's cookie, by its digest; none where a user is only described.
    Session { user: UserId, session: Option<Digest> },
    /// A secret of a key, by its digest.
    Key { key: KeyId, secret: Digest },
}

impl Actor {
    /// The operator on the host, who may do all, in an organization.
    pub fn local(organization: Arc<OrganizationFacts>) -> Self {
        Self { address: None, second_factor: false, organization, power: Power::Local }
    }

    /// A user, through the session of this cookie. `None` when the organization is not known.
    pub fn user(index: &Index, user: Arc<UserFacts>, session: Option<Digest>) -> Option<Self> {
        let organization = index.organization(user.organization)?;
        let power = Power::User(user, session);
        Some(Self { address: None, second_factor: false, organization, power })
    }

    /// A management key, by one of its secrets that was found valid.
    pub fn key(secret: Digest, grant: &Grant, address: Option<IpAddr>) -> Self {
        let owner = grant.owner.as_ref().map(|owner| owner.facts());
        let organization = grant.organization.load_full();
        let key = PresentedKey { grant: grant.clone(), owner, secret };
        let power = Power::Key(Box::new(key));
        Self { address, second_factor: false, organization, power }
    }

    /// What the actor presented.
    pub(super) fn presented(&self) -> Presented {
        match &self.power {
            Power::Local => Presented::Local,
            Power::User(user, session) => Presented::Session { user: user.id, session: *session },
            Power::Key(key) => Presented::Key { key: key.grant.live.key, secret: key.secret },
        }
    }

    /// The same actor, asking from an address.
    #[must_use]
    pub fn at(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The same actor, in a session in which a code of a second factor was, or was not, shown.
    #[must_use]
    pub fn with_second_factor(self, second_factor: bool) -> Self {
        Self { second_factor, ..self }
    }

    /// The organization acted in.
    pub fn organization(&self) -> &OrganizationFacts {
        &self.organization
    }

    /// Its id.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization.id
    }

    /// Whether this is the operator on the host.
    pub fn is_local(&self) -> bool {
        matches!(self.power, Power::Local)
    }

    /// Whether a key asks.
    pub fn is_key(&self) -> bool {
        matches!(self.power, Power::Key(_))
    }

    /// The name in records.
    pub fn author(&self) -> Author {
        match &self.power {
            Power::Local => Author::Local,
            Power::User(user, _) => Author::User(user.id),
            Power::Key(key) => Author::Key(key.grant.live.key),
        }
    }

    /// The user for whom this actor acts: their own session, or a personal key of theirs.
    pub fn user_id(&self) -> Option<UserId> {
        match &self.power {
            Power::Local => None,
            Power::User(user, _) => Some(user.id),
            Power::Key(key) => key.owner.as_ref().map(|owner| owner.id),
        }
    }

    /// Who reads, where reads take turns: a user with all their keys counts as one.
    pub(super) fn reader(&self) -> [u8; 16] {
        match (self.user_id(), self.author()) {
            (Some(user), _) | (None, Author::User(user)) => *user.bytes(),
            (None, Author::Key(key)) => *key.bytes(),
            (None, Author::Local) => [0; 16],
        }
    }

    /// The facts of that user.
    pub fn user_facts(&self) -> Option<&UserFacts> {
        match &self.power {
            Power::Local => None,
            Power::User(user, _) => Some(user),
            Power::Key(key) => key.owner.as_deref(),
        }
    }

    /// Whether the actor holds what is asked.
    pub fn holds(&self, ask: Ask<'_>) -> bool {
        self.holds_in(&self.organization, ask)
    }

    fn holds_in(&self, organization: &OrganizationFacts, ask: Ask<'_>) -> bool {
        match &self.power {
            Power::Local => true,
            Power::User(user, _) => user.holds(organization, ask),
            Power::Key(key) => {
                let standing = key.owner.as_ref().map(|owner| owner.standing);
                key.grant.grants(standing, organization, ask)
            },
        }
    }

    /// Whether this is an owner in person, or the operator on the host. A key never is: it is not
    /// its owner.
    pub fn is_owner(&self) -> bool {
        match &self.power {
            Power::Local => true,
            Power::User(user, _) => user.is_owner(),
            Power::Key(_) => false,
        }
    }

    /// Requires that the actor may take somebody's second factor off: the operator on the host, or
    /// an owner in a session that was opened with one.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::SecondFactorRequired`].
    pub fn require_factor_removal(&self) -> Result<(), ActionError> {
        if !self.is_owner() {
            return Err(ActionError::PermissionRequired(OWNER.to_owned()));
        }
        self.require_own_factor()
    }

    /// Requires the operator on the host, or a person in a session that was opened with a second
    /// factor: never a key.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`], [`ActionError::SecondFactorRequired`].
    pub fn require_own_factor(&self) -> Result<(), ActionError> {
        if self.is_key() {
            return Err(ActionError::PermissionRequired(OWNER.to_owned()));
        }
        if self.is_local() || self.second_factor {
            Ok(())
        } else {
            Err(ActionError::SecondFactorRequired)
        }
    }

    /// Whether the actor is in a team: in person, or as a personal key of somebody who is.
    pub fn is_in(&self, team: TeamId) -> bool {
        self.user_facts().is_some_and(|user| user.teams.contains(&team))
    }

    /// Requires a permission.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub fn require(&self, permission: &str) -> Result<(), ActionError> {
        if self.has(permission) {
            Ok(())
        } else {
            Err(ActionError::PermissionRequired(permission.to_owned()))
        }
    }

    /// Requires all that these patterns grant: nobody gives what they don't hold.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] with the first pattern that is not held.
    pub fn require_all(&self, patterns: PatternSet<'_>) -> Result<(), ActionError> {
        match self.lacks(patterns) {
            Some(pattern) => Err(ActionError::PermissionRequired(pattern.to_owned())),
            None => Ok(()),
        }
    }

    /// Requires that the actor may make somebody hold a role: an owner's is given by owners alone,
    /// any other by who holds all of it.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub fn require_role(&self, role: &HeldRole) -> Result<(), ActionError> {
        if role.role().is_owner() && !self.is_owner() {
            return Err(ActionError::PermissionRequired(OWNER.to_owned()));
        }
        self.require_rank(role.patterns(self.organization.members_create_keys).as_set())
    }

    /// Requires all that a role holds, the organization's ceiling aside.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] with the first pattern that is not held.
    pub fn require_rank(&self, patterns: PatternSet<'_>) -> Result<(), ActionError> {
        match patterns.texts().find(|pattern| !self.outranks(pattern)) {
            Some(pattern) => Err(ActionError::PermissionRequired(pattern.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether the actor holds all that a pattern grants, the organization's ceiling aside. It lies
    /// on all in the organization alike: under a low one an owner would not hold the `*` of a plain
    /// user's role, and nobody could invite anybody.
    fn outranks(&self, pattern: &str) -> bool {
        let ceiling = PatternSet::ALL.into();
        let unbounded = OrganizationFacts { ceiling, ..(*self.organization).clone() };
        self.holds_in(&unbounded, Ask::Pattern(pattern))
    }

    /// Requires that somebody holds nothing that the actor doesn't: else the actor must not reset,
    /// disable, demote, remove or re-invite them.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`].
    pub fn require_rank_over(&self, user: &UserFacts) -> Result<(), ActionError> {
        if user.standing.operator {
            self.require(INSTANCE_MANAGE)?;
        }
        self.require_role(&user.role)
    }

    /// Whether the actor holds a permission.
    pub fn has(&self, permission: &str) -> bool {
        self.holds(Ask::Permission(permission))
    }

    /// The first of these patterns that the actor does not wholly hold.
    pub fn lacks<'a>(&self, patterns: PatternSet<'a>) -> Option<&'a str> {
        patterns.texts().find(|pattern| !self.holds(Ask::Pattern(pattern)))
    }
}
