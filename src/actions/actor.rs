//! Who asks: a session's user, a management key, or the operator on the host.

use std::net::IpAddr;
use std::sync::Arc;

use crate::index::Index;
use crate::index::facts::{Ask, OrganizationFacts, UserFacts};
use crate::index::grant::Grant;
use crate::model::id::{OrganizationId, UserId};
use crate::model::permission::PatternSet;
use crate::records::key::Author;

/// One who asks, with the facts of this moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The address the request came from; none through the control socket.
    pub address: Option<IpAddr>,
    organization: Arc<OrganizationFacts>,
    power: Power,
}

#[derive(Clone, Debug)]
enum Power {
    Local,
    User(Arc<UserFacts>),
    Key(Box<Grant>, Option<Arc<UserFacts>>),
}

impl Actor {
    /// The operator on the host, who may do all, in an organization.
    pub fn local(organization: Arc<OrganizationFacts>) -> Self {
        Self { address: None, organization, power: Power::Local }
    }

    /// A user through a session. `None` when the organization is not known.
    pub fn user(index: &Index, user: Arc<UserFacts>, address: Option<IpAddr>) -> Option<Self> {
        let organization = index.organization(user.organization)?;
        Some(Self { address, organization, power: Power::User(user) })
    }

    /// A management key that was found valid.
    pub fn key(grant: &Grant, address: Option<IpAddr>) -> Self {
        let owner = grant.owner.as_ref().map(|owner| owner.facts());
        let organization = grant.organization.load_full();
        Self { address, organization, power: Power::Key(Box::new(grant.clone()), owner) }
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
        matches!(self.power, Power::Key(..))
    }

    /// The name in records.
    pub fn author(&self) -> Author {
        match &self.power {
            Power::Local => Author::Local,
            Power::User(user) => Author::User(user.id),
            Power::Key(grant, _) => Author::Key(grant.live.key),
        }
    }

    /// The user for whom this actor acts: their own session, or a personal key of theirs.
    pub fn user_id(&self) -> Option<UserId> {
        match &self.power {
            Power::Local => None,
            Power::User(user) => Some(user.id),
            Power::Key(_, owner) => owner.as_ref().map(|owner| owner.id),
        }
    }

    /// The facts of that user.
    pub fn user_facts(&self) -> Option<&UserFacts> {
        match &self.power {
            Power::Local => None,
            Power::User(user) => Some(user),
            Power::Key(_, owner) => owner.as_deref(),
        }
    }

    /// Whether the actor holds what is asked.
    pub fn holds(&self, ask: Ask<'_>) -> bool {
        match &self.power {
            Power::Local => true,
            Power::User(user) => user.standing.holds(&self.organization, ask),
            Power::Key(grant, owner) => {
                let standing = owner.as_ref().map(|owner| owner.standing);
                grant.grants(standing, &self.organization, ask)
            },
        }
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
