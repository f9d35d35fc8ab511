//! `/blueprint`: diagrams as data.

use hyper::HeaderMap;
use hyper::header::IF_MATCH;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{Access, AccessChange};
use crate::answer::{Answer, Request};
use crate::application::Application;
use crate::body::{self, Tags};
use crate::caller::Caller;
use crate::diagram;
use crate::refusal::{Faults, Refusal};
use crate::store::records::{Diagram, RowKey, shown_time};

/// The most diagrams of an organization.
pub(crate) const DIAGRAMS_MAX: usize = 1000;
/// The version of the content that a diagram without one gets.
const CONTENT_VERSION: &str = "\"version\":1,";

/// The members of a body with a diagram.
struct DiagramBody {
    name: String,
    /// The content, byte by byte as the client wrote it.
    content: String,
    tags: Option<Tags>,
    access: AccessChange,
}

impl Application {
    pub(crate) fn list_blueprints(&self, caller: &Caller) -> Result<Answer, Refusal> {
        let diagrams = self.store.diagrams(caller.organization())?;
        let rows: Vec<Value> = diagrams
            .iter()
            .filter(|diagram| diagram.access.lets_read(caller))
            .map(|diagram| {
                let mut row = view(diagram, caller);
                if let Some(row) = row.as_object_mut() {
                    row.insert("CurrentVersionId".to_owned(), json!(diagram.version));
                }
                row
            })
            .collect();
        Ok(Answer::json(200, &json!({"blueprints": rows})))
    }

    pub(crate) fn create_blueprint(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let wanted = DiagramBody::of(request, caller)?;
        let (id, now_ms) = ((self.sources.id)(), (self.sources.now_ms)());
        let mut access = Access::of_creator(caller);
        access.change(wanted.access, caller)?;
        let diagram = Diagram {
            id: id.to_string(),
            name: wanted.name,
            tags: wanted.tags.flatten(),
            access,
            last_changer: caller.identity().to_owned(),
            version: (self.sources.id)().to_string(),
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        };
        self.store.change(|store| {
            if store.count_diagrams(caller.organization())? >= DIAGRAMS_MAX {
                return Err(Refusal::Full { what: "diagrams", maximum: DIAGRAMS_MAX });
            }
            let key = RowKey::of(caller.organization(), &id);
            Ok(store.put_diagram(&key, &diagram, wanted.content.as_bytes())?)
        })?;
        Ok(whole(201, &diagram, &wanted.content, caller))
    }

    pub(crate) fn read_blueprint(&self, id: &Uuid, caller: &Caller) -> Result<Answer, Refusal> {
        let (diagram, content) = self.readable(id, caller)?;
        Ok(whole(200, &diagram, &String::from_utf8_lossy(&content), caller))
    }

    pub(crate) fn update_blueprint(
        &self,
        request: &Request,
        id: &Uuid,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let key = RowKey::of(caller.organization(), id);
        let (version, now_ms) = ((self.sources.id)().to_string(), (self.sources.now_ms)());
        // Access is checked before the body, so that a caller without access gets 403 or 404 for any body.
        let before = self.store.diagram(&key)?.ok_or(Refusal::NotFound)?;
        before.access.require_write(caller)?;
        let wanted = DiagramBody::of(request, caller)?;
        let diagram = self.store.change(|store| {
            let mut diagram = store.diagram(&key)?.ok_or(Refusal::NotFound)?;
            diagram.access.require_write(caller)?;
            require_match(&request.headers, &diagram)?;
            diagram.access.change(wanted.access, caller)?;
            if let Some(tags) = wanted.tags {
                diagram.tags = tags;
            }
            diagram.name = wanted.name;
            diagram.version = version;
            diagram.last_changer = caller.identity().to_owned();
            diagram.updated_at_ms = now_ms;
            store.put_diagram(&key, &diagram, wanted.content.as_bytes())?;
            Ok(diagram)
        })?;
        Ok(Answer::empty(204).header("etag", etag(&diagram)))
    }

    pub(crate) fn delete_blueprint(
        &self,
        request: &Request,
        id: &Uuid,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let key = RowKey::of(caller.organization(), id);
        self.store.change(|store| {
            let diagram = store.diagram(&key)?.ok_or(Refusal::NotFound)?;
            diagram.access.require_write(caller)?;
            require_match(&request.headers, &diagram)?;
            Ok(store.remove_diagram(&key)?)
        })?;
        Ok(Answer::empty(204))
    }

    /// A diagram that the caller may read, and its content.
    pub(crate) fn readable(
        &self,
        id: &Uuid,
        caller: &Caller,
    ) -> Result<(Diagram, Vec<u8>), Refusal> {
        let key = RowKey::of(caller.organization(), id);
        let (diagram, content) = self.store.content(&key)?.ok_or(Refusal::NotFound)?;
        diagram.access.require_read(caller)?;
        Ok((diagram, content))
    }
}

impl DiagramBody {
    /// Reads a body. Members that only the service sets, such as `createdAt`, are ignored: some clients send back
    /// whole objects.
    fn of(request: &Request, caller: &Caller) -> Result<Self, Refusal> {
        let body = body::object(request)?;
        let mut faults = Faults::default();
        let name = diagram::check(body.get("data"), &mut faults).to_owned();
        let tags = body::tags(&body, &mut faults);
        let access = AccessChange::of(&body, caller, &mut faults);
        faults.none_or(())?;
        let mut content = body::raw_data(request)?;
        let has_version = body.pointer("/data/version").is_some();
        if !has_version {
            // The content is an object with a name, so a member may follow its brace.
            content = content.replacen('{', &format!("{{{CONTENT_VERSION}"), 1);
        }
        Ok(Self { name, content, tags, access })
    }
}

/// The `ETag` of a diagram: quoted (RFC 9110), with 32 hexadecimal digits that change with each change.
fn etag(diagram: &Diagram) -> String {
    format!("\"{}\"", diagram.version.replace('-', ""))
}

/// Compares `If-Match`, if the request has it. Some clients send an entity tag without quotes.
fn require_match(headers: &HeaderMap, diagram: &Diagram) -> Result<(), Refusal> {
    let mut lines = headers.get_all(IF_MATCH).iter().peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    let tag = etag(diagram);
    let is_same = |entry: &str| entry == "*" || entry == tag || entry == tag.trim_matches('"');
    let mut entries = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    if entries.any(|entry| is_same(entry.trim())) { Ok(()) } else { Err(Refusal::Outdated) }
}

/// A diagram without its content.
fn view(diagram: &Diagram, caller: &Caller) -> Value {
    json!({
        "id": diagram.id,
        "name": diagram.name,
        "tags": diagram.tags,
        "readAccess": diagram.access.read,
        "writeAccess": diagram.access.write,
        "createdAt": shown_time(diagram.created_at_ms),
        "updatedAt": shown_time(diagram.updated_at_ms),
        "CreatorId": diagram.access.creator,
        "LastUserId": diagram.last_changer,
        "CustomerId": caller.organization(),
    })
}

/// The response with a diagram and its content.
fn whole(status: u16, diagram: &Diagram, content: &str, caller: &Caller) -> Answer {
    let mut body = view(diagram, caller).to_string();
    // The content goes into the response as it was stored: parsing it could change its numbers.
    let _brace = body.pop();
    body.push_str(",\"data\":");
    body.push_str(content);
    body.push('}');
    Answer::file(status, "application/json", body).header("etag", etag(diagram))
}
