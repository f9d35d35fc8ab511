//! The page on the actions of the audit log.

use super::{Table, code};
use crate::model::audit_action::AuditAction;

const START: &str = "\
# Audit actions

Each change writes an event in its own commit: action, actor, target, time, address, and the changed fields
before and after, never a secret. `keyhouse audit list --action 'key.*'` filters by kind. Events are kept for
400 days unless [`[audit] retention`](settings.md#audit) differs.

";

const END: &str = "
The log is sealed once a second. [What the audit log proves](../../SECURITY.md#what-the-audit-log-proves)
describes the seals and their limits.
";

pub(super) fn page() -> String {
    let mut table = Table::new(["action", "event"]);
    for action in AuditAction::ALL {
        table.row([&code(action.name), action.meaning]);
    }
    [START, &table.text, END].concat()
}
