//! `/aws/account/{id}/{region}/{format}` and the same of Azure: what is in an account now, as a diagram.
//!
//! A snapshot needs a scan of the account, which may take longer than proxies wait. A request waits for it for a limited
//! time, without a thread and without a place among the requests in work. Then it gets 202, and the scan goes on: the
//! next request for the same account and region gets its result. Access to the account is checked before a result is
//! given, each time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::accounts::{is_azure_region, is_region};
use crate::answer::{Answer, Request};
use crate::application::{Application, Turn};
use crate::caller::Caller;
use crate::exports::{ExportFormat, options, picture_answer};
use crate::inventory::Inventory;
use crate::layout::{self, Choices, Filter, LinkedAccount};
use crate::places::Place;
use crate::query::Query;
use crate::refusal::{Faults, Refusal};
use crate::render::{self, Format, Options, Projection, Theme};
use crate::scans::{Scan, ScanFailure, ScanKey, TooManyScans};
use crate::store::records::{Account, Cloud, RowKey};

/// The most requests that wait for scans. One organization has at most half of them. Further ones get 202 at once.
pub(crate) const WAITS_MAX: usize = 64;
/// The most types in `exclude`.
const EXCLUDED_MAX: usize = 100;

/// What the path of a snapshot names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotPath<'a> {
    pub(crate) cloud: Cloud,
    pub(crate) id: Uuid,
    pub(crate) region: &'a str,
    pub(crate) format: &'a str,
}

/// A request that waits for a scan.
#[derive(Debug)]
pub(crate) struct Wait {
    key: ScanKey,
    scan: Arc<Scan>,
    _place: Place,
}

/// What a request wants to see.
#[derive(Debug)]
struct Wanted {
    format: ExportFormat,
    options: Options,
    choices: Choices,
}

impl Application {
    /// Answers with a snapshot, or has the request wait for its scan. A request that has waited does not wait again.
    pub(crate) fn snapshot(
        &self,
        request: &Request,
        path: SnapshotPath<'_>,
        caller: &Caller,
        waited: Option<&Wait>,
    ) -> Result<Turn, Refusal> {
        let row = RowKey::of(caller.organization(), &path.id);
        let found = self.store.account_with_secret(&row)?;
        let (account, secret) =
            found.filter(|(account, _)| account.cloud() == path.cloud).ok_or(Refusal::NotFound)?;
        account.access.require_read(caller)?;
        let wanted = Wanted::of(request, path, &account)?;
        let key = ScanKey {
            organization: caller.organization().to_owned(),
            account: account.id,
            changed_at_ms: account.updated_at_ms,
            region: path.region.to_owned(),
        };
        let scan = match waited {
            Some(wait) if wait.key == key => Arc::clone(&wait.scan),
            // The account was changed during the wait.
            Some(_) => return Ok(Turn::Answered(still_processing())),
            None => self.scans.scan(&key, account.place, secret)?,
        };
        match (scan.outcome(), waited) {
            (Some(outcome), _) => Ok(Turn::Answered(self.draw(outcome?, wanted, caller)?)),
            (None, Some(_)) => Ok(Turn::Answered(still_processing())),
            (None, None) => Ok(match self.waits.take(caller.organization()) {
                Some(place) => Turn::Waiting(Wait { key, scan, _place: place }),
                None => Turn::Answered(still_processing()),
            }),
        }
    }

    fn draw(
        &self,
        inventory: Arc<Inventory>,
        wanted: Wanted,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let Wanted { format, options, choices } = wanted;
        let body = self.on_worker(caller, move || {
            let content = layout::diagram(&inventory, &choices)?;
            match format {
                ExportFormat::Picture(_) => Ok(render::render(&content, &options)?),
                ExportFormat::Json => Ok(json!({"data": content}).to_string().into_bytes()),
            }
        })?;
        Ok(match format {
            ExportFormat::Picture(format) => picture_answer(format, body),
            ExportFormat::Json => Answer::file(200, "application/json", body),
        })
    }
}

impl Wait {
    /// Waits until the scan has ended.
    pub(crate) async fn ended(&self) {
        self.scan.ended().await;
    }

    /// Blocks until the scan has ended, for at most this time.
    pub(crate) fn block(&self, at_most: Duration) {
        self.scan.block(at_most);
    }
}

impl Wanted {
    fn of(request: &Request, path: SnapshotPath<'_>, account: &Account) -> Result<Self, Refusal> {
        let format = ExportFormat::of(path.format)?;
        let (is_name, example) = match path.cloud {
            Cloud::Aws => (is_region(path.region), "us-east-1"),
            Cloud::Azure => (is_azure_region(path.region), "eastus"),
        };
        if !is_name {
            return Err(Refusal::invalid(
                "/region",
                format!("must be a region, such as {example}"),
            ));
        }
        let mut faults = Faults::default();
        let query = Query::of(request.query.as_deref(), &["exclude", "filter"], &mut faults);
        let picture = match format {
            ExportFormat::Picture(format) => format,
            ExportFormat::Json => Format::Svg,
        };
        let options = options(picture, &query, &mut faults);
        let filter = Filter::parse(&query.list("filter").join(" ")).unwrap_or_else(|error| {
            faults.add("?filter", error.to_string());
            Filter::default()
        });
        let choices = Choices {
            title: format!("{} {}", account.name, path.region),
            account: LinkedAccount { id: account.id.clone(), cloud: path.cloud.name().to_owned() },
            filter,
            exclude: query.words("exclude", EXCLUDED_MAX, &mut faults),
            labels: query.flag("label", &mut faults).unwrap_or(true),
            connections: query.flag("autoconnect", &mut faults).unwrap_or(true),
            projection: options.projection.unwrap_or(Projection::Isometric),
            theme: options.theme.unwrap_or(Theme::Light),
        };
        faults.none_or(Self { format, options, choices })
    }
}

fn still_processing() -> Answer {
    let message = "The account is being scanned: repeat the request.";
    Answer::json(202, &json!({"code": "STILL_PROCESSING", "message": message, "retry": true}))
}

impl From<layout::Error> for Refusal {
    fn from(error: layout::Error) -> Self {
        match error {
            layout::Error::TooMany { .. } => {
                Self::invalid("?filter", format!("{error} with filter or exclude"))
            },
        }
    }
}

impl From<ScanFailure> for Refusal {
    fn from(failure: ScanFailure) -> Self {
        match failure {
            ScanFailure::Cloud(detail) => Self::Cloud(detail),
            ScanFailure::Unexpected => Self::Internal("a scan failed unexpectedly".to_owned()),
        }
    }
}

impl From<TooManyScans> for Refusal {
    fn from(_error: TooManyScans) -> Self {
        Self::Busy("scans of the organization")
    }
}
