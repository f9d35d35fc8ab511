//! The first organization with its owner, and functions that every kind of sign-in uses.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhouse_storage::{Batch, Revision};
use rand::Rng;

use crate::actions::accounts::acceptance::{LinkFacts, LinkKind};
use crate::actions::events::AuditEntry;
use crate::actions::signing_in::passwords::hash_failed;
use crate::actions::signing_in::sessions::NewSession;
use crate::actions::{ActionError, Actions, put};
use crate::index::CallOrigin;
use crate::model::audit_action::AuditAction;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::{OrganizationId, UserId};
use crate::model::name::{parse_email, parse_name};
use crate::model::password::{Factors, Personal};
use crate::model::plan::FIRST_PLANS;
use crate::model::role::BuiltinRole;
use crate::model::secret::Secret;
use crate::records::Revised;
use crate::records::access::{
    EmailRecord, FoundedRecord, OrganizationRecord, PlanRecord, SetupRecord, UserRecord,
};
use crate::records::notice::Notices;
use crate::records::place::StoreKey;

/// Lifetime of a one-time link.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);
/// The plan of the organization that the first start creates.
const FIRST_PLAN: &str = "pro";
const TOKEN_BYTES: usize = 32;

/// Name, address and password of the first owner.
#[derive(Debug)]
pub struct FirstOwner {
    /// The name; the default is the part of the address before the `@`.
    pub name: Option<String>,
    pub email: String,
    pub password: Secret,
}

impl Actions {
    /// Whether the first organization exists.
    pub fn is_founded(&self) -> Result<bool, ActionError> {
        Ok(self.read::<FoundedRecord>(&StoreKey::Founded)?.is_some())
    }

    /// Creates a one-time token for the first owner. The previous token becomes invalid.
    pub fn prepare_setup(&self) -> Result<Secret, ActionError> {
        let token = self.new_token();
        let ends_at = self.clock.now().wall.after(LINK_LIFETIME);
        let record = SetupRecord { digest: token.digest(), ends_at };
        let batch = Batch::new().absent(StoreKey::Founded.to_bytes());
        let committed = self.commit_upkeep(put(batch, &StoreKey::Setup, &record)?)?;
        committed.map(|_revision| token).ok_or(ActionError::LinkInvalid)
    }

    /// The facts of a setup link, for its holder. After the first owner exists, every setup link is invalid.
    pub(in crate::actions) fn setup_for(&self, token: &Secret) -> Result<LinkFacts, ActionError> {
        let setup = self.setup_of(token)?;
        if self.is_founded()? {
            return Err(ActionError::LinkInvalid);
        }
        Ok(LinkFacts { kind: LinkKind::Setup, ends_at: setup.record.ends_at, account: None })
    }

    /// The setup record, if the token is that of the setup link and the link has not expired.
    fn setup_of(&self, token: &Secret) -> Result<Revised<SetupRecord>, ActionError> {
        let setup: Option<Revised<SetupRecord>> = self.read(&StoreKey::Setup)?;
        let now = self.clock.now().wall;
        let fits = |setup: &Revised<SetupRecord>| {
            setup.record.digest == token.digest() && now < setup.record.ends_at
        };
        setup.filter(fits).ok_or(ActionError::LinkInvalid)
    }

    /// Creates the first owner, who is also an operator, for the holder of the one-time token.
    ///
    /// # Errors
    /// [`ActionError::NotFound`] once the first owner exists.
    pub fn set_up(
        &self,
        token: &Secret,
        owner: &FirstOwner,
        origin: CallOrigin<'_>,
    ) -> Result<NewSession, ActionError> {
        if self.is_founded()? {
            return Err(ActionError::NotFound("setup link"));
        }
        let setup = self.setup_of(token)?;
        let (user, organization) = self.found(owner, origin.ip, Some(setup.revision))?;
        self.open_session(user, organization, origin)
    }

    /// Creates the first organization with its owner, who is also an operator. `link` is the
    /// revision of the setup record, if the caller presented a one-time link, which is then used
    /// up.
    ///
    /// # Errors
    /// [`ActionError::LinkInvalid`] if the first organization exists already.
    pub fn found(
        &self,
        owner: &FirstOwner,
        address: Option<IpAddr>,
        link: Option<Revision>,
    ) -> Result<(UserId, OrganizationId), ActionError> {
        let (email, name) = self.checked_owner(owner)?;
        let password = self.hash(&owner.password)?;
        let now = self.clock.now().wall;
        let (organization, user) = {
            let mut random = self.random();
            (OrganizationId::new(now, &mut *random), UserId::new(now, &mut *random))
        };
        let domain = domain_of(&email).to_owned();
        let mut batch = Batch::new().absent(StoreKey::Founded.to_bytes());
        if let Some(revision) = link {
            let setup = StoreKey::Setup.to_bytes();
            batch = batch.unchanged(setup.clone(), revision).delete(setup);
        }
        for (plan, features) in FIRST_PLANS {
            let record = PlanRecord::unlimited(plan, features);
            batch = put(batch, &StoreKey::Plan(plan.into()), &record)?;
        }
        let user_record = UserRecord {
            id: user,
            organization,
            email: email.clone(),
            email_unconfirmed: false,
            name,
            password,
            role: BuiltinRole::Owner.into(),
            operator: true,
            disabled: false,
            teams: Vec::new(),
            locale: None,
            notices: Notices::default(),
            password_changes: 0,
            created_at: now,
            version: 1,
        };
        batch = put(batch, &StoreKey::Founded, &FoundedRecord { organization })?;
        batch = put(batch, &StoreKey::Email(email, organization), &EmailRecord { user })?;
        batch = put(batch, &StoreKey::User(user), &user_record)?;
        let record = OrganizationRecord::new(organization, domain, FIRST_PLAN, now);
        batch = put(batch, &StoreKey::Organization(organization), &record)?;
        let audit_entry =
            AuditEntry::by_user(AuditAction::INSTANCE_SETUP, user, Some(organization), address);
        let batch = self.record(batch, now, audit_entry)?;
        self.commit_upkeep(batch)?
            .map(|_revision| (user, organization))
            .ok_or(ActionError::LinkInvalid)
    }

    /// Checks the first owner's input and returns the address and the name.
    fn checked_owner(&self, owner: &FirstOwner) -> Result<(String, String), ActionError> {
        let mut faults = Vec::new();
        let email = parse_email(&owner.email)
            .map_err(|error| faults.push(Fault::new("/email", FaultCode::INVALID_EMAIL, error)))
            .unwrap_or_default();
        let name = owner.name.as_deref();
        let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or("owner"));
        let name = match parse_name(name) {
            Ok(name) => name,
            Err(error) => {
                // A missing name is derived from the address, so the fault of the address is
                // enough.
                if owner.name.is_some() {
                    faults.push(Fault::new("/name", FaultCode::INVALID_NAME, error));
                }
                String::new()
            },
        };
        let about = Personal { name: &name, email: &email, organization: domain_of(&email) };
        faults.extend(self.judge(&owner.password, &about, Factors::Password)?);
        if faults.is_empty() { Ok((email, name)) } else { Err(ActionError::Invalid(faults)) }
    }

    pub(in crate::actions) fn hash(&self, password: &Secret) -> Result<String, ActionError> {
        // The generator for the salt is seeded before the wait, so that the wait does not lock the
        // shared random generator.
        let mut seeded: rand::rngs::StdRng = rand::SeedableRng::from_rng(&mut *self.random());
        self.passwords.hash(password, &mut seeded).map_err(hash_failed)
    }

    pub(in crate::actions) fn new_token(&self) -> Secret {
        let mut bytes = zeroize::Zeroizing::new([0; TOKEN_BYTES]);
        self.random().fill_bytes(&mut *bytes);
        Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
    }
}

/// The domain of an address, which becomes the name of the first organization.
fn domain_of(email: &str) -> &str {
    email.split('@').next_back().unwrap_or("organization")
}
