//! Errors of requests that the transport rejects, and their details.

use crate::http::problem::Problem;
use crate::http::transport::TransportRefusal;
use crate::model::errors;

impl Problem {
    /// The error of a request that the transport rejects.
    pub(super) fn refused(refusal: &TransportRefusal) -> Self {
        match refusal {
            TransportRefusal::NoHost
            | TransportRefusal::HostNotValid
            | TransportRefusal::HostMismatch
            | TransportRefusal::LengthAndEncoding
            | TransportRefusal::EncodingNotSupported
            | TransportRefusal::LineFeedAlone
            | TransportRefusal::HeadUnseen
            | TransportRefusal::HeaderNotText { .. }
            | TransportRefusal::BodyBroken => {
                Self::new(errors::MALFORMED_REQUEST).detail(detail(refusal))
            },
            TransportRefusal::DoubledHeader { name } => Self::new(errors::DOUBLED_HEADER)
                .detail(format!("{name} was sent more than once: send it once")),
            TransportRefusal::HeadTooLarge { .. } => {
                Self::new(errors::HEAD_TOO_LARGE).detail(detail(refusal))
            },
            TransportRefusal::TunnelAsked => Self::method_not_allowed(&[]),
            TransportRefusal::BodyTimeout => Self::new(errors::BODY_TIMEOUT)
                .detail("the body did not arrive in time: send it faster, or send less"),
            TransportRefusal::BodyTooLarge { bytes_max } => Self::new(errors::BODY_TOO_LARGE)
                .detail(format!("this endpoint accepts at most {bytes_max} bytes")),
            TransportRefusal::Busy { retry_after_seconds } => Self::new(errors::BUSY)
                .detail("the server is at its limit: retry after the seconds in Retry-After")
                .retry_after(u64::from(*retry_after_seconds)),
            TransportRefusal::Panicked | TransportRefusal::ResponseNotSendable => {
                Self::new(errors::INTERNAL)
                    .detail("the server log contains the cause: send request_id to the operator")
            },
        }
    }
}

/// The detail of the error; empty if the status is enough.
pub(super) fn detail(refusal: &TransportRefusal) -> String {
    match refusal {
        TransportRefusal::NoHost => "the Host header is missing: HTTP/1.1 requires one".to_owned(),
        TransportRefusal::HostNotValid => "the Host header is not a valid host".to_owned(),
        TransportRefusal::HostMismatch => {
            "the request target and the Host header name different hosts".to_owned()
        },
        TransportRefusal::LengthAndEncoding => {
            "Content-Length and Transfer-Encoding were both sent: send one".to_owned()
        },
        TransportRefusal::EncodingNotSupported => {
            "the transfer encoding is not supported: use chunked".to_owned()
        },
        TransportRefusal::LineFeedAlone => {
            "a header line ends without a carriage return".to_owned()
        },
        TransportRefusal::HeadUnseen => {
            "the end of the previous request is ambiguous: send this request on a new connection"
                .to_owned()
        },
        TransportRefusal::HeaderNotText { name } => format!("the header {name} is not UTF-8"),
        TransportRefusal::BodyBroken => {
            "the body ended early, or its chunks are malformed".to_owned()
        },
        TransportRefusal::HeadTooLarge { lines_max, bytes_max } => {
            format!(
                "the request head may have at most {lines_max} header lines and {bytes_max} bytes"
            )
        },
        TransportRefusal::DoubledHeader { .. }
        | TransportRefusal::TunnelAsked
        | TransportRefusal::BodyTooLarge { .. }
        | TransportRefusal::BodyTimeout
        | TransportRefusal::Busy { .. }
        | TransportRefusal::Panicked
        | TransportRefusal::ResponseNotSendable => String::new(),
    }
}
