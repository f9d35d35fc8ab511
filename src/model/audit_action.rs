//! Every action of the audit log. The reference is generated from this table.

use crate::model::named::named;

/// An action of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditAction {
    /// The stable name in an event's `action`: the kind of target, and a verb.
    pub name: &'static str,
    /// What happened, for the documentation: a part of a sentence.
    pub meaning: &'static str,
}

named! {
    AuditAction:
    AUDIT_CUT = "audit.cut", "old events were removed at the end of their retention";
    AUDIT_RETENTION = "audit.retention", "the retention changed";
    GATE_CREATE = "gate.create", "a gate was created";
    GATE_REMOVE = "gate.remove", "a gate was removed";
    GATE_UPDATE = "gate.update", "a gate was changed";
    INSTANCE_BACKUP = "instance.backup", "an operator made a backup of the whole instance";
    INSTANCE_REPAIR = "instance.repair", "the local operator repaired the store";
    INSTANCE_RESTORE = "instance.restore", "the instance was restored from a backup";
    INSTANCE_SETUP = "instance.setup", "the first organization and its owner were created";
    INVITATION_ACCEPT = "invitation.accept", "an invitation was accepted";
    INVITATION_CREATE = "invitation.create", "an invitation was created";
    INVITATION_DELETE = "invitation.delete", "an invitation was withdrawn";
    KEY_CREATE = "key.create", "a key was created";
    KEY_DISABLE = "key.disable", "a key was disabled";
    KEY_ENABLE = "key.enable", "a key was enabled";
    KEY_REVOKE = "key.revoke", "a key was revoked";
    KEY_ROTATE = "key.rotate", "a key was rotated";
    KEY_SHARE = "key.share", "a key was shared with a team";
    KEY_TRANSFER = "key.transfer", "a removed user's key was transferred";
    KEY_UNSHARE = "key.unshare", "a key is no longer shared with a team";
    KEY_UPDATE = "key.update", "a key was changed";
    KEYS_IMPORT = "keys.import", "keys of another system were imported";
    KEYS_PURGE = "keys.purge", "keys that ended 90 days ago were removed";
    LOCKOUT_LIFT = "lockout.lift", "failed sign-ins of an account or a network were cleared";
    NOTICE_ACKNOWLEDGE = "notice.acknowledge", "a user acknowledged a notice about their account";
    ORGANIZATION_CREATE = "organization.create", "an organization was created";
    ORGANIZATION_UPDATE = "organization.update", "an organization was changed";
    PERMISSION_CREATE = "permission.create", "an entry of the catalogue was created";
    PERMISSION_REMOVE = "permission.remove", "an entry of the catalogue was removed";
    PERMISSION_UPDATE = "permission.update", "an entry of the catalogue was changed";
    PLAN_UPDATE = "plan.update", "a plan was changed";
    RESET_CREATE = "reset.create", "a link for a new password was created";
    RESET_USE = "reset.use", "a link for a new password was used";
    ROLE_CREATE = "role.create", "a role was created";
    ROLE_REMOVE = "role.remove", "a role was removed";
    ROLE_UPDATE = "role.update", "a role was changed";
    SEAL_KEY_ROTATE = "seal_key.rotate",
        "the key that encrypts the seeds of second factors was replaced";
    SESSION_BEGIN = "session.begin", "a user signed in";
    SESSION_END = "session.end", "a user signed out, or a session was ended";
    SESSION_PROVE = "session.prove", "a user entered the password or a code again in a session";
    SESSION_REFUSE = "session.refuse", "failed sign-ins, summed for each minute and network";
    SUBSCRIPTION_UPDATE = "subscription.update", "a subscription was changed";
    TEAM_ADD_MEMBER = "team.add_member", "a user was added to a team";
    TEAM_CREATE = "team.create", "a team was created";
    TEAM_REMOVE = "team.remove", "a team was removed";
    TEAM_REMOVE_MEMBER = "team.remove_member", "a user was removed from a team";
    TEAM_UPDATE = "team.update", "a team was changed";
    TOTP_BEGIN = "totp.begin", "the enrolment of a second factor was started";
    TOTP_DISABLE = "totp.disable", "a second factor was disabled";
    TOTP_ENABLE = "totp.enable", "a second factor was enabled";
    TOTP_RENEW_CODES = "totp.renew_codes", "the backup codes of a second factor were renewed";
    USER_REMOVE = "user.remove", "a user was removed";
    USER_SECOND_FACTOR_REMOVE = "user.second_factor.remove",
        "a link for a new password removed the second factor of its user";
    USER_UPDATE = "user.update", "a user was changed";
}
