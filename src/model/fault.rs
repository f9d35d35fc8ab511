//! A fault: an invalid part of an input, with its place and its code.
//!
//! The API description and the reference list the codes, and the page has a text for each.

use std::fmt;

use crate::model::named::named;

/// What is wrong with a part of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCode {
    /// The stable name in a fault's `code`.
    pub name: &'static str,
    /// What the code means, for the documentation: a part of a sentence.
    pub meaning: &'static str,
}

named! {
    FaultCode:
    BEYOND_CEILING = "beyond_ceiling",
        "the permission exceeds the maximum permissions of the organization";
    BEYOND_KEY = "beyond_key", "a key cannot give more than its own rights";
    BUILTIN_ROLE = "builtin_role", "built-in roles can't be changed";
    CONTRADICTION = "contradiction", "the value contradicts another field";
    DIGEST_TAKEN = "digest_taken", "a key with this digest exists";
    DOUBLED = "doubled", "the list has the value twice";
    EQUAL_ROUTE = "equal_route", "another route matches the same requests";
    INVALID_ACCESS = "invalid_access", "neither `read` nor `write`";
    INVALID_ACTION = "invalid_action", "not an action of the audit log";
    INVALID_ACTOR = "invalid_actor", "not an actor of the audit log";
    INVALID_ALGORITHM = "invalid_algorithm", "not an algorithm of imported digests";
    INVALID_CHOICE = "invalid_choice", "the value is none of the accepted ones";
    INVALID_CURSOR = "invalid_cursor", "the cursor is not of this list";
    INVALID_DESCRIPTION = "invalid_description",
        "the text is too long, or has characters that can't be displayed";
    INVALID_DIGEST = "invalid_digest", "not a digest of the algorithm";
    INVALID_DOMAIN = "invalid_domain", "not a domain";
    INVALID_DURATION = "invalid_duration", "not a duration such as `30d`, `12h` or `90m`";
    INVALID_EMAIL = "invalid_email", "not an email address";
    INVALID_ENVIRONMENT = "invalid_environment",
        "not up to 16 lowercase letters and digits that begin with a letter";
    INVALID_GATE_NAME = "invalid_gate_name",
        "not up to 63 lowercase letters, digits and hyphens that begin with a letter";
    INVALID_HASH = "invalid_hash", "not a head of the audit log";
    INVALID_HEAD = "invalid_head", "not the beginning of a key; it must end with `|` or a dot";
    INVALID_HEADER = "invalid_header", "not a header that can carry a key";
    INVALID_HINT = "invalid_hint", "not a hint";
    INVALID_HOST = "invalid_host", "not a host name";
    INVALID_ID = "invalid_id", "not an id of this kind";
    INVALID_INTERVAL = "invalid_interval", "neither `hour` nor `day`";
    INVALID_IP = "invalid_ip", "not an IP address";
    INVALID_JSON = "invalid_json", "not a JSON object, or a text that is one";
    INVALID_KEY = "invalid_key", "the key can't be imported in this form";
    INVALID_KIND = "invalid_kind", "neither `personal` nor `service`";
    INVALID_LOCALE = "invalid_locale", "the language is not available";
    INVALID_METHOD = "invalid_method", "not an HTTP method";
    INVALID_NAME = "invalid_name", "not 1 to 256 characters on one line";
    INVALID_NETWORK = "invalid_network", "not an IP address or network (CIDR)";
    INVALID_OWNER = "invalid_owner", "the user can't own a key";
    INVALID_PASSWORD = "invalid_password",
        "the password is too short, too long, or easily guessed; `reasons` says which";
    INVALID_PATH = "invalid_path", "not a pattern of a path";
    INVALID_PERIOD = "invalid_period", "not `day`, `week` or `month`";
    INVALID_PERMISSION = "invalid_permission", "not a permission";
    INVALID_PRESET = "invalid_preset", "no such set of permissions";
    INVALID_REASON = "invalid_reason",
        "the text is too long, or has characters that can't be displayed";
    INVALID_RECIPIENT = "invalid_recipient", "not a recipient of age";
    INVALID_REQUIREMENT = "invalid_requirement",
        "not permissions joined with AND, OR and parentheses";
    INVALID_ROLE = "invalid_role", "not a role";
    INVALID_ROUTE = "invalid_route", "not a route of a gate";
    INVALID_SORT = "invalid_sort", "the order is not available";
    INVALID_STATUS = "invalid_status", "not a status";
    INVALID_TIME = "invalid_time", "not a time of RFC 3339, or out of range";
    INVALID_TIMEZONE = "invalid_timezone", "not a time zone of the IANA database";
    INVALID_URL = "invalid_url", "not a URL that this field accepts";
    INVALID_USED = "invalid_used", "not a choice of `used`";
    INVALID_VISIBILITY = "invalid_visibility", "neither `visible` nor `secret`";
    NO_OWNER = "no_owner", "the organization would have no owner";
    NOT_FOUND = "not_found", "the object does not exist, or the caller may not see it";
    OPERATORS_ONLY = "operators_only", "only operators can have the permission";
    OUT_OF_RANGE = "out_of_range", "the number is out of range";
    OWN_SHAPE = "own_shape", "a key in the format of Keyhouse itself can't be imported";
    REQUIRED = "required", "the field is missing or empty";
    RESERVED_NAME = "reserved_name", "the name is reserved";
    TOO_LARGE = "too_large", "the value is too large";
    TOO_LONG = "too_long", "the text is too long";
    TOO_MANY = "too_many", "the list has too many items";
    UNKNOWN_FIELD = "unknown_field", "the endpoint has no such field";
    UNKNOWN_ORGANIZATION = "unknown_organization", "the organization does not exist";
    UNKNOWN_PARAMETER = "unknown_parameter", "the endpoint has no such parameter";
    UNKNOWN_PLAN = "unknown_plan", "the plan does not exist";
    UNKNOWN_ROLE = "unknown_role", "the role does not exist";
    UNKNOWN_TEAM = "unknown_team", "the team does not exist, or the caller is not a member";
    UNKNOWN_USER = "unknown_user", "the user does not exist";
    WRONG_CODE = "wrong_code", "the code is incorrect, has expired, or was used";
    WRONG_PASSWORD = "wrong_password", "the password is incorrect";
    WRONG_TYPE = "wrong_type", "the value is of another type";
}

/// One fault of an input: its place, a stable code, and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    pub code: FaultCode,
    /// The error and its correction, in English; never the text of a secret.
    pub detail: String,
    /// Stable names of the reasons in the detail, if there can be several.
    pub reasons: Vec<&'static str>,
}

impl Fault {
    pub fn new(pointer: impl Into<String>, code: FaultCode, detail: impl fmt::Display) -> Self {
        let (pointer, detail) = (pointer.into(), detail.to_string());
        Self { pointer, code, detail, reasons: Vec::new() }
    }

    #[must_use]
    pub fn because(self, reasons: Vec<&'static str>) -> Self {
        Self { reasons, ..self }
    }
}

/// A field name as a segment of a JSON pointer (RFC 6901): at most its first 100 characters, escaped.
pub fn in_pointer(name: &str) -> String {
    let short: String = name.chars().take(100).collect();
    short.replace('~', "~0").replace('/', "~1")
}
