//! The JSON form of an explanation.

use crate::http::schema::{choice, nullable, text, the, truth};
use crate::http::view::view;
use crate::index::list::IndexedList;
use crate::records::key::KeyRecord;
use crate::verify::{Explanation, ExplanationStep, Granting, Lists, Stage, StepOutcome};

/// The lists in a key's record.
pub(in crate::http) fn lists_of(record: &KeyRecord) -> Lists {
    Lists {
        permissions: record.permissions.as_ref().map(IndexedList::from),
        maxima: record.maxima.iter().map(IndexedList::from).collect(),
        expires_at: record.expires_at,
    }
}

view! {
    ExplanationView = "Explanation" {
        /// Code of the verdict.
        code: &'static str => the("CheckCode"),
        /// Whether the check would pass.
        valid: bool => truth(true),
        /// Origin of the rule that decided. Null if the check passes.
        source: Option<&'static str> => nullable(text("key").into()),
        /// Reason of the decision. Null if the check passes.
        detail: Option<String> => nullable(text("the rule's reason").into()),
        /// All rules, in the order of evaluation.
        rules: Vec<RuleView>,
    }
}

view! {
    RuleView {
        /// Code of the verdict if this rule fails.
        code: &'static str => the("CheckCode"),
        /// Outcome of the rule.
        outcome: &'static str => choice(&["passed", "failed", "not_reached"]),
        /// Origin of the rule, such as `key` or `plan`.
        source: &'static str => text("key"),
        /// Reason of the outcome.
        detail: Option<String> => nullable(text("the rule's reason").into()),
        /// Result for each required permission.
        permissions: Vec<GrantingView>,
    }
}

view! {
    GrantingView {
        /// Required permission.
        permission: String => text("diagrams:read"),
        /// Whether the key has the permission.
        granted: bool => truth(true),
        /// Result of each source.
        by: Vec<StageView>,
    }
}

view! {
    StageView {
        /// Rule that restricts the permission, such as `key` or `role`.
        source: &'static str => text("role"),
        /// Name of the source, such as the name of the role.
        name: Option<String> => nullable(text("user").into()),
        /// Pattern that grants the permission. Null if none does.
        pattern: Option<String> => nullable(text("*").into()),
        /// Whether the source grants the permission.
        granted: bool => truth(true),
    }
}

pub(in crate::http) fn explanation_view(explanation: Explanation) -> ExplanationView {
    let decisive = explanation.steps.iter().find(|step| step.outcome == StepOutcome::Failed);
    ExplanationView {
        code: explanation.code.as_str(),
        valid: decisive.is_none(),
        source: decisive.map(|step| step.source),
        detail: decisive.and_then(|step| step.detail.clone()),
        rules: explanation.steps.into_iter().map(rule_view).collect(),
    }
}

fn rule_view(step: ExplanationStep) -> RuleView {
    RuleView {
        code: step.code.as_str(),
        outcome: step.outcome.as_str(),
        source: step.source,
        detail: step.detail,
        permissions: step.grantings.into_iter().map(granting_view).collect(),
    }
}

fn granting_view(granting: Granting) -> GrantingView {
    let stage = |stage: Stage| StageView {
        source: stage.source,
        name: stage.name,
        pattern: stage.pattern,
        granted: stage.granted,
    };
    GrantingView {
        permission: granting.permission,
        granted: granting.granted,
        by: granting.stages.into_iter().map(stage).collect(),
    }
}
