//! Reads a subscription of Azure: from Resource Graph, or from a file with its results.

mod export;
mod graph;
mod resources;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::settings::CloudSettings;
use super::{Bound, ScanError};
use crate::inventory::Inventory;

/// The most resources that are read, with those that are parts of others, such as network interfaces.
const ROWS: Bound = Bound { what: "resources with their parts", maximum: 10_000 };
const REGION_CHARS_MAX: usize = 32;

/// The application of a directory that reads the subscription.
#[derive(Clone, Copy)]
pub(super) struct Application<'a> {
    pub(super) id: &'a str,
    pub(super) directory: &'a str,
    pub(super) secret: Option<&'a str>,
}

/// One resource as Resource Graph returns it.
#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    location: Option<String>,
    #[serde(rename = "subscriptionId")]
    subscription: Option<String>,
    tags: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    properties: Value,
}

pub(super) fn scan(
    application: &Application<'_>,
    subscription: &str,
    region: &str,
    settings: &CloudSettings,
) -> Result<Inventory, ScanError> {
    require_region(region)?;
    let rows = match &settings.azure_export {
        Some(path) => export::rows(path)?,
        None => graph::rows(application, subscription, region, settings)?,
    };
    resources::inventory(&rows, subscription, region)
}

/// Checks that a text has the form of a region, so that it can be a part of a query: lower-case letters and digits.
fn require_region(text: &str) -> Result<(), ScanError> {
    let is_letter = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    if (2..=REGION_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_letter) {
        Ok(())
    } else {
        Err(ScanError::Region { cloud: "Azure", example: "eastus" })
    }
}

impl std::fmt::Debug for Application<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_region_becomes_a_part_of_a_query() {
        for region in ["eastus", "westeurope", "eastus2", "usgovvirginia"] {
            assert!(require_region(region).is_ok(), "{region}");
        }
        for other in [
            "",
            "x",
            "east-us",
            "East US",
            "eastus' or 1 == 1",
            "eastus\n",
            "\u{e9}astus",
            "global!",
        ] {
            assert!(require_region(other).is_err(), "{other}");
        }
        assert!(require_region(&"a".repeat(REGION_CHARS_MAX + 1)).is_err());
    }
}
