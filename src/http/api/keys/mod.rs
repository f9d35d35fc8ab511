//! `/v1/keys`: creates, lists, shows, changes, revokes, disables, enables and shares keys.

use rouille::Response;
use serde_json::json;

use crate::actions::ActionError;
use crate::actions::actor::Actor;
use crate::actions::changes::Target;
use crate::http::api::teams::team_id;
use crate::http::api::{no_fields, versions};
use crate::http::endpoint::{Endpoint, delete, get, patch, post, put};
use crate::http::input::Fields;
use crate::http::problem::Problem;
use crate::http::reading::{Read as _, boolean, parsed, wrong};
use crate::http::schema::line;
use crate::http::view::Revealed;
use crate::http::{App, Call, answer};
use crate::model::errors;
use crate::model::fault::FaultCode;
use crate::model::id::KeyId;
use crate::model::moment::Moment;
use crate::model::name::parse_description;
use crate::model::role::{KEYS_CREATE, KEYS_MANAGE};
use crate::records::key::{KeyRecord, ShareRecord};

pub(in crate::http) mod declared;
mod explain;
mod export;
mod import;
mod list;
mod reading;
mod requests;
mod rotate;
pub(in crate::http) mod view;

pub(super) use list::page;
use reading::{read_access, read_change, read_draft};
pub(super) use view::ListedKeyView;
use view::{
    CreatedKeyView, DescendantsCountView, KeyView, RevokedKeyView, descendants_view, key_view,
};

const REASON_CHARACTERS_MAX: usize = 256;

/// The permission to change a key.
const OTHERS: &str = "The caller's own key needs no permission, any other key \
                      `keyhouse:keys:manage`.";

pub(in crate::http) fn endpoints() -> Vec<Endpoint> {
    let own = [list::endpoint(), export::endpoint(), import::endpoint(), rotate::endpoint()];
    own.into_iter()
        .chain([explain::endpoint(), requests::endpoint()])
        .chain(of_records())
        .chain(switches())
        .chain(shares())
        .collect()
}

fn of_records() -> [Endpoint; 5] {
    [
        post("/v1/keys", create)
            .named("createKey", "Create a key")
            .details(
                "Returns the secret, which cannot be shown again. A personal key needs \
                 `keyhouse:keys:create`, a service key `keyhouse:keys:manage`. The caller \
                 must have everything that the key grants.",
            )
            .needs(&[KEYS_CREATE, KEYS_MANAGE])
            .may_take(
                |fields| read_draft(fields, Moment::BEGINNING),
                json!({
                    "name": "deploy", "description": "What it is for.",
                    "permissions": ["diagrams:read", "files:*"], "expires_in": "90d",
                    "ip_rules": {"allow": ["192.0.2.0/24"], "deny": []},
                    "rate_limits": [{"name": "burst", "limit": 20, "window_seconds": 10}],
                    "metadata": {"ticket": "OPS-7"},
                }),
            )
            .body_named("KeyDraft")
            .answers::<CreatedKeyView>(201, "The key and its secret.")
            .with_location()
            .fails(&[errors::SUBSCRIPTION_REQUIRED, errors::SUBSCRIPTION_LIMIT])
            .fails(&[errors::PROOF_REQUIRED]),
        get("/v1/keys/{key}", show)
            .named("showKey", "Show a key")
            .details(
                "The caller's own key and a key that is shared with the caller's teams need \
                 no permission, any other key `keyhouse:keys:read`.",
            )
            .answers::<KeyView>(200, "The key.")
            .with_etag(),
        patch("/v1/keys/{key}", change)
            .named("changeKey", "Change a key")
            .details(OTHERS)
            .versioned()
            .may_take(
                |fields| read_change(fields, Moment::BEGINNING),
                json!({"name": "deploy to staging"}),
            )
            .body_named("KeyChange")
            .answers::<KeyView>(200, "The changed key.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED, errors::KEY_REVOKED, errors::OWN_KEY]),
        delete("/v1/keys/{key}", remove)
            .named("deleteKey", "Delete a key")
            .details(
                "Revokes the key permanently. Its record is kept for a while, with the \
                 status `revoked`.",
            )
            .versioned()
            .answers_empty(204, "The key is revoked.")
            .fails(&[errors::PERMISSION_REQUIRED]),
        get("/v1/keys/{key}/descendants", count_descendants)
            .named("countDescendants", "Count the descendants of a key")
            .details(
                "Descendants are the keys that the key created, and the keys that those created. \
                 Revoked keys are not counted.",
            )
            .answers::<DescendantsCountView>(200, "Number of descendants.")
            .fails(&[errors::PERMISSION_REQUIRED]),
    ]
}

fn switches() -> [Endpoint; 3] {
    [
        post("/v1/keys/{key}/revoke", revoke)
            .named("revokeKey", "Revoke a key")
            .details(
                "Revokes the key permanently. The caller's own key needs no permission, any \
                 other key `keyhouse:keys:manage`. With `descendants`, the keys that it \
                 created, and the keys that those created, are revoked too, at most 1,000 \
                 per request. `descendants` in the response counts them; `left` are those \
                 that the caller may not revoke. While `more` is true, repeat the request.",
            )
            .versioned()
            .may_take(read_revocation, json!({"reason": "laptop stolen"}))
            .answers::<RevokedKeyView>(200, "The changed key.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED]),
        post("/v1/keys/{key}/disable", disable)
            .named("disableKey", "Disable a key")
            .details(OTHERS)
            .versioned()
            .takes_no_fields()
            .answers::<KeyView>(200, "The changed key.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED, errors::KEY_REVOKED]),
        post("/v1/keys/{key}/enable", enable)
            .named("enableKey", "Enable a key")
            .details(OTHERS)
            .versioned()
            .takes_no_fields()
            .answers::<KeyView>(200, "The changed key.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED, errors::KEY_REVOKED, errors::OWN_KEY]),
    ]
}

fn shares() -> [Endpoint; 2] {
    [
        put("/v1/keys/{key}/teams/{team}", share)
            .named("shareKey", "Share a key with a team")
            .details(
                "The caller must be a member of the team, or have `keyhouse:teams:manage`. \
                 If the key is shared with the team already, the access is changed.",
            )
            .versioned()
            .takes(read_access, json!({"access": "read"}))
            .answers::<KeyView>(200, "The changed key.")
            .with_etag()
            .fails(&[errors::PERMISSION_REQUIRED, errors::SUBSCRIPTION_REQUIRED])
            .fails(&[errors::KEY_REVOKED, errors::OWN_KEY, errors::TOO_MANY_TEAMS]),
        delete("/v1/keys/{key}/teams/{team}", unshare)
            .named("unshareKey", "Remove a key from a team")
            .details("Stops sharing the key with the team.")
            .versioned()
            .answers_empty(204, "The key is no longer shared with the team.")
            .fails(&[errors::PERMISSION_REQUIRED, errors::KEY_REVOKED, errors::OWN_KEY]),
    ]
}

fn create(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let draft = call.read(|fields| read_draft(fields, now))?;
    let actor = call.actor()?;
    let (record, secret) = app.actions.create_key(actor, draft)?;
    let location = app.location(&format!("/v1/keys/{}", record.id));
    let view = CreatedKeyView { key: key_view(app, actor, &record), secret: Revealed(secret) };
    Ok(answer::created_at(location, &view, record.version))
}

fn show(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.key(actor, key_id(call)?)?))
}

fn change(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let change = call.read(|fields| read_change(fields, now))?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.change_key(actor, &target(call)?, &change)?))
}

/// Reads the reason, and whether to revoke the descendants too.
fn read_revocation(fields: &mut Fields) -> (Option<String>, bool) {
    let schema = || line(REASON_CHARACTERS_MAX, "its laptop was stolen");
    let reader =
        parsed(FaultCode::INVALID_REASON, parse_description, schema).then(|reason, pointer| {
            if reason.chars().count() > REASON_CHARACTERS_MAX {
                let detail = format!("must be at most {REASON_CHARACTERS_MAX} characters");
                return wrong(pointer, FaultCode::TOO_LONG, detail);
            }
            Ok(reason)
        });
    let reason = fields.optional("reason", "Reason of the revocation, for the record.", reader);
    let about = "Whether to revoke the descendants too.";
    (reason, fields.optional("descendants", about, boolean(true)).unwrap_or_default())
}

fn revoke(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let (reason, with_descendants) = call.read(read_revocation)?;
    let (actor, target, reason) = (call.actor()?, target(call)?, reason.as_deref());
    let (record, descendants) = if with_descendants {
        let (record, revoked) = app.actions.revoke_with_descendants(actor, &target, reason)?;
        (record, Some(descendants_view(&revoked)))
    } else {
        (app.actions.revoke_key(actor, &target, reason)?, None)
    };
    let view = RevokedKeyView { descendants, key: key_view(app, actor, &record) };
    Ok(answer::versioned(&view, record.version))
}

/// Counts the keys that a revocation with `descendants` would include.
fn count_descendants(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let count = app.actions.count_descendants(call.actor()?, key_id(call)?)?;
    Ok(answer::json(&DescendantsCountView { count }))
}

fn remove(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.revoke_key(call.actor()?, &target(call)?, None)?;
    Ok(answer::empty())
}

fn disable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.disable_key(actor, &target(call)?)?))
}

fn enable(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    no_fields(call)?;
    let actor = call.actor()?;
    Ok(answer_record(app, actor, &app.actions.enable_key(actor, &target(call)?)?))
}

fn share(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let access = call.read_required(read_access)?;
    let (actor, team) = (call.actor()?, team_id(call, 1)?);
    let share = ShareRecord { team, access };
    Ok(answer_record(app, actor, &app.actions.share_key(actor, &target(call)?, share)?))
}

fn unshare(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    app.actions.unshare_key(call.actor()?, &target(call)?, team_id(call, 1)?)?;
    Ok(answer::empty())
}

fn answer_record(app: &App, actor: &Actor, record: &KeyRecord) -> Response {
    answer::versioned(&key_view(app, actor, record), record.version)
}

/// The id of the key in the path. A malformed id gives 404.
fn key_id(call: &Call<'_>) -> Result<KeyId, Problem> {
    call.param(0).parse().map_err(|_source| ActionError::NotFound("key").into())
}

/// The key in the path, with the versions of `If-Match`.
fn target(call: &Call<'_>) -> Result<Target<KeyId>, Problem> {
    Ok(Target { id: key_id(call)?, versions: versions(call) })
}
