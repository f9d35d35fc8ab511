//! Tags of the resources whose own lists do not have them: load balancers, functions and buckets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::session::{Action, Ask, Session, text_of};
use crate::cloud::{PAGES_MAX, ScanError, TAGS_MAX, plain};
use crate::inventory::{Inventory, Tags};

const GET: Action = Action { service: "tagging", name: "GetResources" };
const TYPES: [&str; 3] = ["elasticloadbalancing:loadbalancer", "lambda:function", "s3"];

pub(super) fn read(session: &Session<'_>, inventory: &mut Inventory) -> Result<(), ScanError> {
    let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let body = GET.json(&session.ask(GET, &ask(&next))?)?;
        let list = body.get("ResourceTagMappingList").and_then(Value::as_array);
        for item in list.ok_or_else(|| GET.unreadable("no list of resources"))? {
            let arn = item.get("ResourceARN").and_then(Value::as_str).map(plain);
            tags.insert(arn.unwrap_or_default(), tags_of(item));
        }
        next = text_of(&body, "PaginationToken");
        if next.is_empty() {
            for resource in &mut inventory.resources {
                resource.tags.extend(tags.remove(&resource.id).unwrap_or_default());
            }
            return Ok(());
        }
    }
    Err(GET.too_many_pages())
}

fn ask(next: &str) -> Ask {
    let mut body = json!({"ResourceTypeFilters": TYPES, "ResourcesPerPage": 100});
    if let (false, Some(body)) = (next.is_empty(), body.as_object_mut()) {
        body.insert("PaginationToken".to_owned(), json!(next));
    }
    Ask {
        target: "/".to_owned(),
        headers: vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", "ResourceGroupsTaggingAPI_20170126.GetResources".to_owned()),
        ],
        body: body.to_string().into_bytes(),
    }
}

fn tags_of(item: &Value) -> Tags {
    let list = item.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let text = |tag: &Value, name| tag.get(name).and_then(Value::as_str).map(plain);
    let tags = list.take(TAGS_MAX).filter_map(|tag| text(tag, "Key").zip(text(tag, "Value")));
    tags.collect()
}
