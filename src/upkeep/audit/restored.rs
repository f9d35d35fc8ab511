//! The event of a restore. It is sealed before the restored store takes its place, so that the
//! audit log contains every restore.

use std::sync::Arc;

use keyhouse_storage::{Batch, Store};
use rand::rngs::StdRng;
use serde_json::{Map, json};

use crate::backup::RestoredRows;
use crate::clock::Clock;
use crate::model::audit_action::AuditAction;
use crate::model::id::{EventId, InstanceId};
use crate::model::retention::Retention;
use crate::records::event::EventRecord;
use crate::records::key::Author;
use crate::upkeep::audit::AuditHead;
use crate::upkeep::audit::seal::Sealer;
use crate::upkeep::error::UpkeepError;

/// Seals the events of a restored store, and then an event about the restore of the instance
/// `target`. Returns the new head. The store must not have a running instance.
pub fn record_restore(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mut random: StdRng,
    restored: &RestoredRows,
    target: Option<InstanceId>,
) -> Result<AuditHead, UpkeepError> {
    let now = clock.now().wall;
    let id = EventId::new(now, &mut random);
    let mut sealer = Sealer::new(store, clock, random, Retention::default());
    loop {
        sealer.try_catch_up()?;
        while !sealer.pending.is_empty() {
            sealer.seal_next()?;
        }
        if sealer.rest.is_none() {
            break;
        }
    }
    let header = &restored.backup.header;
    let after = json!({
        "revision": header.revision,
        "created_at": header.created_at.to_string(),
        "version": header.program,
        "audit_number": header.audit.number,
        "audit_head": header.audit.hash.to_string(),
        "backup_hash": restored.backup.hash.to_string(),
        "left_out": restored.left_out,
    });
    let event = EventRecord {
        id,
        at: now,
        actor: Some(Author::Local),
        address: None,
        organization: None,
        action: AuditAction::INSTANCE_RESTORE.name.into(),
        target: target.map(|id| id.to_string()).unwrap_or_default(),
        before: Map::new(),
        after: after.as_object().cloned().unwrap_or_default(),
    };
    sealer.seal_own(&event, Batch::new())?;
    Ok(sealer.head)
}
