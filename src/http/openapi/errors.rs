//! Error codes of the API, with their status and meaning. Operations list theirs from here.

#[derive(Debug)]
pub(super) struct ErrorDescription {
    /// The stable name in the problem's `code`.
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) means: &'static str,
}

const fn entry(status: u16, code: &'static str, means: &'static str) -> ErrorDescription {
    ErrorDescription { code, status, means }
}

/// Errors of the transport, on every operation.
pub(super) const OF_TRANSPORT: &[&str] = &[
    "malformed_request",
    "doubled_header",
    "method_not_allowed",
    "body_timeout",
    "body_too_large",
    "head_too_large",
    "internal",
    "busy",
];

/// Errors of every management operation. Unknown parameters are `invalid_input`.
pub(super) const OF_MANAGEMENT: &[&str] = &["invalid_input", "storage_unavailable"];

/// Errors of operations with a JSON body.
pub(super) const OF_BODY: &[&str] = &["invalid_json", "unsupported_media_type"];

/// Errors of operations with a form as body.
pub(super) const OF_FORM: &[&str] = &["invalid_input", "unsupported_media_type"];

/// Errors of operations that change something.
pub(super) const OF_CHANGE: &[&str] = &["storage_full", "outcome_unknown"];

/// Errors of operations that accept a key.
pub(super) const OF_KEY: &[&str] = &[
    "NO_CREDENTIAL",
    "MALFORMED",
    "NOT_FOUND",
    "REVOKED",
    "DISABLED",
    "NOT_YET_VALID",
    "EXPIRED",
    "OWNER_DISABLED",
    "ORGANIZATION_SUSPENDED",
    "SUBSCRIPTION_REQUIRED",
    "NOT_ACCEPTED_HERE",
    "IP_NOT_ALLOWED",
    "RATE_LIMITED",
    "QUOTA_EXCEEDED",
    "index_behind",
];

/// Errors of operations that accept a session.
pub(super) const OF_SESSION: &[&str] = &[
    "session_ended",
    "second_factor_required",
    "doubled_credential",
    "cross_site",
    "misdirected_request",
];

pub(super) const ERRORS: &[ErrorDescription] = &[
    entry(400, "malformed_request", "the HTTP request is malformed or ambiguous"),
    entry(400, "doubled_header", "a header that must appear once was sent more than once"),
    entry(400, "invalid_input", "`errors` lists every invalid field and parameter"),
    entry(
        400,
        "invalid_json",
        "the body is not a single JSON object, repeats a field, or is \
         nested too deeply",
    ),
    entry(
        400,
        "doubled_credential",
        "the request has several credentials, or one that is not readable",
    ),
    entry(401, "NO_CREDENTIAL", "the request has no credential"),
    entry(401, "MALFORMED", "the credential is malformed or mistyped, or there are several"),
    entry(401, "NOT_FOUND", "the key does not exist"),
    entry(401, "REVOKED", "the key is revoked"),
    entry(401, "DISABLED", "the key is disabled"),
    entry(401, "NOT_YET_VALID", "the key is not valid yet"),
    entry(401, "EXPIRED", "the key has expired"),
    entry(401, "OWNER_DISABLED", "the owner of the key is disabled or removed"),
    entry(401, "session_ended", "the session has ended: sign in again"),
    entry(401, "sign_in_failed", "email, password or code is incorrect"),
    entry(401, "code_required", "the account has a second factor, and `code` is missing"),
    entry(403, "ORGANIZATION_SUSPENDED", "the organization of the key is suspended"),
    entry(403, "SUBSCRIPTION_REQUIRED", "the plan of the key's organization has no API access"),
    entry(
        403,
        "NOT_ACCEPTED_HERE",
        "the gate does not accept keys of this organization or environment",
    ),
    entry(403, "IP_NOT_ALLOWED", "the key does not allow this IP address"),
    entry(403, "INSUFFICIENT_PERMISSIONS", "the key lacks a required permission"),
    entry(
        403,
        "REQUEST_REFUSED",
        "the proxy is not trusted, or the request that it forwards is invalid",
    ),
    entry(403, "GATE_NOT_FOUND", "the gate does not exist"),
    entry(403, "ROUTE_NOT_ALLOWED", "no route of the gate allows the request"),
    entry(403, "permission_required", "the caller lacks `permission`"),
    entry(403, "beyond_key", "a key cannot grant or change more than its own rights"),
    entry(403, "session_required", "the endpoint needs the session of a signed-in user, not a key"),
    entry(
        403,
        "second_factor_required",
        "the user must turn on a second factor, or sign in with it",
    ),
    entry(
        403,
        "subscription_required",
        "`plan`, or its subscription, does not include `feature`; `pricing_url` is set if \
         configured",
    ),
    entry(
        403,
        "subscription_limit",
        "the organization has reached `maximum`, the limit `limit` of `plan`; `pricing_url` is \
         set if configured",
    ),
    entry(403, "link_invalid", "the link was used, has expired, or never existed"),
    entry(403, "cross_site", "a browser sent the request from another origin"),
    entry(404, "not_found", "the resource does not exist, or the caller may not see it"),
    entry(
        405,
        "method_not_allowed",
        "the path does not support the method; `Allow` lists those that it supports",
    ),
    entry(408, "body_timeout", "the request body did not arrive in time"),
    entry(409, "key_revoked", "the key is revoked, which is permanent"),
    entry(409, "own_key", "a key cannot change its own rights"),
    entry(409, "own_account", "the endpoint is for the accounts of other users"),
    entry(409, "key_expired", "the key has expired"),
    entry(409, "name_taken", "the name is already in use"),
    entry(409, "email_taken", "another user of the organization has this email address"),
    entry(409, "domain_taken", "the email domain is assigned to another organization"),
    entry(
        409,
        "organization_required",
        "the password is correct in several `organizations`: send one of them as `organization`",
    ),
    entry(409, "role_in_use", "the role is assigned to a user or an invitation"),
    entry(409, "builtin_role", "built-in roles cannot be changed"),
    entry(409, "own_permission", "Keyhouse's own permissions cannot be changed"),
    entry(409, "last_owner", "an organization must keep at least one owner"),
    entry(409, "last_operator", "the instance must keep at least one operator"),
    entry(
        409,
        "removal_under_way",
        "a removal of the user with a different key transfer is already in progress",
    ),
    entry(409, "totp_already_on", "the second factor is already on"),
    entry(409, "totp_not_begun", "the enrolment of a second factor was not started"),
    entry(
        409,
        "password_too_short",
        "the password is too short for an account without a second factor",
    ),
    entry(409, "too_many_teams", "the maximum number of teams is reached"),
    entry(409, "too_many_roles", "the maximum number of roles is reached"),
    entry(409, "too_many_permissions", "the maximum number of catalogue entries is reached"),
    entry(409, "too_many_gates", "the maximum number of gates is reached"),
    entry(409, "too_many_organizations", "the maximum number of organizations is reached"),
    entry(409, "too_many_invitations", "the maximum number of pending invitations is reached"),
    entry(409, "not_set_up", "the setup of the instance is not completed"),
    entry(
        412,
        "version_conflict",
        "the object has changed: `current_version` does not match `If-Match`",
    ),
    entry(413, "body_too_large", "the request body is too large"),
    entry(415, "unsupported_media_type", "the endpoint does not accept this `Content-Type`"),
    entry(421, "misdirected_request", "`Host` does not match the public URL of the instance"),
    entry(429, "RATE_LIMITED", "a rate limit is exceeded"),
    entry(429, "QUOTA_EXCEEDED", "a quota is exceeded"),
    entry(
        429,
        "too_many_attempts",
        "too many sign-ins failed: wait for the seconds in `Retry-After`",
    ),
    entry(429, "too_many_changes", "too many changes: wait for the seconds in `Retry-After`"),
    entry(431, "head_too_large", "the request head is too large"),
    entry(500, "internal", "internal error; the server log has the cause"),
    entry(503, "internal", "internal error on a check endpoint: retry"),
    entry(503, "busy", "the server is at its limit: retry"),
    entry(
        503,
        "index_behind",
        "the index is behind the store, and checks are rejected until it \
         has caught up: retry",
    ),
    entry(503, "not_ready", "the server is not ready to serve changes and checks"),
    entry(503, "storage_full", "the store is full; nothing was changed"),
    entry(503, "storage_unavailable", "the store is unavailable; nothing was changed"),
    entry(
        503,
        "outcome_unknown",
        "the change may or may not have been applied: check before retrying",
    ),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ERRORS.iter().map(|error| error.code)
}

/// The error with this code. An internal error is 500, but 503 on a check endpoint, so that its clients
/// retry.
pub(super) fn error(code: &str, on_check: bool) -> Option<&'static ErrorDescription> {
    let mut named = ERRORS.iter().filter(|error| error.code == code);
    if on_check { named.next_back() } else { named.next() }
}
