//! What a failed request means: whether it changed anything, and who can try again.

use etcd_client::Error;
use keyhouse_storage::{Cause, ReadError};

/// A request that has no response of etcd's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EtcdFault {
    /// The revision of a read is no longer or not yet in etcd.
    Compacted,
    /// The response is larger than the client decodes.
    PageTooLarge,
    /// etcd rejected the request. Nothing changed, and another member would reject it too.
    Refused(Cause),
    /// The credentials are no longer valid. Nothing changed. Sign in again.
    SignedOut(Cause),
    /// The quota of etcd is used up. Nothing changed.
    Full(Cause),
    /// No member has taken the request. Nothing changed. Another member may take it.
    Unsent(Cause),
    /// The request may be executed, now or later.
    Open(Cause),
}

// The numbers of gRPC's codes.
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const OUT_OF_RANGE: i32 = 11;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

impl EtcdFault {
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::GRpcStatus(status) => {
                let mut text = status.message().to_owned();
                // The message of a connection that failed is only in the sources.
                let mut source = std::error::Error::source(status);
                while let Some(error) = source {
                    text.push_str(": ");
                    text.push_str(&error.to_string());
                    source = error.source();
                }
                Self::of_code(status.code().into(), text)
            },
            Error::TransportError(error) => Self::of_code(UNAVAILABLE, chain(error)),
            Error::InvalidArgs(_)
            | Error::InvalidUri(_)
            | Error::IoError(_)
            | Error::WatchError(_)
            | Error::Utf8Error(_)
            | Error::LeaseKeepAliveError(_)
            | Error::ElectError(_)
            | Error::InvalidMetadataValue(_)
            | Error::EndpointError(_)
            | Error::EndpointsNotManaged
            | Error::Internal(_) => Self::Open(Cause::of(error)),
        }
    }

    fn of_code(code: i32, text: String) -> Self {
        let has = |part: &str| text.contains(part);
        let is_connecting = has("tcp connect error") || has("Connection refused");
        let kind: fn(Cause) -> Self = match code {
            OUT_OF_RANGE if has("compacted") || has("future revision") => return Self::Compacted,
            OUT_OF_RANGE if has("decoded message length too large") => return Self::PageTooLarge,
            RESOURCE_EXHAUSTED if has("database space exceeded") => Self::Full,
            UNAUTHENTICATED => Self::SignedOut,
            // A token that a restarted member does not know, as an empty user.
            INVALID_ARGUMENT if has("user name is empty") => Self::SignedOut,
            INVALID_ARGUMENT | NOT_FOUND | PERMISSION_DENIED | RESOURCE_EXHAUSTED => Self::Refused,
            UNAVAILABLE if has("etcdserver: no leader") || is_connecting => Self::Unsent,
            _ => Self::Open,
        };
        kind(Cause::new(text))
    }

    /// Whether another member may answer a read after this fault.
    pub(crate) const fn is_of_the_member(&self) -> bool {
        matches!(self, Self::Unsent(_) | Self::Open(_) | Self::SignedOut(_))
    }

    pub(crate) fn cause(self) -> Cause {
        match self {
            Self::Compacted => Cause::new("revision no longer in etcd"),
            Self::PageTooLarge => Cause::new("the response is too large"),
            Self::Refused(cause)
            | Self::SignedOut(cause)
            | Self::Full(cause)
            | Self::Unsent(cause)
            | Self::Open(cause) => cause,
        }
    }
}

impl From<EtcdFault> for ReadError {
    fn from(fault: EtcdFault) -> Self {
        match fault {
            EtcdFault::Compacted => Self::Compacted,
            EtcdFault::PageTooLarge
            | EtcdFault::Refused(_)
            | EtcdFault::SignedOut(_)
            | EtcdFault::Full(_)
            | EtcdFault::Unsent(_)
            | EtcdFault::Open(_) => Self::Unavailable(fault.cause()),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    Cause::of(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_answer_counts_as_unchanged() {
        let cause = |text: &str| Cause::new(text);
        for (code, text, expected) in [
            (11, "etcdserver: mvcc: required revision has been compacted", EtcdFault::Compacted),
            (11, "etcdserver: mvcc: required revision is a future revision", EtcdFault::Compacted),
            (11, "Error, decoded message length too large: found 5", EtcdFault::PageTooLarge),
            (
                8,
                "etcdserver: mvcc: database space exceeded",
                EtcdFault::Full(cause("etcdserver: mvcc: database space exceeded")),
            ),
            (
                8,
                "etcdserver: too many requests",
                EtcdFault::Refused(cause("etcdserver: too many requests")),
            ),
            (
                3,
                "etcdserver: user name is empty",
                EtcdFault::SignedOut(cause("etcdserver: user name is empty")),
            ),
            (
                3,
                "etcdserver: request is too large",
                EtcdFault::Refused(cause("etcdserver: request is too large")),
            ),
            (
                7,
                "etcdserver: permission denied",
                EtcdFault::Refused(cause("etcdserver: permission denied")),
            ),
            (
                16,
                "etcdserver: invalid auth token",
                EtcdFault::SignedOut(cause("etcdserver: invalid auth token")),
            ),
            (14, "etcdserver: no leader", EtcdFault::Unsent(cause("etcdserver: no leader"))),
            (14, "x: tcp connect error: y", EtcdFault::Unsent(cause("x: tcp connect error: y"))),
            (
                14,
                "etcdserver: request timed out",
                EtcdFault::Open(cause("etcdserver: request timed out")),
            ),
            (2, "context deadline exceeded", EtcdFault::Open(cause("context deadline exceeded"))),
            (1, "Timeout expired", EtcdFault::Open(cause("Timeout expired"))),
            (4, "", EtcdFault::Open(cause(""))),
            (13, "h2 protocol error", EtcdFault::Open(cause("h2 protocol error"))),
        ] {
            assert_eq!(EtcdFault::of_code(code, text.to_owned()), expected, "{code} {text}");
        }
    }
}
