//! Every error code of the HTTP API: its name, its status, its title and its meaning.
//!
//! Handlers return these codes, the API description and the reference list them, and the command
//! line prints them. The codes of checks are in upper case, all others in lower case.

use crate::model::code::Code;

/// One error code. The same error always has the same status.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The stable name in a problem's `code`.
    pub name: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// What the code means, for the documentation: a part of a sentence.
    pub meaning: &'static str,
    /// The member `error`, for clients that read no other member of an error. Only the errors that a gate's
    /// clients receive have it: the code of RFC 6750 if one applies, otherwise the name in lower case.
    pub error: Option<&'static str>,
}

/// `Some` of a literal, or `None` without one.
macro_rules! error_member {
    () => {
        None
    };
    ($error:literal) => {
        Some($error)
    };
}

/// Defines a constant for each error code, and `ALL` with all of them. `as` gives the member `error`.
macro_rules! error_codes {
    ($(
        $constant:ident = $status:literal $name:literal $(as $error:literal)?,
        $title:literal, $meaning:literal;
    )*) => {
        $(pub const $constant: &ErrorCode = &ErrorCode {
            name: $name,
            status: $status,
            title: $title,
            meaning: $meaning,
            error: error_member!($($error)?),
        };)*

        /// All error codes of this module, by status.
        pub const ALL: &[&ErrorCode] = &[$($constant),*];
    };
}

error_codes! {
    MALFORMED_REQUEST = 400 "malformed_request", "Malformed request",
        "the HTTP request is malformed or ambiguous";
    DOUBLED_HEADER = 400 "doubled_header", "Duplicate header",
        "a header that must appear once was sent more than once";
    INVALID_INPUT = 400 "invalid_input", "Invalid input",
        "`errors` lists every invalid field and parameter";
    INVALID_JSON = 400 "invalid_json", "Request body is not valid JSON",
        "the body is not a single JSON object, repeats a field, or is nested too deeply";
    DOUBLED_CREDENTIAL = 400 "doubled_credential", "Several credentials, or an unreadable credential",
        "the request has several credentials, or one that is not readable";
    SESSION_ENDED = 401 "session_ended", "Session ended", "the session has ended: sign in again";
    SIGN_IN_FAILED = 401 "sign_in_failed", "Sign-in failed", "email, password or code is incorrect";
    CODE_REQUIRED = 401 "code_required", "Second factor code required",
        "the account has a second factor, and `code` is missing";
    PERMISSION_REQUIRED = 403 "permission_required", "Permission required",
        "the caller lacks `permission`";
    BEYOND_KEY = 403 "beyond_key", "Exceeds the key's own rights",
        "a key cannot grant or change more than its own rights";
    SESSION_REQUIRED = 403 "session_required", "Sign-in required",
        "the endpoint needs the session of a signed-in user, not a key";
    SECOND_FACTOR_REQUIRED = 403 "second_factor_required", "Second factor required",
        "the user must turn on a second factor, or sign in with it";
    PROOF_REQUIRED = 403 "proof_required", "Password or code required",
        "the response would contain a new secret, and the user of the session has not entered the \
         password or a code within the last 15 minutes: send one of them to `POST /v1/session/proof`, \
         then repeat the request";
    SUBSCRIPTION_REQUIRED = 403 "subscription_required", "Not included in the plan",
        "`plan`, or its subscription, does not include `feature`; `pricing_url` is set if \
         configured";
    SUBSCRIPTION_LIMIT = 403 "subscription_limit", "Plan limit reached",
        "the organization has reached `maximum`, the limit `limit` of `plan`; `pricing_url` is set \
         if configured";
    LINK_INVALID = 403 "link_invalid", "Invalid link",
        "the link was used, has expired, or never existed";
    CROSS_SITE = 403 "cross_site", "Cross-site request rejected",
        "a browser sent the request from another origin";
    NOT_FOUND = 404 "not_found", "Not found",
        "the resource does not exist, or the caller may not see it";
    METHOD_NOT_ALLOWED = 405 "method_not_allowed", "Method not allowed",
        "the path does not support the method; `Allow` lists those that it supports";
    BODY_TIMEOUT = 408 "body_timeout", "Request body timed out",
        "the request body did not arrive in time";
    KEY_REVOKED = 409 "key_revoked", "Conflict with the current state",
        "the key is revoked, which is permanent";
    OWN_KEY = 409 "own_key", "Conflict with the current state",
        "a key cannot change its own rights";
    OWN_ACCOUNT = 409 "own_account", "Conflict with the current state",
        "the endpoint is for the accounts of other users";
    KEY_EXPIRED = 409 "key_expired", "Conflict with the current state", "the key has expired";
    NAME_TAKEN = 409 "name_taken", "Conflict with the current state", "the name is already in use";
    EMAIL_TAKEN = 409 "email_taken", "Conflict with the current state",
        "another user of the organization has this email address";
    DOMAIN_TAKEN = 409 "domain_taken", "Conflict with the current state",
        "the email domain is assigned to another organization";
    ORGANIZATION_REQUIRED = 409 "organization_required", "Organization required",
        "the password is correct in several `organizations`: send one of them as `organization`";
    ROLE_IN_USE = 409 "role_in_use", "Conflict with the current state",
        "the role is assigned to a user or an invitation";
    BUILTIN_ROLE = 409 "builtin_role", "Conflict with the current state",
        "built-in roles cannot be changed";
    OWN_PERMISSION = 409 "own_permission", "Conflict with the current state",
        "Keyhouse's own permissions cannot be changed";
    LAST_OWNER = 409 "last_owner", "Conflict with the current state",
        "an organization must keep at least one owner";
    LAST_OPERATOR = 409 "last_operator", "Conflict with the current state",
        "the instance must keep at least one operator";
    REMOVAL_UNDER_WAY = 409 "removal_under_way", "Conflict with the current state",
        "a removal of the user with a different key transfer is already in progress";
    TOTP_ALREADY_ON = 409 "totp_already_on", "Conflict with the current state",
        "the second factor is already on";
    TOTP_NOT_BEGUN = 409 "totp_not_begun", "Conflict with the current state",
        "the enrolment of a second factor was not started";
    PASSWORD_TOO_SHORT = 409 "password_too_short", "Conflict with the current state",
        "the password is too short for an account without a second factor";
    TOO_MANY_TEAMS = 409 "too_many_teams", "Conflict with the current state",
        "the maximum number of teams is reached";
    TOO_MANY_ROLES = 409 "too_many_roles", "Conflict with the current state",
        "the maximum number of roles is reached";
    TOO_MANY_PERMISSIONS = 409 "too_many_permissions", "Conflict with the current state",
        "the maximum number of catalogue entries is reached";
    TOO_MANY_GATES = 409 "too_many_gates", "Conflict with the current state",
        "the maximum number of gates is reached";
    TOO_MANY_ORGANIZATIONS = 409 "too_many_organizations", "Conflict with the current state",
        "the maximum number of organizations is reached";
    TOO_MANY_INVITATIONS = 409 "too_many_invitations", "Conflict with the current state",
        "the maximum number of pending invitations is reached";
    SEAL_KEY_READ_ONLY = 409 "seal_key_read_only", "Conflict with the current state",
        "the seal key file can't be written";
    TOO_MANY_SEAL_KEYS = 409 "too_many_seal_keys", "Conflict with the current state",
        "the seal key file has the maximum number of keys";
    NOT_SET_UP = 409 "not_set_up", "Setup not completed",
        "the setup of the instance is not completed";
    VERSION_CONFLICT = 412 "version_conflict", "Changed since it was read",
        "the object has changed: `current_version` does not match `If-Match`";
    BODY_TOO_LARGE = 413 "body_too_large", "Request body too large",
        "the request body is too large";
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type", "Unsupported content type",
        "the endpoint does not accept this `Content-Type`";
    MISDIRECTED_REQUEST = 421 "misdirected_request", "Host does not match public_url",
        "`Host` does not match the public URL of the instance";
    TOO_MANY_ATTEMPTS = 429 "too_many_attempts", "Too many failed sign-ins",
        "too many sign-ins failed: wait for the seconds in `Retry-After`";
    TOO_MANY_CHANGES = 429 "too_many_changes", "Too many changes",
        "too many changes: wait for the seconds in `Retry-After`";
    HEAD_TOO_LARGE = 431 "head_too_large", "Request head too large",
        "the request head is too large";
    INTERNAL = 500 "internal", "Internal error", "internal error; the server log has the cause";
    INTERNAL_ON_CHECK = 503 "internal" as "internal", "Internal error",
        "internal error on a check endpoint: retry";
    BUSY = 503 "busy" as "busy", "Server busy", "the server is at its limit: retry";
    INDEX_BEHIND = 503 "index_behind" as "index_behind", "Index is behind the store",
        "the index is behind the store, and checks are rejected until it has caught up: retry";
    NOT_READY = 503 "not_ready" as "not_ready",
        "Not ready", "the server is not ready to serve changes and checks";
    STORAGE_FULL = 503 "storage_full", "Store is full", "the store is full; nothing was changed";
    STORAGE_UNAVAILABLE = 503 "storage_unavailable", "Store unavailable",
        "the store is unavailable; nothing was changed";
    OUTCOME_UNKNOWN = 503 "outcome_unknown", "Outcome unknown",
        "the change may or may not have been applied: check before retrying";
}

/// The codes of check responses.
pub mod check {
    use super::ErrorCode;

    error_codes! {
        NO_CREDENTIAL = 401 "NO_CREDENTIAL" as "no_credential",
            "Credential required", "the request has no credential";
        MALFORMED = 401 "MALFORMED" as "invalid_token", "Malformed or mistyped key",
            "the credential is malformed or mistyped, or there are several";
        NOT_FOUND = 401 "NOT_FOUND" as "invalid_token", "Key not found", "the key does not exist";
        REVOKED = 401 "REVOKED" as "invalid_token", "Key revoked", "the key is revoked";
        DISABLED = 401 "DISABLED" as "invalid_token", "Key disabled", "the key is disabled";
        NOT_YET_VALID = 401 "NOT_YET_VALID" as "invalid_token",
            "Key not valid yet", "the key is not valid yet";
        EXPIRED = 401 "EXPIRED" as "invalid_token", "Key expired", "the key has expired";
        OWNER_DISABLED = 401 "OWNER_DISABLED" as "invalid_token", "Key owner disabled",
            "the owner of the key is disabled or removed";
        ORGANIZATION_SUSPENDED = 403 "ORGANIZATION_SUSPENDED" as "organization_suspended",
            "Organization suspended",
            "the organization of the key is suspended";
        SUBSCRIPTION_REQUIRED = 403 "SUBSCRIPTION_REQUIRED" as "subscription_required",
            "Plan has no API access",
            "the plan of the key's organization has no API access";
        NOT_ACCEPTED_HERE = 403 "NOT_ACCEPTED_HERE" as "not_accepted_here",
            "Key not accepted by this gate",
            "the gate does not accept keys of this organization or environment";
        IP_NOT_ALLOWED = 403 "IP_NOT_ALLOWED" as "ip_not_allowed", "IP address not allowed",
            "the key does not allow this IP address";
        INSUFFICIENT_PERMISSIONS = 403 "INSUFFICIENT_PERMISSIONS" as "insufficient_scope",
            "Insufficient permissions",
            "the key lacks a required permission";
        REQUEST_REFUSED = 403 "REQUEST_REFUSED" as "request_refused", "Request rejected",
            "the proxy is not trusted, or the request that it forwards is invalid";
        GATE_NOT_FOUND = 403 "GATE_NOT_FOUND" as "gate_not_found",
            "Gate not found", "the gate does not exist";
        ROUTE_NOT_ALLOWED = 403 "ROUTE_NOT_ALLOWED" as "route_not_allowed",
            "The gate denies this request",
            "no route of the gate allows the request";
        RATE_LIMITED = 429 "RATE_LIMITED" as "rate_limited",
            "Rate limit exceeded", "a rate limit is exceeded";
        QUOTA_EXCEEDED = 429 "QUOTA_EXCEEDED" as "quota_exceeded",
            "Quota exceeded", "a quota is exceeded";
    }
}

/// The error of a check that did not find the key valid; `None` for a valid key.
pub const fn of_verdict(code: Code) -> Option<&'static ErrorCode> {
    Some(match code {
        Code::Malformed => check::MALFORMED,
        Code::NotFound => check::NOT_FOUND,
        Code::Revoked => check::REVOKED,
        Code::Disabled => check::DISABLED,
        Code::NotYetValid => check::NOT_YET_VALID,
        Code::Expired => check::EXPIRED,
        Code::OwnerDisabled => check::OWNER_DISABLED,
        Code::OrganizationSuspended => check::ORGANIZATION_SUSPENDED,
        Code::SubscriptionRequired => check::SUBSCRIPTION_REQUIRED,
        Code::NotAcceptedHere => check::NOT_ACCEPTED_HERE,
        Code::IpNotAllowed => check::IP_NOT_ALLOWED,
        Code::InsufficientPermissions => check::INSUFFICIENT_PERMISSIONS,
        Code::RateLimited => check::RATE_LIMITED,
        Code::QuotaExceeded => check::QUOTA_EXCEEDED,
        Code::Valid => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_of_a_verdict_has_the_verdicts_name() {
        for code in Code::ALL.into_iter().filter(|code| *code != Code::Valid) {
            assert_eq!(of_verdict(code).unwrap().name, code.as_str());
        }
        assert_eq!(of_verdict(Code::Valid), None);
    }

    #[test]
    fn each_name_has_one_status_and_one_case() {
        let names: BTreeSet<_> =
            ALL.iter().chain(check::ALL).map(|it| (it.name, it.status)).collect();
        assert_eq!(names.len(), ALL.len() + check::ALL.len());
        assert!(ALL.iter().all(|it| it.name == it.name.to_ascii_lowercase()));
        assert!(check::ALL.iter().all(|it| it.name == it.name.to_ascii_uppercase()));
    }

    #[test]
    fn the_member_error_is_the_code_of_rfc_6750_or_the_name() {
        for code in check::ALL {
            let name = code.name.to_ascii_lowercase();
            let expected = match (code.status, code.name) {
                (_, "INSUFFICIENT_PERMISSIONS") => "insufficient_scope",
                // RFC 6750, section 3.1: a request without a key gets no code of its own.
                (_, "NO_CREDENTIAL") => "no_credential",
                (401, _) => "invalid_token",
                _ => &name,
            };
            assert_eq!(code.error, Some(expected), "{}", code.name);
        }
        let others: Vec<_> = ALL.iter().filter_map(|code| code.error).collect();
        assert_eq!(others, ["internal", "busy", "index_behind", "not_ready"]);
    }
}
