//! The records around people: invitations, resets, second factors, and what keeps an owner.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::id::{InvitationId, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::records::key::Author;
use crate::records::place::Place;
use crate::records::{Record, text};

/// An invitation as it is stored until it is accepted, withdrawn, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRecord {
    /// Its id; the place.
    #[serde(skip)]
    pub id: InvitationId,
    /// Into which organization.
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// Whom, in the address's one form.
    #[serde(rename = "e")]
    pub email: String,
    /// The name proposed.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role they will have.
    #[serde(rename = "r", with = "text")]
    pub role: Role,
    /// The teams they will be in.
    #[serde(rename = "t", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    /// Digest of the one-time token.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// By whom: it dies with them.
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    /// When the link ends.
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
}

/// The one-time link with which a user sets a new password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetRecord {
    /// Digest of the one-time token.
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// By whom: it dies with them.
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    /// When the link ends.
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
    /// Whether the second factor goes with the old password.
    #[serde(rename = "t", default)]
    pub totp: bool,
}

/// A user's second factor (RFC 6238). The server must be able to read its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpRecord {
    /// The shared secret, in base32.
    #[serde(rename = "s")]
    pub secret: String,
    /// Whether its user has shown a first code: before that it protects nothing.
    #[serde(rename = "on", default)]
    pub confirmed: bool,
    /// The last time step that was accepted: no code of it, or of an earlier one, is again.
    #[serde(rename = "l", default)]
    pub step_last: u64,
    /// Digests of the backup codes that are left.
    #[serde(rename = "b", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub backup: Vec<Digest>,
    /// When it was made.
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
}

impl std::fmt::Debug for TotpRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TotpRecord").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

/// The key under which device cookies are authenticated. Whoever has it can make a browser count as
/// known, and nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyRecord {
    /// 32 bytes in base64url.
    #[serde(rename = "k")]
    pub key: String,
}

impl DeviceKeyRecord {
    /// The bytes; none where there are not 32.
    pub fn bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(&self.key).ok()?);
        bytes.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

impl std::fmt::Debug for DeviceKeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceKeyRecord").finish_non_exhaustive()
    }
}

/// Counts the changes of who may do what. A change that takes rights from somebody guards it, so
/// that two of them at once can't leave an organization without an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleRecord {
    /// How many.
    #[serde(rename = "n")]
    pub changes: u64,
}

/// That a user is being removed: their keys are refused, and go in steps that can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeavingRecord {
    /// The user; the place.
    #[serde(skip)]
    pub user: UserId,
    /// Whose user it was.
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// By whom they are removed.
    #[serde(rename = "cb", with = "text")]
    pub removed_by: Author,
    /// Who takes the keys over.
    #[serde(rename = "k")]
    pub heir: Heir,
    /// What the user's role held when they were removed: no key of theirs grants more.
    #[serde(rename = "h", default, with = "text")]
    pub holds: Patterns,
    /// Whether they ran the instance.
    #[serde(rename = "op", default)]
    pub operator: bool,
    /// The organization's ceiling when they were removed.
    #[serde(rename = "p", default, with = "text")]
    pub ceiling: Patterns,
}

/// What becomes of the keys of a user who is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heir {
    /// They are revoked.
    #[serde(rename = "n")]
    Nobody,
    /// They become service keys.
    #[serde(rename = "o")]
    Organization,
    /// They become somebody else's.
    #[serde(rename = "u", with = "text")]
    User(UserId),
}

impl Record for InvitationRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Invitation(id) = place {
            self.id = *id;
        }
    }
}

impl Record for DeviceKeyRecord {}
impl Record for ResetRecord {}
impl Record for TotpRecord {}
impl Record for PeopleRecord {}

impl Record for LeavingRecord {
    fn settle(&mut self, place: &Place) {
        if let Place::Leaving(user) = place {
            self.user = *user;
        }
    }
}
