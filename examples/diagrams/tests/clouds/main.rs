//! Scans of clouds that the tests play: recorded responses, and a server that plays AWS.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first failure"
)]

mod aws;
mod aws_limits;
mod azure;
mod moto;
mod recorded;

use std::time::Duration;

use keyhouse_diagrams::{AwsCredentials, CloudPlace, CloudSettings, CloudTimes};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const EXTERNAL_ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn aws_place() -> CloudPlace {
    CloudPlace::Aws { role_arn: ROLE.to_owned(), external_id: EXTERNAL_ID.to_owned() }
}

/// Settings with one server for all clouds, and with short pauses.
fn settings(server: &str) -> CloudSettings {
    let credentials = AwsCredentials::of("AKIDEXAMPLE".to_owned(), "own-secret".to_owned(), None);
    let times = CloudTimes { pause: Duration::from_millis(1), ..CloudSettings::default().times };
    CloudSettings {
        aws_credentials: credentials,
        aws_endpoint: Some(server.parse().unwrap()),
        azure_login: server.parse().unwrap(),
        azure_endpoint: server.parse().unwrap(),
        azure_export: None,
        times,
    }
}
