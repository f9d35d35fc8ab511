//! Functions of Lambda.

use serde_json::{Value, json};

use super::session::{Action, Ask, Session, text_of};
use crate::cloud::{PAGES_MAX, RESOURCES, ScanError, members, plain};
use crate::inventory::{Inventory, Resource, Tags};

const LIST: Action = Action { service: "lambda", name: "ListFunctions" };

pub(super) fn read(session: &Session<'_>, inventory: &mut Inventory) -> Result<(), ScanError> {
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("MaxItems", "50");
        if !next.is_empty() {
            query.append_pair("Marker", &next);
        }
        let ask = Ask::get(format!("/2015-03-31/functions/?{}", query.finish()));
        let body = LIST.json(&session.ask(LIST, &ask)?)?;
        let functions = body.get("Functions").and_then(Value::as_array);
        let functions = functions.ok_or_else(|| LIST.unreadable("no list of functions"))?;
        for item in functions {
            RESOURCES.push(&mut inventory.resources, function(item))?;
        }
        next = text_of(&body, "NextMarker");
        if next.is_empty() {
            return Ok(());
        }
    }
    Err(LIST.too_many_pages())
}

fn function(item: &Value) -> Resource {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(plain);
    let texts = |pointer: &str| {
        let list = item.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(plain).collect()
    };
    Resource {
        id: text("/FunctionArn").unwrap_or_default(),
        name: text("/FunctionName").unwrap_or_default(),
        kind: "lambda".to_owned(),
        members: members([
            ("architecture", json!(text("/Architectures/0"))),
            ("memory", json!(item.get("MemorySize").and_then(Value::as_u64))),
        ]),
        network: text("/VpcConfig/VpcId").filter(|id| !id.is_empty()),
        subnets: texts("/VpcConfig/SubnetIds"),
        groups: texts("/VpcConfig/SecurityGroupIds"),
        forwards_to: Vec::new(),
        tags: Tags::new(),
    }
}
