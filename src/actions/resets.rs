//! Resets: a one-time link with which a user sets a new password. Nobody learns the password, and
//! the link dies with whoever made it, like an invitation.

use std::net::IpAddr;

use keyhouse_storage::Batch;
use serde_json::json;

use crate::actions::acceptance::{LinkUser, link_of_nobody};
use crate::actions::access::{LINK_LIFETIME, happening};
use crate::actions::accounts::account_of;
use crate::actions::actor::Actor;
use crate::actions::events::Happening;
use crate::actions::new_password::require_length;
use crate::actions::users::own_account;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::model::id::UserId;
use crate::model::moment::Moment;
use crate::model::password::{Factors, Personal};
use crate::model::role::USERS_MANAGE;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::access::UserRecord;
use crate::records::notice::NoticeKind;
use crate::records::people::ResetRecord;
use crate::records::place::Place;

/// A one-time link for a new password.
#[derive(Debug)]
pub struct NewReset {
    /// Its token.
    pub token: Secret,
    /// When it ends.
    pub ends_at: Moment,
}

impl Actions {
    /// Makes a link with which a user sets a new password; the one before ends. With `totp` the
    /// second factor goes when the link is used, which takes an owner in a session that was opened
    /// with a second factor, or the operator on the host.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] where the user holds what the actor doesn't;
    /// [`ActionError::SecondFactorRequired`];
    /// [`ActionError::NotFound`]; [`ActionError::Conflict`] for the actor's own account: whoever finds
    /// an open session or a key must not take it over.
    pub fn reset_user(
        &self,
        actor: &Actor,
        id: UserId,
        totp: bool,
    ) -> Result<NewReset, ActionError> {
        self.in_turn(|| {
            let decided = self.authorize_people(actor, USERS_MANAGE)?;
            let (today, batch) = (&decided.actor, Batch::new());
            decided.require_lasting()?;
            if today.user_id() == Some(id) {
                return Err(own_account("one's own password is changed with PATCH /v1/me"));
            }
            let held = self.find_user(today, id)?;
            self.require_over(today, &held.record)?;
            if totp {
                today.require_factor_removal()?;
            }
            let now = self.clock.now().wall;
            let token = Secret::new(format!("{id}.{}", self.new_token().reveal()));
            let (digest, ends_at) = (token.digest(), now.after(LINK_LIFETIME));
            let record = ResetRecord { digest, created_by: actor.author(), ends_at, totp };
            let batch = batch.unchanged(Place::User(id).to_bytes(), held.revision);
            let batch = put(batch, &Place::Reset(id), &record)?;
            let happening = Happening::by(&decided, "reset.create", id)
                .inside(held.record.organization)
                .with_change(&json!({}), &json!({ "totp": totp }));
            let committed = self.commit_change(decided, batch, now, happening)?;
            let made = NewReset { token, ends_at };
            Ok(committed.map_or(Attempt::Again, |_revision| Attempt::Done(made)))
        })
    }

    /// Sets the password of the user whose link this is. All their sessions end; their second factor
    /// stays, unless the link was made to take it away.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] for a link that was used, has ended, or whose maker may not make
    /// it any more; [`ActionError::Invalid`] for a password that may not be chosen.
    pub fn use_reset(
        &self,
        token: &Secret,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<(), ActionError> {
        let (reset, user) = self.reset_of(token)?;
        // Nobody makes this instance hash who does not hold a good link.
        self.require_resetter(&reset.record, &user.record)?;
        let (factors, _guard) = self.factors_left(Batch::new(), &reset.record, user.record.id)?;
        let user = &user.record;
        let organization = self.organization_name(user.organization);
        let about = Personal { name: &user.name, email: &user.email, organization: &organization };
        self.require_good(password, &about, factors)?;
        let hash = self.hash(password)?;
        self.in_turn(|| {
            let batch = self.guard_people()?;
            let (reset, held) = self.reset_of(token)?;
            let (id, organization) = (held.record.id, held.record.organization);
            let batch = self
                .guard_author(batch, reset.record.created_by, organization)
                .map_err(link_of_nobody)?;
            self.require_resetter(&reset.record, &held.record)?;
            let (factors, batch) = self.factors_left(batch, &reset.record, id)?;
            require_length(password, factors)?;
            let now = self.clock.now().wall;
            let mut record = held.record.clone();
            record.set_password(&hash);
            record.version += 1;
            record.notices.add(NoticeKind::PasswordReset, reset.record.created_by, now);
            let had_totp = self.factors(Batch::new(), id)?.0 == Factors::PasswordAndCode;
            if reset.record.totp && had_totp {
                record.notices.add(NoticeKind::TotpRemoved, reset.record.created_by, now);
            }
            let batch = self.rewrite_user(batch, &held, &record)?;
            let used = Place::Reset(id).to_bytes();
            let mut batch = batch.unchanged(used.clone(), reset.revision).delete(used);
            if reset.record.totp {
                batch = batch.delete(Place::Totp(id).to_bytes());
            }
            if reset.record.totp && had_totp {
                let removed = Self::factor_removed(&reset.record, &held.record);
                batch = self.record(batch, now, removed)?;
            }
            let happening = happening("reset.use", id, Some(organization), address)
                .with_change(&json!({}), &json!({ "totp": reset.record.totp }));
            let batch = self.record(batch, now, happening)?;
            Ok(self.commit_upkeep(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(id)))
        })
        .map(|user| self.throttle.forgive(&account_of(user)))
    }

    /// Whose password a reset link sets, told to its holder.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] as for [`Actions::use_reset`].
    pub fn reset_for(&self, token: &Secret) -> Result<LinkUser, ActionError> {
        let (reset, user) = self.reset_of(token)?;
        self.require_resetter(&reset.record, &user.record)?;
        let user = user.record;
        let organization = self.organization_name(user.organization);
        Ok(LinkUser { email: user.email, name: Some(user.name), organization })
    }

    /// What proves who signs in as this user once the link was used.
    fn factors_left(
        &self,
        batch: Batch,
        reset: &ResetRecord,
        user: UserId,
    ) -> Result<(Factors, Batch), ActionError> {
        let (factors, batch) = self.factors(batch, user)?;
        Ok((if reset.totp { Factors::Password } else { factors }, batch))
    }

    /// The reset of a token, while its time lasts, and its user.
    fn reset_of(
        &self,
        token: &Secret,
    ) -> Result<(Held<ResetRecord>, Held<UserRecord>), ActionError> {
        let id = token.reveal().split_once('.').and_then(|(id, _)| id.parse().ok());
        let id: UserId = id.ok_or(ActionError::LinkInvalid)?;
        let reset: Option<Held<ResetRecord>> = self.read(&Place::Reset(id))?;
        let now = self.clock.now().wall;
        let fits = |held: &Held<ResetRecord>| {
            held.record.digest == token.digest() && now < held.record.ends_at
        };
        let reset = reset.filter(fits).ok_or(ActionError::LinkInvalid)?;
        let user = self.read(&Place::User(id))?.ok_or(ActionError::LinkInvalid)?;
        Ok((reset, user))
    }

    /// Checks that who made a reset could make it now.
    fn require_resetter(&self, reset: &ResetRecord, user: &UserRecord) -> Result<(), ActionError> {
        let maker = self.author_today(reset.created_by, user.organization);
        let maker = maker.filter(|maker| maker.organization_id() == user.organization);
        let maker = maker.ok_or(ActionError::LinkInvalid)?;
        let may = maker.require(USERS_MANAGE).and_then(|()| self.require_over(&maker, user));
        let may = match may {
            Ok(()) if reset.totp && !maker.is_owner() => Err(ActionError::LinkInvalid),
            may => may,
        };
        may.map_err(link_of_nobody)
    }

    /// The event that a second factor goes, as an act of its own of the one who made the link.
    fn factor_removed(reset: &ResetRecord, user: &UserRecord) -> Happening {
        let removed =
            happening("user.second_factor.remove", user.id, Some(user.organization), None);
        Happening { actor: Some(reset.created_by), ..removed }
    }
}
