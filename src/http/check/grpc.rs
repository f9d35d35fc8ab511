//! Denials for gRPC clients, which read `grpc-status` instead of a problem document.
//!
//! Both gate endpoints read the client's `Content-Type`, if the proxy forwards it. The HTTP status
//! is unchanged, because the proxy decides by the status. The client receives a `Trailers-Only`
//! response of the gRPC protocol: `grpc-status` and `grpc-message` in the head, and no body.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::http::problem::Problem;
use crate::http::transport::PreparedResponse;
use crate::model::credential::CredentialSource;

static STATUS: HeaderName = HeaderName::from_static("grpc-status");
static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: &str = "application/grpc";
const GRPC_WEB: &str = "application/grpc-web";

/// The response's content type for a gRPC request; `None` for any other request.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&'static str> {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let line = lines.next().filter(|_line| lines.next().is_none())?;
    let lower = line.to_str().ok()?.to_ascii_lowercase();
    let kind = lower.split([';', '+']).next().unwrap_or_default().trim();
    [GRPC, GRPC_WEB].into_iter().find(|known| *known == kind)
}

/// The denial, with the gRPC status for the problem's HTTP status.
pub(super) fn refusal(
    problem: &Problem,
    kind: &'static str,
    sources: &[CredentialSource],
) -> PreparedResponse {
    let detail = problem.detail_text().map(|detail| format!(": {detail}")).unwrap_or_default();
    let message = encoded(&format!("{}{detail}", problem.code()));
    let mut lines = problem.lines(kind, Some(sources));
    lines.push(&STATUS, &status(problem.status()).to_string());
    lines.push(&MESSAGE, &message);
    PreparedResponse::new(problem.status(), lines, "")
}

/// gRPC codes: unauthenticated, permission denied, resource exhausted, unavailable, internal.
fn status(http: u16) -> u8 {
    match http {
        401 => 16,
        403 => 7,
        429 => 8,
        503 => 14,
        _ => 13,
    }
}

/// Encodes a message for `grpc-message`: percent-encoded except printable ASCII.
fn encoded(message: &str) -> String {
    const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');
    utf8_percent_encode(message, UNSAFE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_recognized_by_the_content_type() {
        for (value, kind) in [
            ("application/grpc", Some(GRPC)),
            ("Application/gRPC+proto", Some(GRPC)),
            ("application/grpc; charset=x", Some(GRPC)),
            ("application/grpc-web-text", None),
            ("application/grpc-web+proto", Some(GRPC_WEB)),
            ("application/grpcx", None),
            ("application/json", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(content_type(&headers), kind, "{value}");
            headers.append(CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(content_type(&headers), None, "{value} twice");
        }
    }

    #[test]
    fn messages_are_encoded() {
        assert_eq!(encoded("A: 100% \u{e9}\r\n"), "A: 100%25 %C3%A9%0D%0A");
    }
}
