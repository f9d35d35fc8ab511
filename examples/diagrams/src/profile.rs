//! `/user/me` and `/team`: the caller, from the identity headers.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::application::Application;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::store::records::shown_time;

/// The most callers of an organization whose first call is remembered.
const CALLERS_MAX: usize = 10_000;

impl Application {
    /// The caller. A service key is its own user.
    pub(crate) fn user(&self, caller: &Caller) -> Result<Answer, Refusal> {
        let now_ms = (self.sources.now_ms)();
        let names = (caller.organization(), caller.identity());
        let first_ms = match self.store.first_seen(names)? {
            Some(at_ms) => at_ms,
            None => {
                self.store.change(|store| Ok(store.first_seen(names, now_ms, CALLERS_MAX)?))?
            },
        };
        let body = json!({
            "id": caller.identity(),
            "name": caller.name(),
            "email": address(caller),
            "settings": {"currency": "USD", "firstTime": first_ms == now_ms},
            "createdAt": shown_time(first_ms),
            "updatedAt": shown_time(first_ms),
            "accessedAt": shown_time(now_ms),
        });
        Ok(Answer::json(200, &body))
    }
}

/// The teams with which the caller's key is shared. The gate reports their ids only, and no other members.
pub(crate) fn teams(caller: &Caller) -> Answer {
    let role = caller.role().unwrap_or("service");
    let member = json!({
        "id": caller.identity(),
        "userId": caller.identity(),
        "name": caller.name(),
        "email": address(caller),
        "role": role,
        "mfaEnabled": false,
    });
    let teams: Value = caller
        .teams()
        .iter()
        .map(|team| {
            json!({
                "id": team,
                "name": team,
                "visible": true,
                "crossOrganizational": false,
                "externalSharing": false,
                "customerId": caller.organization(),
                "role": role,
                "members": [member],
            })
        })
        .collect();
    Answer::json(200, &teams)
}

/// The caller's address, or one in a domain that never exists (RFC 2606).
fn address(caller: &Caller) -> String {
    let none = || format!("{}@service.invalid", caller.identity());
    caller.email().map_or_else(none, str::to_owned)
}
