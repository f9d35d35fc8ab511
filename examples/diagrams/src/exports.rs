//! `/blueprint/{id}/{format}` and `/blueprint/{id}/budget/{format}`: a diagram as a picture, as JSON or as a table.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::answer::{Answer, Request};
use crate::application::Application;
use crate::budget::{self, BudgetFormat, BudgetOptions};
use crate::caller::Caller;
use crate::pool::PoolError;
use crate::query::Query;
use crate::refusal::{Faults, Refusal};
use crate::render::{self, Format, Options, Paper, Projection, Theme};

/// The longest side of a picture, in pixels.
const SIDE_PX_MAX: u32 = 8192;
const SCALE_MIN: f64 = 0.05;
const SCALE_MAX: f64 = 10.0;
const PAPERS: [(&str, Paper); 10] = [
    ("Letter", Paper::Letter),
    ("Legal", Paper::Legal),
    ("Tabloid", Paper::Tabloid),
    ("Ledger", Paper::Ledger),
    ("A0", Paper::A0),
    ("A1", Paper::A1),
    ("A2", Paper::A2),
    ("A3", Paper::A3),
    ("A4", Paper::A4),
    ("A5", Paper::A5),
];
/// An SVG that a browser opens by itself runs nothing and loads nothing.
const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src data:; sandbox";

/// The formats of a diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    Picture(Format),
    Json,
}

impl Application {
    pub(crate) fn export(
        &self,
        request: &Request,
        (id, format): (&Uuid, &str),
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let (_diagram, content) = self.readable(id, caller)?;
        let ExportFormat::Picture(format) = ExportFormat::of(format)? else {
            let body = [b"{\"data\":", content.as_slice(), b"}"].concat();
            return Ok(Answer::file(200, "application/json", body));
        };
        let mut faults = Faults::default();
        let query = Query::of(request.query.as_deref(), &[], &mut faults);
        let options = options(format, &query, &mut faults);
        let options = faults.none_or(options)?;
        let picture = self.on_worker(caller, move || {
            let content = parsed(&content)?;
            Ok(render::render(&content, &options)?)
        })?;
        Ok(picture_answer(format, picture))
    }

    pub(crate) fn budget(
        &self,
        request: &Request,
        (id, format): (&Uuid, &str),
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let (diagram, content) = self.readable(id, caller)?;
        let mut faults = Faults::default();
        let query = Query::of(request.query.as_deref(), &[], &mut faults);
        let format = BudgetFormat::of(format)
            .ok_or_else(|| Refusal::invalid("/format", "must be csv or xlsx"))?;
        let options = BudgetOptions::of(&query, &mut faults);
        let options = faults.none_or(options)?;
        let prices = Arc::clone(&self.prices);
        let table = self.on_worker(caller, move || {
            let content = parsed(&content)?;
            let rows = budget::rows(&content, &prices, options);
            let written = match format {
                BudgetFormat::Csv => budget::csv::write(&rows),
                BudgetFormat::Xlsx => {
                    budget::xlsx::write(&rows, &prices, options, diagram.updated_at_ms)
                },
            };
            written.map_err(|error| Refusal::Internal(error.to_string()))
        })?;
        Ok(Answer::file(200, format.media_type(), table))
    }

    /// Runs a job on one of the rendering threads.
    pub(crate) fn on_worker<T: Send + 'static>(
        &self,
        caller: &Caller,
        job: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        match self.pool.run(caller.organization(), job) {
            Ok(done) => done,
            Err(PoolError::Full) => Err(Refusal::Busy("pictures")),
            Err(PoolError::Failed) => {
                Err(Refusal::Internal("a rendering job failed unexpectedly".to_owned()))
            },
        }
    }
}

fn parsed(content: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(content).map_err(|error| Refusal::Internal(error.to_string()))
}

impl ExportFormat {
    pub(crate) fn of(format: &str) -> Result<Self, Refusal> {
        Ok(match format {
            "svg" => Self::Picture(Format::Svg),
            "png" => Self::Picture(Format::Png),
            "pdf" => Self::Picture(Format::Pdf),
            "mxGraph" => Self::Picture(Format::MxGraph),
            "json" => Self::Json,
            _ => return Err(Refusal::invalid("/format", "must be svg, png, pdf, mxGraph or json")),
        })
    }
}

/// The response with a picture.
pub(crate) fn picture_answer(format: Format, picture: Vec<u8>) -> Answer {
    let answer = Answer::file(200, media_type(format), picture);
    match format {
        Format::Svg => answer.header("content-security-policy", SVG_POLICY),
        Format::Png | Format::Pdf | Format::MxGraph => answer,
    }
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Svg => "image/svg+xml",
        Format::Png => "image/png",
        Format::Pdf => "application/pdf",
        Format::MxGraph => "application/xml",
    }
}

/// The options of a picture in a query.
pub(crate) fn options(format: Format, query: &Query, faults: &mut Faults) -> Options {
    let themes = [("light", Theme::Light), ("dark", Theme::Dark)];
    let projections = [("isometric", Projection::Isometric), ("2d", Projection::Flat)];
    Options {
        scale: query.number("scale", SCALE_MIN..=SCALE_MAX, faults).unwrap_or(1.0),
        width: query.whole("width", 1..=SIDE_PX_MAX, faults),
        height: query.whole("height", 1..=SIDE_PX_MAX, faults),
        grid: query.flag("grid", faults).unwrap_or_default(),
        transparent: query.flag("transparent", faults).unwrap_or_default(),
        landscape: query.flag("landscape", faults).unwrap_or_default(),
        paper: query.choice("paperSize", &PAPERS, faults),
        theme: query.choice("theme", &themes, faults),
        projection: query.choice("projection", &projections, faults),
        ..Options::of(format)
    }
}
