//! The schema of an explained verdict.

use crate::http::schema::{Schema, answer, choice, each, field, nullable, text, the, truth};

pub(super) fn explanation() -> Schema {
    let stage = answer([
        field(
            "source",
            text("role"),
            "Rule that restricts the permission, such as `key` or `role`.",
        ),
        field(
            "name",
            nullable(text("user").into()),
            "Name of the source, such as the name of the role.",
        ),
        field(
            "pattern",
            nullable(text("*").into()),
            "Pattern that grants the permission. Null if none does.",
        ),
        field("granted", truth(true), "Whether the source grants the permission."),
    ]);
    let granting = answer([
        field("permission", text("diagrams:read"), "Required permission."),
        field("granted", truth(true), "Whether the key has the permission."),
        field("by", each(stage), "Result of each source."),
    ]);
    let step = answer([
        field("code", the("CheckCode"), "Code of the verdict if this rule fails."),
        field("outcome", choice(&["passed", "failed", "not_reached"]), "Outcome of the rule."),
        field("source", text("key"), "Origin of the rule, such as `key` or `plan`."),
        field("detail", nullable(text("the rule's reason").into()), "Reason of the outcome."),
        field("permissions", each(granting), "Result for each required permission."),
    ]);
    answer([
        field("code", the("CheckCode"), "Code of the verdict."),
        field("valid", truth(true), "Whether the check would pass."),
        field(
            "source",
            nullable(text("key").into()),
            "Origin of the rule that decided. Null if the check passes.",
        ),
        field(
            "detail",
            nullable(text("the rule's reason").into()),
            "Reason of the decision. Null if the check passes.",
        ),
        field("rules", each(step), "All rules, in the order of evaluation."),
    ])
}
