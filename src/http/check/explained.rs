//! The JSON form of an explanation.

use serde_json::{Value, json};

use crate::index::list::IndexedList;
use crate::records::key::KeyRecord;
use crate::verify::{Explanation, ExplanationStep, Granting, Lists, StepOutcome};

/// The lists in a key's record.
pub(in crate::http) fn lists_of(record: &KeyRecord) -> Lists {
    Lists {
        permissions: record.permissions.as_ref().map(IndexedList::from),
        maxima: record.maxima.iter().map(IndexedList::from).collect(),
        expires_at: record.expires_at,
    }
}

/// The verdict, the rule that decided and its source, then all rules in their order.
pub(in crate::http) fn explanation_view(explanation: &Explanation) -> Value {
    let decisive = explanation.steps.iter().find(|step| step.outcome == StepOutcome::Failed);
    json!({
        "code": explanation.code.as_str(),
        "valid": decisive.is_none(),
        "source": decisive.map(|step| step.source),
        "detail": decisive.and_then(|step| step.detail.as_deref()),
        "rules": explanation.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &ExplanationStep) -> Value {
    json!({
        "code": step.code.as_str(),
        "outcome": step.outcome.as_str(),
        "source": step.source,
        "detail": step.detail,
        "permissions": step.grantings.iter().map(granting).collect::<Vec<_>>(),
    })
}

fn granting(granting: &Granting) -> Value {
    let stages = granting.stages.iter().map(|stage| {
        json!({
            "source": stage.source,
            "name": stage.name,
            "pattern": stage.pattern,
            "granted": stage.granted,
        })
    });
    json!({
        "permission": granting.permission,
        "granted": granting.granted,
        "by": stages.collect::<Vec<_>>(),
    })
}
