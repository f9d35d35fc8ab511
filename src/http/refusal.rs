//! Error details for requests that the transport rejects.

use crate::http::transport::Refusal;

/// The detail; empty where the status alone is enough.
pub(super) fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoHost => "the Host header is missing: HTTP/1.1 requires one".to_owned(),
        Refusal::HostNotValid => "the Host header is not a valid host".to_owned(),
        Refusal::HostMismatch => {
            "the request target and the Host header name different hosts".to_owned()
        },
        Refusal::LengthAndEncoding => {
            "Content-Length and Transfer-Encoding were both sent: send one".to_owned()
        },
        Refusal::EncodingNotSupported => {
            "the transfer encoding is not supported: use chunked".to_owned()
        },
        Refusal::LineFeedAlone => "a header line ends without a carriage return".to_owned(),
        Refusal::HeadUnseen => {
            "the end of the previous request is ambiguous: send this request on a new connection"
                .to_owned()
        },
        Refusal::HeaderNotText { name } => format!("the header {name} is not UTF-8"),
        Refusal::BodyBroken => "the body ended early, or its chunks are malformed".to_owned(),
        Refusal::HeadTooLarge { lines_max, bytes_max } => {
            format!(
                "the request head may have at most {lines_max} header lines and {bytes_max} bytes"
            )
        },
        Refusal::DoubledHeader { .. }
        | Refusal::TunnelAsked
        | Refusal::BodyTooLarge { .. }
        | Refusal::BodyTimeout
        | Refusal::Busy { .. }
        | Refusal::Panicked
        | Refusal::ResponseNotSendable => String::new(),
    }
}
