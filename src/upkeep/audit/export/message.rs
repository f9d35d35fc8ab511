//! Format of exported entries: one line of JSON per entry, or an RFC 5424 message with the same
//! JSON.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::model::moment::Moment;
use crate::model::text::printable_line;
use crate::records::event::{EventRecord, SealRecord};

/// Facility 13 (log audit), severity 5 (notice): RFC 5424, 6.2.1.
const PRIORITY: u8 = 13 * 8 + 5;
/// Maximum length of MSGID and HOSTNAME (RFC 5424, 6).
const MSGID_MAX: usize = 32;
const HOSTNAME_MAX: usize = 255;

#[derive(Debug)]
pub(super) struct ExportEntry {
    at: Moment,
    kind: String,
    body: Value,
}

impl ExportEntry {
    /// Returns the entry of an event and the seal that covers it.
    pub(super) fn of_event(event: &EventRecord, seal: u64) -> Self {
        let (kind, id) = event.actor_parts();
        let body = json!({
            "type": "event",
            "seal": seal,
            "id": event.id.to_string(),
            "at": event.at.to_string(),
            "actor": { "kind": kind, "id": id },
            "address": event.address.map(|address| address.to_string()),
            "organization": event.organization.map(|id| id.to_string()),
            "action": event.action,
            "target": event.target,
            "before": event.before,
            "after": event.after,
        });
        Self { at: event.at, kind: event.action.to_string(), body }
    }

    /// Returns the entry of the head after a seal.
    pub(super) fn of_head(seal: &SealRecord) -> Self {
        let body = json!({
            "type": "head",
            "number": seal.number,
            "hash": seal.hash.to_string(),
            "at": seal.at.to_string(),
        });
        Self { at: seal.at, kind: "audit.head".to_owned(), body }
    }

    /// Returns the entry without the changed fields, for a socket that rejects the full message as
    /// too long.
    pub(super) fn shortened(&self) -> Self {
        let mut body = self.body.clone();
        for name in ["before", "after"] {
            if let Some(value) = body.get_mut(name) {
                *value = json!({});
            }
        }
        if let Some(fields) = body.as_object_mut() {
            fields.insert("shortened".to_owned(), true.into());
        }
        Self { at: self.at, kind: self.kind.clone(), body }
    }

    /// Returns the entry as one line of JSON. Characters that could control a terminal are escaped.
    pub(super) fn line(&self) -> String {
        printable_line(&self.body.to_string())
    }

    /// Returns the entry as a syslog message.
    pub(super) fn syslog(&self) -> String {
        let msgid = field(&self.kind, MSGID_MAX);
        let mut text = format!("<{PRIORITY}>1 {} {} keyhouse ", self.at, hostname());
        // Writing to a string cannot fail.
        let (Ok(()) | Err(_)) = write!(text, "{} {msgid} - {}", std::process::id(), self.line());
        text
    }
}

/// Returns a text as a header field: its visible ASCII characters, or the nil value `-`.
fn field(text: &str, max: usize) -> String {
    let visible = text.chars().filter(char::is_ascii_graphic).take(max);
    let text: String = visible.collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

fn hostname() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let system = rustix::system::uname();
        field(&system.nodename().to_string_lossy(), HOSTNAME_MAX)
    })
}
