//! Every error of the API, and its response: JSON with a string `error`, which is all that most clients read.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::answer::{Answer, BODY_BYTES_MAX};
use crate::render;
use crate::store::StoreError;

/// The most faults of one response.
const FAULTS_MAX: usize = 20;
/// `Retry-After` of a response to a full queue, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A value that is not accepted, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// A JSON pointer (RFC 6901), or `?` and the name of a query parameter.
    pointer: String,
    detail: String,
}

/// The faults of one request. Further faults than the maximum are counted, not kept.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    first: Vec<Fault>,
    count: usize,
}

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The identity headers are missing or unreadable: the request did not come through the gate.
    Caller(String),
    NotFound,
    /// The methods that the path supports.
    Method(&'static str),
    MediaType,
    /// The body is not JSON, or ended early.
    Body(String),
    BodyTimeout,
    BodyTooLarge,
    Invalid(Faults),
    NotPermitted(&'static str),
    /// The organization has the maximum number of objects.
    Full {
        what: &'static str,
        maximum: usize,
    },
    /// `If-Match` names another version.
    Outdated,
    /// More pictures or requests than the service or the organization may have in work. The text names them.
    Busy(&'static str),
    NotImplemented(&'static str),
    /// The cloud did not answer, or refused. The text is for the caller.
    Cloud(String),
    Internal(String),
}

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.count += 1;
        if self.first.len() < FAULTS_MAX {
            self.first.push(Fault { pointer: pointer.into(), detail: detail.into() });
        }
    }

    /// Returns `value`, or the faults if there are any.
    pub(crate) fn none_or<T>(self, value: T) -> Result<T, Refusal> {
        if self.count == 0 { Ok(value) } else { Err(Refusal::Invalid(self)) }
    }

    /// The first fault, and the number of the others.
    fn summary(&self) -> String {
        let mut text = self
            .first
            .first()
            .map(|fault| format!("{}: {}", fault.pointer, fault.detail))
            .unwrap_or_default();
        if self.count > 1 {
            // Writing to a text cannot fail.
            let _written = write!(text, " (and {} more)", self.count - 1);
        }
        text
    }

    fn list(&self) -> Value {
        self.first
            .iter()
            .map(|fault| json!({"pointer": fault.pointer, "detail": fault.detail}))
            .collect()
    }
}

impl Refusal {
    /// One fault.
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(pointer, detail);
        Self::Invalid(faults)
    }

    fn status(&self) -> u16 {
        match self {
            Self::Body(_) | Self::Invalid(_) => 400,
            Self::Caller(_) => 401,
            Self::NotPermitted(_) | Self::Full { .. } => 403,
            Self::NotFound => 404,
            Self::Method(_) => 405,
            Self::BodyTimeout => 408,
            Self::Outdated => 412,
            Self::BodyTooLarge => 413,
            Self::MediaType => 415,
            Self::Internal(_) => 500,
            Self::NotImplemented(_) => 501,
            Self::Cloud(_) => 502,
            Self::Busy(_) => 503,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Caller(detail) => {
                format!("{detail}: this service must be called through a gate of Keyhouse")
            },
            Self::NotFound => "not found".to_owned(),
            Self::Method(allowed) => format!("the path supports only {allowed}"),
            Self::MediaType => "send Content-Type: application/json".to_owned(),
            Self::Body(detail) | Self::Cloud(detail) => detail.clone(),
            Self::BodyTimeout => "the body did not arrive in time".to_owned(),
            Self::BodyTooLarge => {
                format!("the body is too large: at most {BODY_BYTES_MAX} bytes")
            },
            Self::Invalid(faults) => faults.summary(),
            Self::NotPermitted(detail) => (*detail).to_owned(),
            Self::Full { what, maximum } => {
                format!("the organization has {maximum} {what}, the maximum: delete some")
            },
            Self::Outdated => "the object has changed since it was read: read it again".to_owned(),
            Self::Busy(what) => format!("too many {what} are in work: retry"),
            Self::NotImplemented(what) => format!("{what} are not implemented"),
            Self::Internal(_) => "internal error".to_owned(),
        }
    }

    pub(crate) fn into_answer(self) -> Answer {
        if let Self::Internal(cause) = &self {
            tracing::error!(%cause, "a request failed");
        }
        let mut body = json!({"error": self.text(), "status": self.status()});
        if let (Self::Invalid(faults), Some(body)) = (&self, body.as_object_mut()) {
            body.insert("errors".to_owned(), faults.list());
        }
        let answer = Answer::json(self.status(), &body);
        match self {
            Self::Method(allowed) => answer.header("allow", allowed),
            Self::Busy(_) => answer.header("retry-after", RETRY_AFTER_SECONDS.to_string()),
            // The rest of the body is not read.
            Self::BodyTimeout | Self::BodyTooLarge => answer.header("connection", "close"),
            Self::Caller(_)
            | Self::NotFound
            | Self::MediaType
            | Self::Body(_)
            | Self::Invalid(_)
            | Self::NotPermitted(_)
            | Self::Full { .. }
            | Self::Outdated
            | Self::NotImplemented(_)
            | Self::Cloud(_)
            | Self::Internal(_) => answer,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<render::Error> for Refusal {
    fn from(error: render::Error) -> Self {
        match error {
            render::Error::Invalid { pointer, detail } => {
                Self::invalid(format!("/data{pointer}"), detail)
            },
            render::Error::TooLarge { detail } => Self::invalid("", detail),
            render::Error::Unsupported(_) => Self::NotImplemented("pictures of this format"),
            render::Error::Encoding { detail } => Self::Internal(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_json_with_a_text_as_error() {
        let mut faults = Faults::default();
        for at in 0..30 {
            faults.add(format!("/data/nodes/{at}"), "must be an object");
        }
        for refusal in [
            Refusal::Caller("no X-Keyhouse-Key".to_owned()),
            Refusal::NotFound,
            Refusal::Method("GET"),
            Refusal::MediaType,
            Refusal::Body("the body is not JSON".to_owned()),
            Refusal::BodyTimeout,
            Refusal::BodyTooLarge,
            Refusal::Invalid(faults),
            Refusal::NotPermitted("no write access"),
            Refusal::Full { what: "diagrams", maximum: 3 },
            Refusal::Outdated,
            Refusal::Busy("pictures"),
            Refusal::NotImplemented("pictures of this format"),
            Refusal::Cloud("the role cannot be assumed".to_owned()),
            Refusal::Internal("the disk is full".to_owned()),
        ] {
            let status = refusal.status();
            let answer = refusal.into_answer();
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!((answer.status(), &body["status"]), (status, &json!(status)));
            assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
            assert!(!body.to_string().contains("disk"), "a cause is only for the log: {body}");
        }
    }

    #[test]
    fn a_full_queue_gives_the_time_of_a_retry() {
        let answer = Refusal::Busy("pictures").into_answer();
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains(&("retry-after", "1".to_owned())), "{answer:?}");
    }

    #[test]
    fn faults_are_bounded_and_counted() {
        let mut faults = Faults::default();
        for at in 0..30 {
            faults.add(format!("/data/nodes/{at}"), "must be an object");
        }
        let answer = Refusal::Invalid(faults).into_answer();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["error"], "/data/nodes/0: must be an object (and 29 more)");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(FAULTS_MAX));
    }
}
