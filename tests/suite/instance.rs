//! `/v1/instance` returns the basic facts for a client and the targets of the page's links.

use serde_json::{Value, json};

use crate::ask::{Ask, Expect};
use crate::shape::assert_shape;
use crate::test_server::{TestServer, write_settings};

fn links(instance: &TestServer) -> [Value; 3] {
    let reported = instance.bare(&Ask::get("/v1/instance")).expect(200);
    ["endpoint_url", "support_url", "pricing_url"].map(|name| reported[name].clone())
}

#[test]
fn links_are_public_and_absent_unless_configured() {
    let mut instance = TestServer::start();
    let url = instance.server().url();
    assert_shape!("instance", &instance.bare(&Ask::get("/v1/instance")).expect(200));
    assert_eq!(links(&instance), [json!(url), Value::Null, Value::Null]);
    instance.stop();
    write_settings(
        instance.home(),
        "support_url = \"https://help.example.com/keys?from=page#top\"\n\
         endpoint_url = \"https://api.example.com/v2\"\n",
    );
    instance.restart();
    let [endpoint, support, pricing] = links(&instance);
    assert_eq!(endpoint, "https://api.example.com/v2");
    assert_eq!(support, "https://help.example.com/keys?from=page#top");
    assert_eq!(pricing, Value::Null);
}

/// A refusal for lack of a plan links to the prices, if the instance has a link.
#[test]
fn a_refusal_for_lack_of_a_plan_links_to_the_prices() {
    for (args, link) in [
        (&["--pricing-url", "https://example.com/plans"][..], json!("https://example.com/plans")),
        (&[], Value::Null),
    ] {
        let instance = TestServer::start_with(args);
        assert_eq!(links(&instance)[2], link);
        instance.put_on_plan(&instance.organization(), "free");
        let refused = instance.ask(&Ask::post("/v1/keys", &json!({"name": "deploy"})));
        let problem = refused.problem(403, "subscription_required");
        assert_eq!(problem["pricing_url"], link, "{problem}");
        let limits = json!({"features": {"api_access": true}, "limits": {"keys": 0}});
        instance.ask(&Ask::patch("/v1/plans/free", &limits)).expect(200);
        let refused = instance.ask(&Ask::post("/v1/keys", &json!({"name": "deploy"})));
        let problem = refused.problem(403, "subscription_limit");
        assert_eq!(problem["pricing_url"], link, "{problem}");
        // No other refusal contains this link.
        let other = instance.ask(&Ask::get("/v1/keys/key_1")).problem(404, "not_found");
        assert!(other.get("pricing_url").is_none(), "{other}");
    }
}
