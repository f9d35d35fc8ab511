//! The actor of a request: a session's user, a management key, or the operator on the host.
//!
//! A key has fewer rights than its owner. A key lists keys only if its own permissions include the
//! management of keys. A key changes its owner's other keys only if it holds all of their
//! permissions. A key never changes its own permissions.

use std::net::IpAddr;
use std::sync::Arc;

use crate::actions::ActionError;
use crate::index::Index;
use crate::index::facts::{HeldRole, OrganizationFacts, RightQuery, UserFacts};
use crate::index::grant::{Grant, KeyRights};
use crate::model::gate::DEFAULT_GATE;
use crate::model::id::{KeyId, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::PatternSet;
use crate::model::role::INSTANCE_MANAGE;
use crate::model::secret::Digest;
use crate::model::session_times::PROOF_LIFETIME;
use crate::records::key::Author;

/// The text in place of a permission in the error of an action that only owners may do. No
/// permission has this name.
pub const OWNER: &str = "owner";
/// Like [`OWNER`], of an action that only the key's owner may do.
pub const KEY_OWNER: &str = "key_owner";

/// An actor with the facts that were read for this request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The client's address; `None` through the control socket.
    pub address: Option<IpAddr>,
    /// Whether the session was opened with a second factor.
    second_factor: bool,
    /// When the session's user last entered the password or a code. `None` without a session.
    proven_at: Option<Moment>,
    organization: Arc<OrganizationFacts>,
    power: Power,
}

#[derive(Clone, Debug)]
enum Power {
    Local,
    User(Arc<UserFacts>, Option<Digest>),
    Key(Box<ActingKey>),
}

#[derive(Clone, Debug)]
struct ActingKey {
    key: KeyId,
    rights: KeyRights,
    owner: Option<Arc<UserFacts>>,
    secret: Digest,
}

/// The credential that an actor presented.
#[derive(Clone, Copy, Debug)]
pub(super) enum ActorCredential {
    Local,
    /// The digest of the session's cookie; `None` if the actor is a user without a session.
    Session {
        user: UserId,
        session: Option<Digest>,
    },
    Key {
        key: KeyId,
        secret: Digest,
    },
}

impl Actor {
    /// The operator on the host, who has all rights in every organization.
    pub fn local(organization: Arc<OrganizationFacts>) -> Self {
        Self::of(organization, Power::Local)
    }

    /// A user, through the session of this cookie. `None` if the index does not have the
    /// organization.
    pub fn user(index: &Index, user: Arc<UserFacts>, session: Option<Digest>) -> Option<Self> {
        let organization = index.organization(user.organization)?;
        Some(Self::of(organization, Power::User(user, session)))
    }

    /// A management key, identified by one of its secrets that was found valid.
    pub fn key(secret: Digest, grant: &Grant, address: Option<IpAddr>) -> Self {
        let owner = grant.owner.as_ref().map(|owner| owner.facts());
        let organization = grant.organization.load_full();
        let key = ActingKey { key: grant.live.key, rights: grant.rights(), owner, secret };
        Self { address, ..Self::of(organization, Power::Key(Box::new(key))) }
    }

    fn of(organization: Arc<OrganizationFacts>, power: Power) -> Self {
        Self { address: None, second_factor: false, proven_at: None, organization, power }
    }

    pub(super) fn presented(&self) -> ActorCredential {
        match &self.power {
            Power::Local => ActorCredential::Local,
            Power::User(user, session) => {
                ActorCredential::Session { user: user.id, session: *session }
            },
            Power::Key(key) => ActorCredential::Key { key: key.key, secret: key.secret },
        }
    }

    /// Sets the address of the actor's client.
    #[must_use]
    pub fn at(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// Sets whether the session was opened with a second factor.
    #[must_use]
    pub fn with_second_factor(self, second_factor: bool) -> Self {
        Self { second_factor, ..self }
    }

    /// Sets when the session's user last entered the password or a code.
    #[must_use]
    pub(super) fn with_proof(self, at: Moment) -> Self {
        Self { proven_at: Some(at), ..self }
    }

    /// Requires that the user of a session has entered the password or a code within the last
    /// [`PROOF_LIFETIME`], before a response contains a new secret. Keys and the operator on the host have
    /// no session, and need no proof: see decision 0018.
    ///
    /// # Errors
    /// [`ActionError::ProofRequired`].
    pub(super) fn require_proof(&self, now: Moment) -> Result<(), ActionError> {
        let Power::User(_, Some(_session)) = &self.power else { return Ok(()) };
        match self.proven_at {
            Some(at) if now.since(at) < PROOF_LIFETIME => Ok(()),
            Some(_) | None => Err(ActionError::ProofRequired),
        }
    }

    /// The organization that the actor acts in.
    pub fn organization(&self) -> &OrganizationFacts {
        &self.organization
    }

    pub fn organization_id(&self) -> OrganizationId {
        self.organization.id
    }

    pub fn is_local(&self) -> bool {
        matches!(self.power, Power::Local)
    }

    pub fn is_key(&self) -> bool {
        matches!(self.power, Power::Key(_))
    }

    /// The author that records and events name.
    pub fn author(&self) -> Author {
        match &self.power {
            Power::Local => Author::Local,
            Power::User(user, _) => Author::User(user.id),
            Power::Key(key) => Author::Key(key.key),
        }
    }

    /// The session's user, or the owner of the personal key.
    pub fn user_id(&self) -> Option<UserId> {
        match &self.power {
            Power::Local => None,
            Power::User(user, _) => Some(user.id),
            Power::Key(key) => key.owner.as_ref().map(|owner| owner.id),
        }
    }

    /// The id in the queue of long reads: a user and all of the user's keys are one reader.
    pub(super) fn reader(&self) -> [u8; 16] {
        match (self.user_id(), self.author()) {
            (Some(user), _) | (None, Author::User(user)) => *user.bytes(),
            (None, Author::Key(key)) => *key.bytes(),
            (None, Author::Local) => [0; 16],
        }
    }

    pub fn user_facts(&self) -> Option<&UserFacts> {
        match &self.power {
            Power::Local => None,
            Power::User(user, _) => Some(user),
            Power::Key(key) => key.owner.as_deref(),
        }
    }

    /// Whether the actor holds the permission, or all permissions of the pattern.
    pub fn holds(&self, query: RightQuery<'_>) -> bool {
        self.holds_in(&self.organization, query)
    }

    fn holds_in(&self, organization: &OrganizationFacts, query: RightQuery<'_>) -> bool {
        match &self.power {
            Power::Local => true,
            Power::User(user, _) => user.holds(organization, query),
            Power::Key(key) => {
                let standing = key.owner.as_ref().map(|owner| owner.standing);
                key.rights.grants(standing, organization.bounds(), query)
            },
        }
    }

    /// Whether the actor is an owner in a session, or the operator on the host. A key is never an
    /// owner, not even the key of an owner.
    pub fn is_owner(&self) -> bool {
        match &self.power {
            Power::Local => true,
            Power::User(user, _) => user.is_owner(),
            Power::Key(_) => false,
        }
    }

    /// Requires that the actor may remove another user's second factor: the operator on the host,
    /// or an owner in a session that was opened with a second factor.
    pub fn require_factor_removal(&self) -> Result<(), ActionError> {
        if !self.is_owner() {
            return Err(ActionError::PermissionRequired(OWNER.to_owned()));
        }
        self.require_own_factor()
    }

    /// Requires the operator on the host, or a user in a session that was opened with a second
    /// factor. A key is always rejected.
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

    /// Whether the actor's user is in a team; for a personal key, whether its owner is.
    pub fn is_in(&self, team: TeamId) -> bool {
        self.user_facts().is_some_and(|user| user.teams.contains(&team))
    }

    pub fn require(&self, permission: &str) -> Result<(), ActionError> {
        if self.has(permission) {
            Ok(())
        } else {
            Err(ActionError::PermissionRequired(permission.to_owned()))
        }
    }

    /// Requires that the actor holds everything that these patterns grant.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] with the first pattern that is not held.
    pub fn require_all(&self, patterns: PatternSet<'_>) -> Result<(), ActionError> {
        match self.lacks(patterns) {
            Some(pattern) => Err(ActionError::PermissionRequired(pattern.to_owned())),
            None => Ok(()),
        }
    }

    /// Requires that the actor may give a role to a user: only owners give the role owner; any
    /// other role can be given only by an actor who holds all of its permissions.
    pub fn require_role(&self, role: &HeldRole) -> Result<(), ActionError> {
        if role.role().is_owner() && !self.is_owner() {
            return Err(ActionError::PermissionRequired(OWNER.to_owned()));
        }
        self.require_rank(role.patterns(self.organization.members_create_keys).as_set())
    }

    /// Requires that the actor holds all permissions of a role, regardless of the organization's
    /// maximum.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] with the first pattern that is not held.
    pub fn require_rank(&self, patterns: PatternSet<'_>) -> Result<(), ActionError> {
        match patterns.texts().find(|pattern| !self.outranks(pattern)) {
            Some(pattern) => Err(ActionError::PermissionRequired(pattern.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether the actor holds all that a pattern grants, regardless of the organization's maximum.
    /// If the maximum applied, an owner under a low maximum would not hold the `*` of a plain
    /// user's role, and could not invite users.
    fn outranks(&self, pattern: &str) -> bool {
        let ceiling = PatternSet::ALL.into();
        let unbounded = OrganizationFacts { ceiling, ..(*self.organization).clone() };
        self.holds_in(&unbounded, RightQuery::Pattern(pattern))
    }

    /// Requires that the actor holds everything that a user holds, before the actor may reset,
    /// disable, demote, remove or re-invite the user.
    pub fn require_rank_over(&self, user: &UserFacts) -> Result<(), ActionError> {
        if user.standing.operator {
            self.require(INSTANCE_MANAGE)?;
        }
        self.require_role(&user.role)
    }

    /// Whether the actor may see that a gate with this name exists. Every actor may see the built-in gate.
    pub fn sees_gate(&self, name: &str) -> bool {
        name == DEFAULT_GATE || self.has(INSTANCE_MANAGE)
    }

    pub fn has(&self, permission: &str) -> bool {
        self.holds(RightQuery::Permission(permission))
    }

    /// The first of these patterns that the actor does not hold in full.
    pub fn lacks<'a>(&self, patterns: PatternSet<'a>) -> Option<&'a str> {
        patterns.texts().find(|pattern| !self.holds(RightQuery::Pattern(pattern)))
    }
}
