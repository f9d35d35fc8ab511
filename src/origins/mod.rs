//! Keys in the exports of other systems, as rows of an import.
//!
//! The room converts text to rows: it reads no file and sends nothing. A row has the fields of a key
//! of `POST /v1/keys/import`, which checks them.
//!
//! No restriction of a key itself is lost: a key with an end, a limit or a state that Keyhouse cannot
//! express is not converted. Left out of the row may be a fact that restricts nothing, and a
//! restriction that belongs to another object than the key: plugins and groups of Kong's consumers,
//! Tyk's policies and access rights. Their limits must be set in Keyhouse. All of these are remarks.
//! A remark never contains a key or a hash.

mod better_auth;
mod columns;
mod draft;
mod entries;
mod entry;
mod kong;
mod tyk;
mod unkey;

use serde_json::Value;

use crate::model::moment::Moment;

/// A system whose exports are read, or the format of Keyhouse for such exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceSystem {
    Unkey,
    Kong,
    BetterAuth,
    Tyk,
    Csv,
}

impl SourceSystem {
    /// Every origin with its name on the command line.
    pub(crate) const NAMES: [(Self, &'static str); 5] = [
        (Self::Unkey, "unkey"),
        (Self::Kong, "kong"),
        (Self::BetterAuth, "better-auth"),
        (Self::Tyk, "tyk"),
        (Self::Csv, "csv"),
    ];
}

/// The keys of an export.
#[derive(Default)]
pub(crate) struct Converted {
    pub(crate) rows: Vec<ExportRow>,
    /// The keys that cannot be imported, with the reasons.
    pub(crate) refused: Vec<Remark>,
    /// The facts that the rows lack.
    pub(crate) left_out: Vec<Remark>,
}

/// A key of an import. It may contain the key's text, so it is not printable.
pub(crate) struct ExportRow {
    /// Where the key is in the export: a line of CSV, otherwise the number of the key, from 1.
    pub(crate) line: usize,
    pub(crate) key: Value,
}

/// A statement about one key of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// Where the key is in the export, as in [`ExportRow`].
    pub(crate) line: usize,
    /// The id or the name of the key in the other system.
    pub(crate) name: Option<String>,
    pub(crate) reason: String,
}

/// Why an export cannot be read at all. The text names a line, never its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UnreadableExport(String);

/// Converts an export. `now` decides which keys have expired.
pub(crate) fn convert(
    origin: SourceSystem,
    text: &str,
    now: Moment,
) -> Result<Converted, UnreadableExport> {
    let text = text.trim_start_matches('\u{feff}');
    match origin {
        SourceSystem::Unkey => unkey::convert(text, now),
        SourceSystem::Kong => kong::convert(text, now),
        SourceSystem::BetterAuth => better_auth::convert(text, now),
        SourceSystem::Tyk => tyk::convert(text, now),
        SourceSystem::Csv => columns::convert(text, now),
    }
}

impl Converted {
    /// Adds a key: its row with the facts that it lacks, or the reason why it has none.
    fn add(&mut self, source: &entry::ExportedKey, drafted: Result<draft::Draft, String>) {
        let (line, name) = (source.line, source.name.clone());
        match drafted {
            Ok(draft) => {
                let (key, left_out) = draft.finish();
                let remark = |reason| Remark { line, name: name.clone(), reason };
                self.left_out.extend(left_out.into_iter().map(remark));
                self.rows.push(ExportRow { line, key });
            },
            Err(reason) => self.refused.push(Remark { line, name, reason }),
        }
    }
}
