//! Email addresses of accounts. An address is unique in an organization, not in the instance.
//!
//! A sign-in tries the password on at most four accounts of the address: first the accounts of
//! organizations that vouch for the domain, then the oldest. Each failure counts for its own user,
//! so a success on one account clears no failures on another. If the password matches several
//! accounts, the response first requires the organization (409), and then a code.

use keyhouse_storage::{At, Batch, Range};

use crate::actions::{ActionError, Actions, put};
use crate::model::domain::domain_of;
use crate::model::errors;
use crate::model::id::{OrganizationId, UserId};
use crate::records::access::{DomainRecord, EmailRecord, UserRecord};
use crate::records::place::StoreKey;
use crate::records::{Revised, read_row};

/// Maximum number of accounts of one address that a sign-in tries. Each account costs a hash and
/// counts as a separate guess.
pub const ACCOUNTS_TRIED_MAX: usize = 4;

/// An account that a sign-in tries, which may not exist.
#[derive(Debug)]
pub(in crate::actions) struct SignInAccount {
    /// The name under which failures are counted.
    pub(in crate::actions) name: String,
    /// The user; `None` if the account does not exist.
    pub(in crate::actions) user: Option<UserRecord>,
}

/// The name under which failures at a user's account are counted. Two users of one address are
/// counted separately: a success of the owner of one account does not clear failures at the other.
pub(in crate::actions) fn account_of(user: UserId) -> String {
    user.to_string()
}

impl Actions {
    /// Finds the user of an organization by address, in canonical form.
    pub(in crate::actions) fn user_of(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> Result<Option<Revised<UserRecord>>, ActionError> {
        let place = StoreKey::Email(email.to_owned(), organization);
        let Some(owner) = self.read::<EmailRecord>(&place)? else { return Ok(None) };
        self.read(&StoreKey::User(owner.record.user))
    }

    /// The users who have an address, in canonical form, at most `limit`. The users of the oldest
    /// organizations come first.
    pub(in crate::actions) fn users_of(
        &self,
        email: &str,
        limit: usize,
    ) -> Result<Vec<UserRecord>, ActionError> {
        let prefix = StoreKey::users_of(email);
        let page = self.store.scan(&Range { limit, ..Range::prefix(&prefix) }, At::Latest)?;
        let mut users = Vec::new();
        for row in &page.rows {
            let owner: Revised<EmailRecord> = read_row(row)?;
            let user: Option<Revised<UserRecord>> =
                self.read(&StoreKey::User(owner.record.user))?;
            users.extend(user.map(|held| held.record));
        }
        Ok(users)
    }

    /// The accounts that a sign-in tries: the account in the named organization, otherwise at most
    /// [`ACCOUNTS_TRIED_MAX`] accounts. The accounts of organizations that vouch for the address
    /// come first, then the oldest, so that other organizations cannot displace them. The result is
    /// never empty: a missing account takes as much time as an existing account.
    pub(in crate::actions) fn accounts(
        &self,
        email: &str,
        organization: Option<OrganizationId>,
    ) -> Result<Vec<SignInAccount>, ActionError> {
        let named = organization.map(|id| self.user_of(id, email)).transpose()?.flatten();
        if let Some(user) = named {
            return Ok(vec![user.record.into()]);
        }
        let users = self.users_by_standing(email)?;
        // The attempt is counted like an attempt without an organization, so that the response does
        // not reveal whether the organization has the account.
        let anonymous = || {
            let name = users.first().map_or_else(|| email.to_owned(), |user| account_of(user.id));
            SignInAccount { name, user: None }
        };
        if organization.is_some() || users.is_empty() {
            return Ok(vec![anonymous()]);
        }
        Ok(users.into_iter().map(SignInAccount::from).collect())
    }

    fn users_by_standing(&self, email: &str) -> Result<Vec<UserRecord>, ActionError> {
        let domain = domain_of(email).map(|domain| StoreKey::Domain(domain.into()));
        let assigned = domain.map(|place| self.read::<DomainRecord>(&place)).transpose()?;
        let assigned = assigned.flatten().map(|held| held.record.organization);
        let founding = self.index.founding_organization();
        let mut users: Vec<UserRecord> = Vec::new();
        for organization in [founding, assigned.filter(|it| Some(*it) != founding)] {
            let user = organization.map(|id| self.user_of(id, email)).transpose()?.flatten();
            users.extend(user.map(|held| held.record));
        }
        for user in self.users_of(email, ACCOUNTS_TRIED_MAX)? {
            if users.iter().all(|known| known.id != user.id) {
                users.push(user);
            }
        }
        users.truncate(ACCOUNTS_TRIED_MAX);
        Ok(users)
    }

    /// Adds the change of a user's address to the batch of the user's record, if the address
    /// changes.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] if another user of the organization has the new address.
    pub(in crate::actions) fn move_email(
        &self,
        batch: Batch,
        before: &UserRecord,
        after: &UserRecord,
    ) -> Result<Batch, ActionError> {
        if before.email == after.email {
            return Ok(batch);
        }
        let place = StoreKey::Email(after.email.clone(), after.organization);
        if self.read::<EmailRecord>(&place)?.is_some() {
            return Err(email_taken());
        }
        let old = StoreKey::Email(before.email.clone(), before.organization);
        let batch = batch.absent(place.to_bytes()).delete(old.to_bytes());
        put(batch, &place, &EmailRecord { user: after.id })
    }
}

impl From<UserRecord> for SignInAccount {
    fn from(user: UserRecord) -> Self {
        Self { name: account_of(user.id), user: Some(user) }
    }
}

/// The error reveals nothing about users of other organizations.
pub(in crate::actions) fn email_taken() -> ActionError {
    ActionError::Conflict {
        error: errors::EMAIL_TAKEN,
        detail: "a user of this organization already has this address: use another address",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::actor::Actor;
    use crate::actions::signing_in::lockouts::LockoutId;
    use crate::actions::signing_in::sign_in::SignIn;
    use crate::actions::signing_in::throttle::Source;
    use crate::actions::test_instance::TestInstance;
    use crate::model::secret::Secret;
    use crate::records::access::OrganizationRecord;

    const ADA: &str = "ada@example.com";
    const ADAS: &str = "correct horse battery";
    const OTHERS: &str = "another horse battery";
    const WRONG: &str = "a wrong horse battery";

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Came {
        In,
        Failed,
        Throttled,
    }

    fn sign_in(
        instance: &TestInstance,
        email: &str,
        password: &str,
        named: Option<OrganizationId>,
    ) -> Came {
        let credentials = SignIn {
            email: email.to_owned(),
            organization: named,
            password: Secret::new(password.to_owned()),
            code: None,
            source: Source { address: Some([192, 0, 2, 7].into()), on_host: false },
            user_agent: None,
            device: None,
        };
        match instance.actions.sign_in(&credentials) {
            Ok(_) => Came::In,
            Err(ActionError::SignInFailed) => Came::Failed,
            Err(ActionError::Throttled { .. }) => Came::Throttled,
            Err(error) => panic!("{error}"),
        }
    }

    /// Creates a second organization that has a user with Ada's address.
    fn with_another(instance: &TestInstance) -> OrganizationId {
        let organization = OrganizationId::from_bytes([7; 16]);
        let now = instance.clock_now().wall;
        let record = OrganizationRecord::new(organization, "Other".to_owned(), "pro", now);
        instance.put(&StoreKey::Organization(organization), &record);
        let ada: Revised<UserRecord> =
            instance.actions.read(&StoreKey::User(instance.owner)).unwrap().unwrap();
        let id = UserId::from_bytes([7; 16]);
        let password = instance.actions.hash(&Secret::new(OTHERS.to_owned())).unwrap();
        instance.put(
            &StoreKey::User(id),
            &UserRecord { id, organization, password, operator: false, ..ada.record },
        );
        instance.put(&StoreKey::Email(ADA.to_owned(), organization), &EmailRecord { user: id });
        organization
    }

    fn own(instance: &TestInstance) -> Option<OrganizationId> {
        instance.actions.index().founding_organization()
    }

    #[test]
    fn a_success_forgives_nothing_at_another_users_account() {
        let instance = TestInstance::new();
        let (own, other) = (own(&instance), Some(with_another(&instance)));
        for _ in 0..5 {
            assert_eq!(sign_in(&instance, ADA, WRONG, own), Came::Failed);
        }
        assert_eq!(sign_in(&instance, ADA, OTHERS, other), Came::In);
        assert_eq!(sign_in(&instance, ADA, WRONG, own), Came::Throttled);
        assert_eq!(sign_in(&instance, ADA, WRONG, other), Came::Failed);
    }

    #[test]
    fn every_account_that_a_password_is_held_against_counts_it() {
        let instance = TestInstance::new();
        let (own, other) = (own(&instance), Some(with_another(&instance)));
        for _ in 0..5 {
            assert_eq!(sign_in(&instance, ADA, WRONG, None), Came::Failed);
        }
        for named in [None, own, other] {
            assert_eq!(sign_in(&instance, ADA, WRONG, named), Came::Throttled);
        }
    }

    /// A password that matches one account counts as a failed guess at the other account, since a
    /// user can choose any password for their own account.
    #[test]
    fn a_password_of_one_account_is_a_failed_guess_at_the_other() {
        let instance = TestInstance::new();
        let own = own(&instance);
        with_another(&instance);
        for _ in 0..5 {
            assert_eq!(sign_in(&instance, ADA, OTHERS, None), Came::In);
        }
        assert_eq!(sign_in(&instance, ADA, ADAS, own), Came::Throttled);
        // The failures at one account do not lock the user out of the account that the password
        // matches.
        assert_eq!(sign_in(&instance, ADA, OTHERS, None), Came::In);
        instance.clock.advance(Duration::from_secs(1));
        assert_eq!(sign_in(&instance, ADA, ADAS, own), Came::In);
    }

    /// Regression: a second organization with Ada's address could read in its audit log when, and
    /// from which client address, Ada signed in to her own organization.
    #[test]
    fn a_sign_in_is_not_reported_to_another_organization() {
        let instance = TestInstance::new();
        with_another(&instance);
        // More failures than are allowed without a wait, so that the other account then waits.
        for _ in 0..7 {
            assert_eq!(sign_in(&instance, ADA, ADAS, None), Came::In);
        }
        instance.actions.flush_failed_sign_ins();
        assert_eq!(instance.events("session.refuse"), []);
    }

    /// Regression: the owner of a second organization could see in the list of lockouts when Ada
    /// signed in to her own organization.
    #[test]
    fn the_lock_outs_of_another_organization_show_no_sign_in() {
        let instance = TestInstance::new();
        let other = with_another(&instance);
        let owner = || {
            let index = instance.actions.index();
            let user = index.user(UserId::from_bytes([7; 16])).unwrap();
            Actor::user(index, user, None).unwrap()
        };
        let failures = |actor: &Actor| {
            let listed = instance.actions.lockouts(actor, 10).unwrap();
            listed.iter().filter_map(|lockout| lockout.failures).collect::<Vec<_>>()
        };
        for _ in 0..7 {
            assert_eq!(sign_in(&instance, ADA, ADAS, None), Came::In);
        }
        assert_eq!(failures(&owner()), [0; 0], "its owner, who vouches for nothing");
        assert_eq!(failures(&instance.owner()), [5], "the operator sees all");
        instance.clock.advance(Duration::from_secs(10));
        for _ in 0..5 {
            assert_eq!(sign_in(&instance, ADA, WRONG, Some(other)), Came::Failed);
            instance.clock.advance(Duration::from_secs(10));
        }
        assert_eq!(failures(&owner()), [5], "guesses are shown");
        assert_eq!(failures(&instance.owner()), [10]);
    }

    /// Regression: sign-ins to one organization could lock an account of another organization,
    /// whose owner could not lift the lockout, since the list did not show it.
    #[test]
    fn an_owner_lifts_a_lock_out_that_the_list_hides() {
        let instance = TestInstance::new();
        let other = with_another(&instance);
        let index = instance.actions.index();
        let owner = index.user(UserId::from_bytes([7; 16])).unwrap();
        let owner = Actor::user(index, owner, None).unwrap();
        for _ in 0..7 {
            assert_eq!(sign_in(&instance, ADA, ADAS, None), Came::In);
        }
        assert_eq!(instance.actions.lockouts(&owner, 10).unwrap().len(), 0);
        let users = index.users_of(other);
        let ada = users.iter().find(|user| user.email == ADA).unwrap().id;
        instance.actions.lift_lockout(&owner, LockoutId::User(ada)).unwrap();
        assert_eq!(
            instance.actions.lockouts(&instance.owner(), 10).unwrap().len(),
            0,
            "it is lifted"
        );
    }

    /// Both organizations' audit logs record a wrong password. Only the organization that vouches
    /// for the email address sees the client's address.
    #[test]
    fn addresses_of_failed_sign_ins_are_reported_to_the_organization_of_the_domain() {
        let instance = TestInstance::new();
        let other = with_another(&instance);
        assert_eq!(sign_in(&instance, ADA, WRONG, None), Came::Failed);
        instance.actions.flush_failed_sign_ins();
        let reported = |organization: Option<OrganizationId>| {
            let mut events = instance.events("session.refuse").into_iter();
            let event = events.find(|event| event.organization == organization).unwrap();
            (event.after["count"].clone(), event.after.get("network").cloned(), event.address)
        };
        let address = Some([192, 0, 2, 7].into());
        assert_eq!(reported(own(&instance)), (1.into(), Some("192.0.2.0/24".into()), address));
        assert_eq!(reported(Some(other)), (1.into(), None, None));
        assert_eq!(instance.events("session.refuse").len(), 2);
    }

    /// The waits do not reveal which organizations have an account of the address.
    #[test]
    fn an_organization_without_the_account_is_counted_like_the_address() {
        for email in [ADA, "unknown@example.com"] {
            let instance = TestInstance::new();
            let strange = Some(OrganizationId::from_bytes([9; 16]));
            for named in [None, own(&instance), strange, None, own(&instance)] {
                assert_eq!(sign_in(&instance, email, WRONG, named), Came::Failed, "{email}");
            }
            for named in [None, own(&instance), strange] {
                assert_eq!(sign_in(&instance, email, WRONG, named), Came::Throttled, "{email}");
            }
        }
    }
}
