//! Error details for requests that the transport rejects.

use crate::http::transport::TransportRefusal;

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
