//! The body of a response: whole in memory, or read while it is sent.
//!
//! A streamed body is read on the blocking pool, a piece at a time, and only when the client has
//! taken the piece before. A client that does not read therefore holds one piece of memory and no
//! thread, until the write timeout closes its connection. A body that fails cuts the connection
//! without the end that HTTP/1.1 requires, so a client detects an incomplete body.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::telemetry::with_sources;

/// Maximum size of a piece.
const PIECE_BYTES_MAX: usize = 256 * 1024;
/// Threads of the blocking pool for pieces, in addition to those of requests. Each thread is used
/// only while it reads a piece.
pub(super) const STREAM_THREADS: usize = 2;

type BodySource = Box<dyn Read + Send>;
type ReadPiece = (BodySource, io::Result<Bytes>);

/// The body of a response.
pub(super) enum SentBody {
    /// `None` once the bytes are sent.
    Whole(Option<Bytes>),
    Streamed(StreamedBody),
}

/// A body that is read while it is sent.
pub(super) enum StreamedBody {
    Idle(BodySource),
    Reading(JoinHandle<ReadPiece>),
    Ended,
}

impl SentBody {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }

    pub(super) const fn streamed(source: BodySource) -> Self {
        Self::Streamed(StreamedBody::Idle(source))
    }

    /// The bytes of a whole body.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.unwrap_or_default(),
            Self::Streamed(_) => Bytes::new(),
        }
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            },
            Self::Streamed(body) => {
                let piece = ready!(body.poll_piece(cx));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Streamed(body) => matches!(body, StreamedBody::Ended),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            },
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}

impl StreamedBody {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Ended => return Poll::Ready(None),
                Self::Idle(source) => *self = Self::Reading(spawn_blocking(|| read(source))),
                Self::Reading(mut task) => {
                    let Poll::Ready(outcome) = Pin::new(&mut task).poll(context) else {
                        *self = Self::Reading(task);
                        return Poll::Pending;
                    };
                    let (source, piece) = outcome.map_err(io::Error::other)?;
                    return Poll::Ready(match piece {
                        Ok(piece) if piece.is_empty() => None,
                        Ok(piece) => {
                            *self = Self::Idle(source);
                            Some(Ok(piece))
                        },
                        Err(error) => {
                            let text = with_sources(&error);
                            tracing::warn!(error = text, "a streamed response broke off");
                            Some(Err(error))
                        },
                    });
                },
            }
        }
    }
}

/// Reads one piece with one call of the source. An empty piece is the end. A source therefore sees its
/// end read only after the client has taken all of its bytes.
fn read(mut source: BodySource) -> ReadPiece {
    let mut piece = vec![0; PIECE_BYTES_MAX];
    let outcome = loop {
        match source.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
            outcome => break outcome,
        }
    };
    let piece = outcome.map(|length| {
        piece.truncate(length);
        piece.into()
    });
    (source, piece)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http_body_util::BodyExt as _;

    use super::*;

    /// Returns these bytes, and then fails if it must.
    struct Broken<'a>(&'a [u8]);

    impl Read for Broken<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buf)?;
            if count == 0 { Err(io::ErrorKind::Other.into()) } else { Ok(count) }
        }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    /// Returns these bytes, and notes that its end was read.
    struct Ending(&'static [u8], Arc<AtomicBool>);

    impl Read for Ending {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buf)?;
            self.1.store(count == 0, Ordering::SeqCst);
            Ok(count)
        }
    }

    /// Regression: the end was read with the last piece, so that a backup counted as sent before the
    /// client had taken it.
    #[test]
    fn the_end_of_a_source_is_read_after_its_last_piece_was_taken() {
        let has_ended = Arc::new(AtomicBool::new(false));
        let source = Ending(b"a backup", Arc::clone(&has_ended));
        let mut body = SentBody::streamed(Box::new(source));
        run(async {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece, b"a backup"[..]);
            assert!(!has_ended.load(Ordering::SeqCst));
            assert!(body.frame().await.is_none());
        });
        assert!(has_ended.load(Ordering::SeqCst));
    }

    #[test]
    fn a_streamed_body_arrives_whole_or_fails() {
        run(async {
            let bytes: &[u8] = Box::leak(vec![7; 3 * PIECE_BYTES_MAX + 1].into_boxed_slice());
            let whole = SentBody::streamed(Box::new(bytes)).collect().await.unwrap();
            assert_eq!(whole.to_bytes(), bytes);
            let broken = SentBody::streamed(Box::new(Broken(bytes))).collect().await;
            assert_eq!(broken.unwrap_err().kind(), io::ErrorKind::Other);
        });
    }
}
