//! Every code of an error, with its status and what it means: the one list that operations name
//! theirs from.

/// An error that an operation may answer.
#[derive(Debug)]
pub(super) struct Told {
    /// The stable name, in the problem's `code`.
    pub(super) code: &'static str,
    /// The status.
    pub(super) status: u16,
    /// What it means.
    pub(super) means: &'static str,
}

const fn told(status: u16, code: &'static str, means: &'static str) -> Told {
    Told { code, status, means }
}

/// What the transport may say to anybody.
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

/// What every management route may say: its parameters are known ones.
pub(super) const OF_MANAGEMENT: &[&str] = &["invalid_input", "storage_unavailable"];

/// What a route with a body may say of it.
pub(super) const OF_BODY: &[&str] = &["invalid_json", "unsupported_media_type"];

/// The same of a form.
pub(super) const OF_FORM: &[&str] = &["invalid_input", "unsupported_media_type"];

/// What a change may say.
pub(super) const OF_CHANGE: &[&str] = &["storage_full", "outcome_unknown"];

/// What a presented key may be told.
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

/// What a session may be told, and a browser without one.
pub(super) const OF_SESSION: &[&str] = &[
    "session_ended",
    "second_factor_required",
    "doubled_credential",
    "cross_site",
    "misdirected_request",
];

/// All of them.
pub(super) const ERRORS: &[Told] = &[
    told(
        400,
        "malformed_request",
        "no whole HTTP request, or one that two programs could read in two ways",
    ),
    told(400, "doubled_header", "a header that must appear once appears twice"),
    told(400, "invalid_input", "`errors` names every field and parameter at fault"),
    told(
        400,
        "invalid_json",
        "the body is no single JSON object, names a field twice, or nests too deep",
    ),
    told(400, "doubled_credential", "more than one credential, or one that can't be read"),
    told(401, "NO_CREDENTIAL", "no credential"),
    told(401, "MALFORMED", "not a key, or a mistyped one"),
    told(401, "NOT_FOUND", "no such key"),
    told(401, "REVOKED", "the key is revoked"),
    told(401, "DISABLED", "the key is disabled"),
    told(401, "NOT_YET_VALID", "the key is not valid yet"),
    told(401, "EXPIRED", "the key has expired"),
    told(401, "OWNER_DISABLED", "the key's owner is disabled or gone"),
    told(401, "session_ended", "the session has ended: sign in again"),
    told(401, "sign_in_failed", "address and password don't belong together"),
    told(401, "code_required", "the code of the second factor is missing or wrong"),
    told(403, "ORGANIZATION_SUSPENDED", "the key's organization is suspended"),
    told(403, "SUBSCRIPTION_REQUIRED", "the key's organization has no API access"),
    told(403, "NOT_ACCEPTED_HERE", "the key is not accepted here"),
    told(403, "IP_NOT_ALLOWED", "the key may not be used from this address"),
    told(403, "INSUFFICIENT_PERMISSIONS", "the key lacks a permission"),
    told(403, "REQUEST_REFUSED", "the asking proxy, or what it forwards, is not acceptable"),
    told(403, "GATE_NOT_FOUND", "no such gate"),
    told(403, "ROUTE_NOT_ALLOWED", "the gate has no rule for this request, or one that denies it"),
    told(403, "permission_required", "the actor lacks `permission`"),
    told(403, "beyond_key", "a key gives and changes nothing that is wider than itself"),
    told(403, "session_required", "for people: a key does not do this"),
    told(
        403,
        "second_factor_required",
        "the session must have been opened with a second factor, or its user must turn one on first",
    ),
    told(
        403,
        "subscription_required",
        "`plan` or its subscription does not give `feature`; `pricing_url` where there is one",
    ),
    told(
        403,
        "subscription_limit",
        "`plan` gives no more than `maximum` of `limit`; `pricing_url` where there is one",
    ),
    told(403, "link_invalid", "the one-time link was used, has ended, or never was"),
    told(403, "cross_site", "a browser sent this from another origin"),
    told(404, "not_found", "nothing here that the actor may know of"),
    told(405, "method_not_allowed", "`Allow` names the methods of this path"),
    told(408, "body_timeout", "the body did not arrive in time"),
    told(409, "key_revoked", "the key is revoked, for ever"),
    told(409, "own_key", "a key does not change what it may do itself"),
    told(409, "own_account", "this is for other users' accounts, not for one's own"),
    told(409, "key_expired", "the key has expired"),
    told(409, "name_taken", "another one has this name"),
    told(409, "email_taken", "a user of the organization has the address"),
    told(409, "domain_taken", "the e-mail domain is assigned to another organization"),
    told(
        409,
        "organization_required",
        "the password is right in several `organizations`: name one",
    ),
    told(409, "role_in_use", "somebody holds the role, or is invited to it"),
    told(409, "builtin_role", "the four built-in roles stay as they are"),
    told(409, "own_permission", "Keyhouse's own permissions stay as they are"),
    told(409, "last_owner", "an organization always keeps an owner"),
    told(409, "last_operator", "the instance always keeps an operator"),
    told(409, "removal_under_way", "the user is being removed, in another way"),
    told(409, "totp_already_on", "the second factor is on already"),
    told(409, "totp_not_begun", "no second factor was begun"),
    told(409, "password_too_short", "without a second factor the password is too short"),
    told(409, "too_many_teams", "no more teams fit"),
    told(409, "too_many_roles", "no more roles fit"),
    told(409, "too_many_permissions", "no more permissions fit"),
    told(409, "too_many_gates", "no more gates fit"),
    told(409, "too_many_organizations", "no more organizations fit"),
    told(409, "too_many_invitations", "no more invitations fit"),
    told(409, "not_set_up", "no organization yet"),
    told(
        412,
        "version_conflict",
        "changed meanwhile: `current_version` is not what `If-Match` names",
    ),
    told(413, "body_too_large", "the body is too large"),
    told(415, "unsupported_media_type", "the body is not of the type that is taken here"),
    told(421, "misdirected_request", "Host is not this instance's: see --public-url"),
    told(429, "RATE_LIMITED", "a rate limit of the key is used up"),
    told(429, "QUOTA_EXCEEDED", "the quota of the key is used up"),
    told(429, "too_many_attempts", "too many sign-ins failed: `Retry-After` says how long to wait"),
    told(429, "too_many_changes", "too many changes: `Retry-After` says how long to wait"),
    told(431, "head_too_large", "the request's head is too large"),
    told(500, "internal", "a fault of this program"),
    told(503, "internal", "a fault of this program, on a check endpoint"),
    told(503, "busy", "too much to do at the moment"),
    told(503, "index_behind", "not up to date: no check is answered until it is"),
    told(503, "not_ready", "not ready"),
    told(503, "storage_full", "no room in the store"),
    told(503, "storage_unavailable", "the store is unavailable; nothing was changed"),
    told(
        503,
        "outcome_unknown",
        "nobody can say whether this was done: look before doing it again",
    ),
];

/// The names of all codes.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ERRORS.iter().map(|told| told.code)
}

/// The error with this code. What is a fault of the program elsewhere is no decision on a check
/// endpoint, whose clients must come back.
pub(super) fn error(code: &str, on_check: bool) -> Option<&'static Told> {
    let mut named = ERRORS.iter().filter(|told| told.code == code);
    if on_check { named.next_back() } else { named.next() }
}
