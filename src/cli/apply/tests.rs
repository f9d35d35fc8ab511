//! An apply whose changes meet changes of others.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{AppliedChanges, PlanOptions, execute, planned};
use crate::cli::client::{ApiRequest, json_of, send_to_instance};
use crate::cli::docs::Empty;
use crate::manifest::{Declared, SourceFormat, SourceText};

const FILE: &str = "\
plans = [{ name = \"free\", limits = { keys = 1 } }, { name = \"pro\", limits = { keys = 2 } }]
gates = [{ name = \"orders\" }]
";

#[test]
fn a_change_that_loses_a_race_stops_the_apply_and_the_next_one_continues() {
    let empty = Empty::open().unwrap();
    let source =
        SourceText { name: "a".to_owned(), text: FILE.to_owned(), format: SourceFormat::Toml };
    let no_secret = |_: &str, _: &str| Err("no secret".to_owned());
    let declared = Declared::read(&[source], &no_secret).unwrap_or_default();
    let to_instance = |request: &ApiRequest<'_>| {
        let (status, body) = send_to_instance(&empty.instance, &empty.settings, request, None)?;
        Ok((status, json_of(&body)))
    };
    let change_of_others = ApiRequest {
        method: "PATCH",
        target: "/v1/plans/pro".to_owned(),
        body: Some(json!({ "limits": { "users": 9 } })),
        version: None,
    };
    let is_first = AtomicBool::new(true);
    let send = |request: &ApiRequest<'_>| {
        let is_pro = request.method == "PATCH" && request.target == "/v1/plans/pro";
        if is_pro && is_first.swap(false, Ordering::Relaxed) {
            assert_eq!(to_instance(&change_of_others)?.0, 200);
        }
        to_instance(request)
    };

    let mut plan = planned(&send, true, &declared, &PlanOptions::default()).unwrap();
    let mut done = AppliedChanges::default();
    let failure = execute(&send, true, &mut plan, &mut done).unwrap_err();
    assert_eq!((done.changes, plan.changes.len()), (1, 3));
    let message = failure.into_message();
    assert!(message.contains("plan \"pro\": stopped after 1 of 3 changes"), "{message}");
    assert!(message.contains("version_conflict"), "{message}");

    let mut plan = planned(&send, true, &declared, &PlanOptions::default()).unwrap();
    assert_eq!(plan.changes.len(), 2);
    execute(&send, true, &mut plan, &mut AppliedChanges::default()).unwrap();
    let plan = planned(&send, true, &declared, &PlanOptions::default()).unwrap();
    assert_eq!(plan.changes.len(), 0);
    let pro = to_instance(&ApiRequest { method: "GET", body: None, ..change_of_others }).unwrap();
    assert_eq!(pro.1["limits"]["users"], 9, "the change of others stays");
}
