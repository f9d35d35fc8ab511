//! Requests and responses as the handlers see them, without a connection.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;

/// The most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 2 << 20;

/// A request whose body has been read.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// The path as it was sent.
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Answer {
    /// A response with a JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::file(status, "application/json", body.to_string())
    }

    /// A response with a body of this type.
    pub(crate) fn file(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self { status, headers, body: body.into() }
            .header("cache-control", "no-store")
            .header("x-content-type-options", "nosniff")
    }

    /// A response without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }.header("cache-control", "no-store")
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }
}
