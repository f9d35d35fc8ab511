//! The inspection of a whole store: its medium, its rows, the index and the audit log.

use std::sync::Arc;

use keyhouse_storage::{At, Progress, Range, Store};

use crate::actions::audit::check::{FaultKind, LogFault, Terms, check_once};
use crate::index::Index;
use crate::index::follow::{self, FollowError};
use crate::inspection::finding::{Finding, FindingCode};
use crate::inspection::report::{InspectionError, StoreReport, Surroundings};
use crate::inspection::walk::Walk;
use crate::records::place::StoreKey;
use crate::records::prepare::{self, PendingUpgrade};
use crate::records::{PrepareError, RecordError};

/// Inspects a store of the current format. Blocks until all rows are read.
///
/// # Errors
/// [`InspectionError`] if the inspection could not be completed; faults of the content are findings.
pub fn inspect(
    store: &Arc<dyn Store>,
    surroundings: Surroundings<'_>,
) -> Result<StoreReport, InspectionError> {
    require_format(&**store)?;
    let mut walk = Walk::new(&**store, surroundings);
    if let Err(error) = store.check() {
        let finding = Finding::new(FindingCode::StoreDamaged, "store", error.to_string());
        walk.report.add(finding);
    }
    let index = build_index(store)?;
    walk.rows(index.as_ref().ok())?;
    if let Err(error) = &index
        && !walk.report.findings.iter().any(is_unreadable)
    {
        let detail = format!("the index could not be built: {error}");
        walk.report.add(Finding::new(FindingCode::IndexDiffers, "index", detail));
    }
    audit_log(&mut walk)?;
    Ok(walk.report)
}

/// Requires the current format, or an empty store.
fn require_format(store: &dyn Store) -> Result<(), InspectionError> {
    if let Some(PendingUpgrade { from, .. }) = prepare::pending(store)? {
        return Err(InspectionError::Format { from });
    }
    let any = Range { limit: 1, ..Range::prefix(b"") };
    let has_rows = !store.scan(&any, At::Latest)?.rows.is_empty();
    if has_rows && prepare::format_of(store, At::Latest)?.is_none() {
        return Err(PrepareError::Unfinished.into());
    }
    Ok(())
}

/// Whether a finding is a row that the index cannot read either.
fn is_unreadable(finding: &Finding) -> bool {
    matches!(finding.code, FindingCode::RecordUndecodable | FindingCode::RowUnknown)
}

/// The index that a server would build, or the record for which no server could build it.
fn build_index(store: &Arc<dyn Store>) -> Result<Result<Index, RecordError>, InspectionError> {
    let index = Arc::new(Index::new());
    match follow::start(Arc::clone(&index), Arc::clone(store), &Progress::default()) {
        Ok(following) => following.stop(),
        Err(FollowError::Record(error)) => return Ok(Err(error)),
        Err(error @ (FollowError::Read(_) | FollowError::Thread(_))) => {
            return Err(InspectionError::Index(error));
        },
    }
    // The thread that shared the index has ended.
    Ok(Ok(Arc::into_inner(index).unwrap_or_default()))
}

/// Checks the audit log. Events that do not decode were found before.
fn audit_log(walk: &mut Walk<'_>) -> Result<(), InspectionError> {
    let Surroundings { now, retention, .. } = walk.surroundings;
    let terms = Terms { head: None, now, retention };
    let checked = loop {
        let checked = check_once(walk.store, terms, &|| None);
        if let Some(checked) = checked.map_err(InspectionError::AuditLog)? {
            break checked;
        }
    };
    for LogFault { kind, seal, event } in checked.faults {
        let place = match (event, seal) {
            (Some(event), _) => StoreKey::Event(event).to_string(),
            (None, Some(seal)) => StoreKey::Seal(seal).to_string(),
            (None, None) => "audit log".to_owned(),
        };
        let is_known = walk.report.findings.iter().any(|known| known.place == place);
        if kind != FaultKind::Altered || !is_known {
            let finding = Finding::new(FindingCode::AuditLogFault, place, kind.name());
            walk.report.add(finding);
        }
    }
    Ok(())
}
