//! The records of invitations, password resets, second factors and removals of users.
//!
//! The row `People` guards the last owner of an organization.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::id::{InvitationId, OrganizationId, TeamId, UserId};
use crate::model::moment::Moment;
use crate::model::permission::Patterns;
use crate::model::role::Role;
use crate::model::secret::Digest;
use crate::model::seed::EncryptedSeed;
use crate::records::codec::Record;
use crate::records::key::Author;
use crate::records::place::StoreKey;
use crate::records::text;

/// An invitation as it is stored until it is accepted, withdrawn or expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRecord {
    /// The id, stored in the row key.
    #[serde(skip)]
    pub id: InvitationId,
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// The normalized email address of the invited person.
    #[serde(rename = "e")]
    pub email: String,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role of the new user.
    #[serde(rename = "r", with = "text")]
    pub role: Role,
    /// The teams of the new user.
    #[serde(rename = "t", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// The creator. The invitation becomes invalid when its creator is removed.
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
}

/// The one-time link with which a user sets a new password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetRecord {
    #[serde(rename = "b", with = "text")]
    pub digest: Digest,
    /// The creator. The link becomes invalid when its creator is removed.
    #[serde(rename = "cb", with = "text")]
    pub created_by: Author,
    #[serde(rename = "x", with = "text::moment")]
    pub ends_at: Moment,
    /// Whether the reset also removes the second factor.
    #[serde(rename = "t", default)]
    pub totp: bool,
}

/// A user's second factor (RFC 6238). The server must be able to decrypt its seed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpRecord {
    /// The shared secret in base32, encrypted.
    #[serde(rename = "e", with = "text")]
    pub seed: EncryptedSeed,
    /// Whether the user has entered a first code. An unconfirmed second factor is not required.
    #[serde(rename = "on", default)]
    pub confirmed: bool,
    /// The last accepted time step. Codes of this step and of earlier steps are rejected.
    #[serde(rename = "l", default)]
    pub step_last: u64,
    /// Digests of the unused backup codes.
    #[serde(rename = "b", default, with = "text::list", skip_serializing_if = "Vec::is_empty")]
    pub backup: Vec<Digest>,
    #[serde(rename = "c", with = "text::moment")]
    pub created_at: Moment,
}

impl std::fmt::Debug for TotpRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TotpRecord").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

/// The key that authenticates device cookies. A forged device cookie can only make a browser count
/// as known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyRecord {
    #[serde(rename = "k")]
    pub key: String,
}

impl DeviceKeyRecord {
    /// Returns the bytes, or `None` if there are not exactly 32.
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

/// Counts the changes of permissions and roles. A change that removes rights guards this row, so
/// that two concurrent changes cannot leave an organization without an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleRecord {
    #[serde(rename = "n")]
    pub changes: u64,
}

/// Marks that a user is being removed. The user's keys are rejected at once, and are revoked or
/// transferred in resumable steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalRecord {
    /// The user, stored in the row key.
    #[serde(skip)]
    pub user: UserId,
    #[serde(rename = "g", with = "text")]
    pub organization: OrganizationId,
    /// The actor that removes the user.
    #[serde(rename = "cb", with = "text")]
    pub removed_by: Author,
    /// Whether the user's keys are revoked or transferred.
    #[serde(rename = "k")]
    pub disposition: KeyDisposition,
    /// The permissions of the user's role at the removal. No key of the user grants more.
    #[serde(rename = "h", default, with = "text")]
    pub holds: Patterns,
    /// Whether the user was an operator.
    #[serde(rename = "op", default)]
    pub operator: bool,
    /// The organization's maximum permissions at the removal.
    #[serde(rename = "p", default, with = "text")]
    pub ceiling: Patterns,
}

/// The disposition of the keys of a removed user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyDisposition {
    #[serde(rename = "n")]
    Revoke,
    #[serde(rename = "o")]
    Organization,
    /// The keys are transferred to another user.
    #[serde(rename = "u", with = "text")]
    User(UserId),
}

impl Record for InvitationRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Invitation(id) = place {
            self.id = *id;
        }
    }
}

impl Record for DeviceKeyRecord {}
impl Record for ResetRecord {}
impl Record for TotpRecord {}
impl Record for PeopleRecord {}

impl Record for RemovalRecord {
    fn take_ids_from(&mut self, place: &StoreKey) {
        if let StoreKey::Removal(user) = place {
            self.user = *user;
        }
    }
}
