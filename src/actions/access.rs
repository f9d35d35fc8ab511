//! Who gets in: the first owner, signing in and out, sessions.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhouse_storage::{Batch, Revision};
use rand::Rng;

use crate::actions::events::Happening;
use crate::actions::passwords::HashError;
use crate::actions::{ActionError, Actions, Attempt, put};
use crate::index::facts::UserFacts;
use crate::model::fault::Fault;
use crate::model::id::{OrganizationId, SessionId, UserId};
use crate::model::moment::Moment;
use crate::model::name::{parse_email, parse_name};
use crate::model::password::check_password;
use crate::model::plan::{FIRST_PLANS, SubscriptionStatus};
use crate::model::role::BuiltinRole;
use crate::model::secret::Secret;
use crate::records::Held;
use crate::records::access::{
    EmailRecord, FoundedRecord, OrganizationRecord, PlanRecord, SessionRecord, SessionsRecord,
    SetupRecord, UserRecord,
};
use crate::records::key::Author;
use crate::records::place::Place;

/// How long a one-time link works.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);
/// How long a session lasts without a request.
pub const SESSION_IDLE: Duration = Duration::from_hours(1);
/// How long a session lasts at all.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(24);
/// Most sessions of one user; a further one ends the oldest.
pub const SESSIONS_MAX: usize = 20;
/// How often being seen is written.
const SEEN_RESOLUTION: Duration = Duration::from_mins(1);
/// The plan of the organization that the bootstrap makes.
const FIRST_PLAN: &str = "pro";
const TOKEN_BYTES: usize = 32;

/// The first owner, as they describe themselves.
#[derive(Debug)]
pub struct FirstOwner {
    /// The name; the address's first part where there is none.
    pub name: Option<String>,
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
}

/// A session that was just opened.
#[derive(Debug)]
pub struct NewSession {
    /// The cookie's text.
    pub token: Secret,
    /// When the session ends at the latest.
    pub ends_at: Moment,
    /// Whose it is.
    pub user: UserId,
}

impl Actions {
    /// Whether the first organization was made.
    ///
    /// # Errors
    /// [`ActionError::StorageUnavailable`].
    pub fn is_founded(&self) -> Result<bool, ActionError> {
        Ok(self.read::<FoundedRecord>(&Place::Founded)?.is_some())
    }

    /// Makes a new one-time token for the first owner; the one before ends.
    ///
    /// # Errors
    /// The store's.
    pub fn prepare_setup(&self) -> Result<Secret, ActionError> {
        let token = self.new_token();
        let ends_at = self.clock.now().wall.after(LINK_LIFETIME);
        let record = SetupRecord { digest: token.digest(), ends_at };
        let batch = Batch::new().absent(Place::Founded.to_bytes());
        let committed = self.commit(put(batch, &Place::Setup, &record)?)?;
        committed.map(|_revision| token).ok_or(ActionError::LinkInvalid)
    }

    /// Makes the first owner, who is operator, for the holder of the one-time token.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`], [`ActionError::Invalid`]; [`ActionError::NotFound`] once it is
    /// done.
    pub fn set_up(
        &self,
        token: &Secret,
        owner: &FirstOwner,
        address: Option<IpAddr>,
    ) -> Result<NewSession, ActionError> {
        if self.is_founded()? {
            return Err(ActionError::NotFound("setup: it is done"));
        }
        let setup: Held<SetupRecord> = self.read(&Place::Setup)?.ok_or(ActionError::LinkInvalid)?;
        let now = self.clock.now().wall;
        if setup.record.digest != token.digest() || now >= setup.record.ends_at {
            return Err(ActionError::LinkInvalid);
        }
        let (user, organization) = self.found(owner, address, Some(setup.revision))?;
        self.open_session(user, organization, address)
    }

    /// Makes the first organization with its owner, who is operator. `link` is the revision of the
    /// setup record where a one-time link is used up by this.
    ///
    /// # Errors
    /// [`ActionError::Invalid`]; [`ActionError::LinkInvalid`] when it was made already.
    pub fn found(
        &self,
        owner: &FirstOwner,
        address: Option<IpAddr>,
        link: Option<Revision>,
    ) -> Result<(UserId, OrganizationId), ActionError> {
        let (email, name) = checked(owner)?;
        let password = self.hash(&owner.password)?;
        let now = self.clock.now().wall;
        let (organization, user) = {
            let mut random = self.random();
            (OrganizationId::new(now, &mut *random), UserId::new(now, &mut *random))
        };
        let domain = email.split('@').next_back().unwrap_or("organization").to_owned();
        let mut batch = Batch::new().absent(Place::Founded.to_bytes());
        if let Some(revision) = link {
            let setup = Place::Setup.to_bytes();
            batch = batch.unchanged(setup.clone(), revision).delete(setup);
        }
        for (plan, api_access) in FIRST_PLANS {
            let record = PlanRecord { name: plan.into(), api_access, version: 1 };
            batch = put(batch, &Place::Plan(plan.into()), &record)?;
        }
        let user_record = UserRecord {
            id: user,
            organization,
            email: email.clone(),
            name,
            password,
            role: BuiltinRole::Owner,
            operator: true,
            disabled: false,
            created_at: now,
            version: 1,
        };
        batch = put(batch, &Place::Founded, &FoundedRecord { organization })?;
        batch = put(batch, &Place::Email(email), &EmailRecord { user })?;
        batch = put(batch, &Place::User(user), &user_record)?;
        let record = first_organization(organization, domain, now);
        batch = put(batch, &Place::Organization(organization), &record)?;
        let happening = happening("instance.setup", user, Some(organization), address);
        let batch = self.record(batch, now, happening)?;
        self.commit(batch)?.map(|_revision| (user, organization)).ok_or(ActionError::LinkInvalid)
    }

    /// Opens a session for the one who knows the password. Takes as long for an unknown address.
    ///
    /// # Errors
    /// [`ActionError::SignInFailed`], [`ActionError::Busy`].
    pub fn sign_in(
        &self,
        email: &str,
        password: &Secret,
        address: Option<IpAddr>,
    ) -> Result<NewSession, ActionError> {
        let user = self.user_by_email(email)?;
        let stored = user.as_ref().map(|user| user.password.as_str());
        let fits = self.passwords.verify(password, stored).map_err(hash_failed)?;
        match user {
            Some(user) if fits && !user.disabled => {
                self.open_session(user.id, user.organization, address)
            },
            Some(_) | None => Err(ActionError::SignInFailed),
        }
    }

    /// The user of a session's cookie, with the session; notes that it was seen.
    ///
    /// # Errors
    /// [`ActionError::SessionEnded`] for one that ended, or never was, or whose user is stopped.
    pub fn session(&self, token: &Secret) -> Result<(SessionRecord, Arc<UserFacts>), ActionError> {
        let place = Place::Session(token.digest());
        let held: Held<SessionRecord> = self.read(&place)?.ok_or(ActionError::SessionEnded)?;
        let (mut session, now) = (held.record, self.clock.now().wall);
        let idle_end = session.seen_at.after(SESSION_IDLE);
        if now >= idle_end || now >= session.created_at.after(SESSION_LIFETIME) {
            return Err(ActionError::SessionEnded);
        }
        let user = self.index.user(session.user).filter(|user| !user.standing.disabled);
        let user = user.ok_or(ActionError::SessionEnded)?;
        if now.since(session.seen_at) >= SEEN_RESOLUTION {
            session.seen_at = now;
            let batch = Batch::new().unchanged(place.to_bytes(), held.revision);
            // Not waited for: that a session was seen is no reason to let its request wait.
            drop(self.store.submit(put(batch, &place, &session)?));
        }
        Ok((session, user))
    }

    /// Ends a session. Ending one that has ended is no error.
    ///
    /// # Errors
    /// The store's.
    pub fn sign_out(&self, token: &Secret, address: Option<IpAddr>) -> Result<(), ActionError> {
        let digest = token.digest();
        let place = Place::Session(digest);
        Self::until_done(|| {
            let Some(held) = self.read::<SessionRecord>(&place)? else {
                return Ok(Attempt::Done(()));
            };
            let (user, now) = (held.record.user, self.clock.now().wall);
            let mut batch = Batch::new().delete(place.to_bytes());
            let (mut sessions, guard) = self.sessions_of(user)?;
            sessions.digests.retain(|known| *known != digest);
            batch = put(guard.on(batch), &Place::Sessions(user), &sessions)?;
            let known = self.index.user(user).map(|user| user.organization);
            let batch = self.record(batch, now, happening("session.end", user, known, address))?;
            Ok(self.commit(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(())))
        })
    }

    fn open_session(
        &self,
        user: UserId,
        organization: OrganizationId,
        address: Option<IpAddr>,
    ) -> Result<NewSession, ActionError> {
        let token = self.new_token();
        let digest = token.digest();
        let place = Place::Session(digest);
        Self::until_done(|| {
            let now = self.clock.now().wall;
            let id = SessionId::new(now, &mut *self.random());
            let session = SessionRecord { id, user, created_at: now, seen_at: now, address };
            let batch = put(Batch::new().absent(place.to_bytes()), &place, &session)?;
            let (mut sessions, guard) = self.sessions_of(user)?;
            let mut batch = guard.on(batch);
            while sessions.digests.len() >= SESSIONS_MAX {
                batch = batch.delete(Place::Session(sessions.digests.remove(0)).to_bytes());
            }
            sessions.digests.push(digest);
            let batch = put(batch, &Place::Sessions(user), &sessions)?;
            let began = happening("session.begin", user, Some(organization), address);
            let batch = self.record(batch, now, began)?;
            Ok(self.commit(batch)?.map_or(Attempt::Again, |_revision| Attempt::Done(now)))
        })
        .map(|now| NewSession { token, ends_at: now.after(SESSION_LIFETIME), user })
    }

    /// The sessions of a user, and what must hold for a change of them to go in.
    fn sessions_of(&self, user: UserId) -> Result<(SessionsRecord, SessionsGuard), ActionError> {
        let place = Place::Sessions(user);
        let held: Option<Held<SessionsRecord>> = self.read(&place)?;
        let guard = SessionsGuard(place.to_bytes(), held.as_ref().map(|held| held.revision));
        Ok((held.map(|held| held.record).unwrap_or_default(), guard))
    }

    fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, ActionError> {
        let Ok(email) = parse_email(email) else { return Ok(None) };
        let Some(owner) = self.read::<EmailRecord>(&Place::Email(email))? else { return Ok(None) };
        Ok(self.read(&Place::User(owner.record.user))?.map(|held| held.record))
    }

    fn hash(&self, password: &Secret) -> Result<String, ActionError> {
        // The salt is drawn before the wait: nobody else waits for the randomness meanwhile.
        let mut seeded: rand::rngs::StdRng = rand::SeedableRng::from_rng(&mut *self.random());
        self.passwords.hash(password, &mut seeded).map_err(hash_failed)
    }

    fn new_token(&self) -> Secret {
        let mut bytes = zeroize::Zeroizing::new([0; TOKEN_BYTES]);
        self.random().fill_bytes(&mut *bytes);
        Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
    }
}

/// That a user's sessions are still as they were read.
struct SessionsGuard(Vec<u8>, Option<Revision>);

impl SessionsGuard {
    fn on(self, batch: Batch) -> Batch {
        match self.1 {
            Some(revision) => batch.unchanged(self.0, revision),
            None => batch.absent(self.0),
        }
    }
}

fn checked(owner: &FirstOwner) -> Result<(String, String), ActionError> {
    let mut faults = Vec::new();
    let email = parse_email(&owner.email)
        .map_err(|error| faults.push(Fault::new("/email", "invalid_email", error)))
        .unwrap_or_default();
    let name = owner.name.as_deref().unwrap_or_else(|| email.split('@').next().unwrap_or("owner"));
    let name = match parse_name(name) {
        Ok(name) => name,
        Err(error) => {
            // Without a name the address's own stands in, and then that alone is at fault.
            if owner.name.is_some() {
                faults.push(Fault::new("/name", "invalid_name", error));
            }
            String::new()
        },
    };
    if let Err(error) = check_password(owner.password.reveal(), &email) {
        faults.push(Fault::new("/password", "invalid_password", error));
    }
    if faults.is_empty() { Ok((email, name)) } else { Err(ActionError::Invalid(faults)) }
}

fn first_organization(id: OrganizationId, name: String, now: Moment) -> OrganizationRecord {
    OrganizationRecord {
        id,
        name,
        suspended: false,
        ceiling: crate::model::permission::Patterns::everything(),
        members_create_keys: true,
        plan: FIRST_PLAN.into(),
        status: SubscriptionStatus::Active,
        current_period_end: None,
        created_at: now,
        version: 1,
    }
}

fn happening(
    action: &'static str,
    user: UserId,
    organization: Option<OrganizationId>,
    address: Option<IpAddr>,
) -> Happening {
    Happening {
        actor: Some(Author::User(user)),
        address,
        organization,
        action,
        target: user.to_string(),
        before: serde_json::Map::new(),
        after: serde_json::Map::new(),
    }
}

fn hash_failed(error: HashError) -> ActionError {
    match error {
        HashError::Busy => ActionError::Busy,
        HashError::Failed => ActionError::StorageUnavailable,
    }
}
