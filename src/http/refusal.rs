//! What there is to say of a request that the transport refused.

use crate::http::transport::Refusal;

/// What was wrong with the request, where the status does not say it all.
pub(super) fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoHost => "HTTP/1.1 needs a Host header".to_owned(),
        Refusal::HostNotValid => "the Host header is no host".to_owned(),
        Refusal::HostMismatch => "target and Host header name different hosts".to_owned(),
        Refusal::LengthAndEncoding => {
            "Content-Length and Transfer-Encoding must not come together".to_owned()
        },
        Refusal::EncodingNotSupported => "the only transfer encoding taken is chunked".to_owned(),
        Refusal::LineFeedAlone => "a line of the head ends without a carriage return".to_owned(),
        Refusal::HeadUnseen => "the request can't be told from the one before it".to_owned(),
        Refusal::HeaderNotText { name } => format!("the header {name} is not UTF-8"),
        Refusal::BodyBroken => "the body ended early or its chunks are malformed".to_owned(),
        Refusal::HeadTooLarge { lines_max, bytes_max } => {
            format!(
                "the head of this request may have {lines_max} header lines and {bytes_max} bytes"
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
