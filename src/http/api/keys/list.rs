//! `GET /v1/keys`: lists keys, filtered and sorted.

use rouille::Response;

use crate::actions::actor::Actor;
use crate::actions::keys::{
    COUNTED_MAX, KeyPage, ListedKeys, OwnerWanted, Position, Query, Sort, TeamWanted, Wanted,
};
use crate::http::api::keys::reading::{environment, kind};
use crate::http::api::keys::view::{ListedKeyView, hidden_key_view, key_view, statuses};
use crate::http::api::{CURSOR, cursor, page_limit};
use crate::http::endpoint::{Endpoint, get};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::reading::{only, parsed};
use crate::http::schema::{self, any_of, choice, count, id, nullable, span, text, truth};
use crate::http::view::{Page, view};
use crate::http::{App, Call, answer};
use crate::model::fault::FaultCode;
use crate::model::moment::{Moment, moment_after, parse_span};
use crate::records::key::KeyRecord;

const SEARCH_CHARACTERS_MAX: usize = 100;

pub(super) fn endpoint() -> Endpoint {
    get("/v1/keys", list_keys)
        .named("listKeys", "List keys")
        .details(
            "Returns the newest keys first. The caller's own keys, and keys that are \
             shared with the caller's teams, have all fields. Other keys are \
             `HiddenKey`, unless the caller has `keyhouse:keys:read`. Revoked keys are \
             returned only with `status`.",
        )
        .long()
        .query(|parameters| read_query(parameters, Moment::BEGINNING))
        .answers::<KeyPageView>(200, "A page of keys.")
}

view! {
    KeyPageView {
        /// Items of the page.
        items: Vec<ListedKeyView>,
        /// Cursor of the next page. Null on the last page.
        next_cursor: Option<String> => nullable(schema::key_cursor().into()),
        /// Number of keys on all pages. 10000 if `total_is_exceeded`.
        total: usize => count(2014),
        /// Whether there are more keys than `total`. Possible only in an organization with more
        /// than 10,000 keys, until a request has read its whole list.
        total_is_exceeded: bool => truth(false),
    }
}

const _: () = assert!(COUNTED_MAX == 10_000, "the description of `total` names this number");

fn read_query(parameters: &mut Parameters, now: Moment) -> Query {
    let limit = page_limit(parameters);
    let about = "Sort order. Keys without a value are last, and hidden keys after those.";
    let sorts = Sort::ALL.map(|(_, name)| name);
    let reader = parsed(FaultCode::INVALID_SORT, str::parse::<Sort>, || choice(&sorts));
    let sort = parameters.optional("sort", about, reader).unwrap_or(Sort::NEWEST_FIRST);
    let after = if sort == Sort::NEWEST_FIRST {
        let reader = parsed(FaultCode::INVALID_CURSOR, cursor::read, schema::key_cursor);
        parameters.optional("cursor", CURSOR, reader).map(Position::newest_first)
    } else {
        let parse = |text: &str| {
            let position = cursor::read_text::<Position>(text)?;
            let belongs = position.sort() == sort;
            belongs
                .then_some(position)
                .ok_or("belongs to a list with another sort: restart without cursor")
        };
        let reader = parsed(FaultCode::INVALID_CURSOR, parse, schema::key_cursor);
        parameters.optional("cursor", CURSOR, reader)
    };
    let parse = |text: &str| {
        let fits = text.chars().count() <= SEARCH_CHARACTERS_MAX;
        fits.then(|| text.to_owned())
            .ok_or_else(|| format!("must be at most {SEARCH_CHARACTERS_MAX} characters"))
    };
    let schema = || text("deploy").max_length(Some(SEARCH_CHARACTERS_MAX));
    let about = "Only keys that contain this text in their name, description, hint, id, \
                 permissions, the name or email address of their owner, or the IP address of their \
                 last call. Only fields that the caller can see are searched.";
    let search = parameters.optional("search", about, parsed(FaultCode::TOO_LONG, parse, schema));
    let parse = |text: &str| match text {
        "all" => Ok(Wanted::All),
        name => name.parse().map(Wanted::Only).map_err(|error| format!("{error}, or all")),
    };
    let schema = || choice(&[&statuses()[..], &["all"]].concat());
    let about = "Only keys with this status. Default: all except revoked keys.";
    let status =
        parameters.optional("status", about, parsed(FaultCode::INVALID_STATUS, parse, schema));
    let kind = parameters.optional("kind", "Only keys of this kind.", kind());
    let query = Query {
        after,
        search: search.filter(|text| !text.is_empty()),
        status: status.unwrap_or_default(),
        kind,
        ..Query::of(limit, sort)
    };
    let query = read_people(parameters, query);
    read_lifetime(parameters, now, query)
}

/// Reads the filters by owner, team and environment.
fn read_people(parameters: &mut Parameters, query: Query) -> Query {
    let parse = |text: &str| match text {
        "me" => Ok(OwnerWanted::Me),
        id => id.parse().map(OwnerWanted::User),
    };
    let schema = || any_of([choice(&["me"]).into(), id("usr").into()]);
    let about = "Only keys of this user; `me` is the caller.";
    let owner = parameters.optional("owner", about, parsed(FaultCode::INVALID_ID, parse, schema));
    let parse = |text: &str| match text {
        "mine" => Ok(TeamWanted::Mine),
        id => id.parse().map(TeamWanted::Team),
    };
    let schema = || any_of([choice(&["mine"]).into(), id("team").into()]);
    let about = "Only keys that are shared with this team; `mine` is any team of the caller.";
    let team = parameters.optional("team", about, parsed(FaultCode::INVALID_ID, parse, schema));
    let about = "Only keys of this environment.";
    let environment = parameters.optional("environment", about, environment());
    Query { owner, team, environment, ..query }
}

/// Reads the filters by use, end and rotation.
fn read_lifetime(parameters: &mut Parameters, now: Moment, query: Query) -> Query {
    let reader = only(FaultCode::INVALID_USED, "never");
    let unused = parameters.optional("used", "Only keys that were never used.", reader);
    let about = "Only keys that were created before this duration, and not used within it.";
    let parse = |text: &str| parse_span(text).map(|span| now.before(span));
    let reader = parsed(FaultCode::INVALID_DURATION, parse, || span("90d"));
    let unused_since = parameters.optional("unused_for", about, reader);
    let about = "Only keys that expire within this duration from now.";
    let reader = parsed(FaultCode::INVALID_DURATION, |text| moment_after(now, text), || span("7d"));
    let expires_before = parameters.optional("expires_within", about, reader);
    let reader = only(FaultCode::INVALID_CHOICE, "never");
    let endless = parameters.optional("expires", "Only keys that never expire.", reader);
    let about =
        "Only active keys whose replaced secret still works and was used since the rotation.";
    let reader = only(FaultCode::INVALID_CHOICE, "used");
    let old_secret_used = parameters.optional("old_secret", about, reader);
    Query {
        unused: unused.unwrap_or_default(),
        unused_since,
        expires_before,
        endless: endless.unwrap_or_default(),
        old_secret_used: old_secret_used.unwrap_or_default(),
        ..query
    }
}

fn list_keys(app: &App, call: &Call<'_>) -> Result<Response, Problem> {
    let now = app.actions.clock().now().wall;
    let query = call.query(|parameters| read_query(parameters, now))?;
    let actor = call.actor()?;
    let KeyPage { keys, next, total } = app.actions.list_keys(actor, &query)?;
    let next_cursor = next.map(|next| match next.sort() {
        Sort::NEWEST_FIRST => cursor::write(next.id()),
        _ => cursor::write_name(&next.to_string()),
    });
    Ok(answer::json(&KeyPageView {
        items: items(app, actor, &keys),
        next_cursor,
        total: total.keys,
        total_is_exceeded: total.is_exceeded,
    }))
}

/// A page of keys, each with the fields that the actor may see.
pub(in crate::http::api) fn page(
    app: &App,
    actor: &Actor,
    listed: &ListedKeys,
) -> Page<ListedKeyView> {
    Page { items: items(app, actor, &listed.keys), next_cursor: listed.next.map(cursor::write) }
}

fn items(app: &App, actor: &Actor, keys: &[(KeyRecord, bool)]) -> Vec<ListedKeyView> {
    let view = |(record, whole): &(KeyRecord, bool)| {
        if *whole {
            ListedKeyView::Whole(Box::new(key_view(app, actor, record)))
        } else {
            ListedKeyView::Hidden(hidden_key_view(app, record))
        }
    };
    keys.iter().map(view).collect()
}
