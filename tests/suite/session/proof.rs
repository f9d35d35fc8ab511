//! `/v1/session/proof`: the user of a session presents the password or a code again.
//!
//! What a proof is needed for, and how long it counts, is tested with a clock in `tests/faults`.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::me::totp::set_up;
use crate::test_server::{EMAIL, PASSWORD, TestServer};

fn proof(body: &Value) -> Ask {
    Ask::post("/v1/session/proof", body)
}

#[test]
fn the_password_or_a_code_confirms_a_session_and_nothing_is_returned() {
    let instance = TestServer::start();
    let shown = instance.ask(&proof(&json!({"password": PASSWORD})));
    assert_eq!((shown.status, &*shown.body), (204, ""));
    assert!(shown.header("set-cookie").is_none(), "the session stays the same");
    let wrong = instance.ask(&proof(&json!({"code": "123456"})));
    let wrong = wrong.problem(400, "invalid_input");
    assert_eq!(wrong["errors"][0]["pointer"], "/code", "there is no second factor");
    let factor = set_up(&instance);
    // The code of this step confirmed the second factor.
    instance.ask(&proof(&json!({"code": factor.code(0)}))).problem(400, "invalid_input");
    let code = proof(&json!({"code": factor.code(1)}));
    assert_eq!(instance.ask(&code).status, 204);
    instance.ask(&code).problem(400, "invalid_input");
    assert_eq!(instance.ask(&proof(&json!({"password": PASSWORD}))).status, 204);
}

#[test]
fn only_the_user_of_a_session_confirms_it() {
    let instance = TestServer::start();
    let body = json!({"password": PASSWORD});
    instance.bare(&proof(&body)).problem(401, "NO_CREDENTIAL");
    let key = instance.create(&json!({"permissions": ["*", "keyhouse:*"]}));
    instance.bare(&proof(&body).bearer(&key.secret)).problem(403, "session_required");
    let bo = instance.join("bo", "user");
    let others = instance.ask_as(&bo, &proof(&body)).problem(400, "invalid_input");
    assert_eq!(others["errors"][0]["code"], "wrong_password", "{EMAIL} has another password");
}
