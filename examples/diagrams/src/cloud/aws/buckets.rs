//! Buckets of S3 in the region.

use serde_json::Map;

use super::partition::Partition;
use super::session::{Action, Ask, Session};
use super::xml;
use crate::cloud::{Bound, PAGES_MAX, RESOURCES, ScanError};
use crate::inventory::{Inventory, Resource, Tags};

const LIST: Action = Action { service: "s3", name: "ListAllMyBuckets" };
const LOCATION: Action = Action { service: "s3", name: "GetBucketLocation" };
/// Buckets of all regions, if the server does not list those of one region. Each costs one request.
const LOCATIONS: Bound = Bound { what: "buckets without a region", maximum: 500 };

pub(super) fn read(
    session: &Session<'_>,
    partition: Partition,
    inventory: &mut Inventory,
) -> Result<(), ScanError> {
    for (name, region) in list(session)? {
        let region = match region {
            Some(region) => Some(region),
            None => location(session, &name)?,
        };
        if region.as_deref() != Some(session.region) {
            continue;
        }
        let bucket = Resource {
            id: format!("arn:{}:s3:::{name}", partition.name()),
            name,
            kind: "s3".to_owned(),
            members: Map::new(),
            network: None,
            subnets: Vec::new(),
            groups: Vec::new(),
            forwards_to: Vec::new(),
            tags: Tags::new(),
        };
        RESOURCES.push(&mut inventory.resources, bucket)?;
    }
    Ok(())
}

/// The names of buckets, with their regions if the server lists these.
fn list(session: &Session<'_>) -> Result<Vec<(String, Option<String>)>, ScanError> {
    let (mut with_region, mut without) = (Vec::new(), Vec::new());
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("bucket-region", session.region);
        if !next.is_empty() {
            query.append_pair("continuation-token", &next);
        }
        query.append_pair("max-buckets", "1000");
        let body = session.ask(LIST, &Ask::get(format!("/?{}", query.finish())))?;
        let document = xml::parse(&body).map_err(|detail| LIST.unreadable(detail))?;
        let root = document.root_element();
        for item in xml::all(root, "Buckets/Bucket") {
            let (name, region) = (xml::exact_text(item, "Name"), xml::text(item, "BucketRegion"));
            if !is_name(&name) {
                return Err(LIST.unreadable("a bucket has an impossible name"));
            }
            if region.is_empty() {
                LOCATIONS.push(&mut without, (name, None))?;
            } else {
                RESOURCES.push(&mut with_region, (name, Some(region)))?;
            }
        }
        next = xml::exact_text(root, "ContinuationToken");
        if next.is_empty() {
            with_region.append(&mut without);
            return Ok(with_region);
        }
    }
    Err(LIST.too_many_pages())
}

/// The region of a bucket; `None` if the server refuses it, as that of another region or for a policy of the bucket.
fn location(session: &Session<'_>, name: &str) -> Result<Option<String>, ScanError> {
    let body = match session.ask(LOCATION, &Ask::get(format!("/{name}?location="))) {
        Ok(body) => body,
        Err(ScanError::Refused { .. } | ScanError::Failed { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let document = xml::parse(&body).map_err(|detail| LOCATION.unreadable(detail))?;
    let root = document.root_element();
    Ok(Some(match root.text().unwrap_or_default() {
        // The first two regions have other names here.
        "" => "us-east-1".to_owned(),
        "EU" => "eu-west-1".to_owned(),
        region => crate::cloud::plain(region),
    }))
}

/// Buckets of the first years have capital letters and underscores.
fn is_name(name: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(is_letter) && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_bucket_becomes_a_part_of_a_path() {
        for name in ["abc", "my.bucket-1", "Old_Bucket"] {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "ab", "../x", "a..b", "a/b", "a?b", "a%2fb", "a b", "b\u{fc}cket"] {
            assert!(!is_name(other), "{other}");
        }
    }
}
