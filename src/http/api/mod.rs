//! The management API: request and response shapes, and handlers, one file per resource.

pub(super) mod audit;
pub(super) mod backup;
mod cursor;
pub(super) mod gates;
pub(super) mod instance;
pub(super) mod invitations;
pub(super) mod keys;
pub(super) mod links;
pub(super) mod lockouts;
pub(super) mod me;
pub(super) mod notices;
pub(super) mod organizations;
pub(super) mod overview;
pub(super) mod permissions;
pub(super) mod plans;
pub(super) mod probes;
pub(super) mod proof;
pub(super) mod resets;
pub(super) mod roles;
pub(super) mod seal_key;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod setup;
pub(super) mod teams;
pub(super) mod totp;
pub(super) mod usage;
pub(super) mod user_sessions;
pub(super) mod users;

use std::str::FromStr;

use crate::actions::LIST_LIMIT_MAX;
use crate::http::Call;
use crate::http::input::Fields;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::parsed;
use crate::http::schema;
use crate::model::fault::FaultCode;
use crate::model::id::{Id, Kind};

/// Default number of items on a page.
const LIST_LIMIT_DEFAULT: usize = 50;

/// Reads the limit and the cursor of a list.
fn paging<K: Kind>(parameters: &mut Parameters) -> (usize, Option<Id<K>>) {
    let limit = page_limit(parameters);
    let reader = parsed(FaultCode::INVALID_CURSOR, cursor::read, schema::cursor);
    (limit, parameters.optional("cursor", CURSOR, reader))
}

/// Reads the limit and the cursor of a list that is sorted by name.
fn paging_by_name<T: FromStr>(parameters: &mut Parameters) -> (usize, Option<T>) {
    let limit = page_limit(parameters);
    let reader = parsed(FaultCode::INVALID_CURSOR, cursor::read_text, schema::name_cursor);
    (limit, parameters.optional("cursor", CURSOR, reader))
}

/// Description of the cursor of a list.
const CURSOR: &str = "The `next_cursor` of the previous page.";

fn page_limit(parameters: &mut Parameters) -> usize {
    let parse = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit =
            text.parse().ok().filter(|limit| digits && (1..=LIST_LIMIT_MAX).contains(limit));
        limit.ok_or_else(|| format!("must be a whole number from 1 to {LIST_LIMIT_MAX}"))
    };
    let about = "Maximum number of items on the page. Default: 50.";
    let limit = parsed(FaultCode::OUT_OF_RANGE, parse, || schema::whole(1, 100, 50));
    parameters.optional("limit", about, limit).unwrap_or(LIST_LIMIT_DEFAULT)
}

/// Rejects a body that has fields.
pub(super) fn no_fields(call: &Call<'_>) -> Result<(), Problem> {
    let fields = Fields::parse(call.request.header("Content-Type"), &call.body)?;
    fields.finish().map_err(Problem::invalid)
}

/// The versions in `If-Match` (RFC 9110, 13.1.1). `None` without the header, or with `*`, which
/// matches every version. A tag that is not a Keyhouse `ETag` matches no version.
fn versions(call: &Call<'_>) -> Option<Vec<u64>> {
    let header = call.request.header("If-Match").filter(|header| header.trim() != "*");
    header.map(|header| header.split(',').filter_map(version_of_tag).collect())
}

fn version_of_tag(tag: &str) -> Option<u64> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let version: u64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}
