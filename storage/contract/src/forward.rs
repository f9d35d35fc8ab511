//! `Box<S>` and `Arc<S>` of a store `S` are also stores.

use std::sync::Arc;

use crate::{At, Batch, Feed, Page, Pending, Range, ReadError, Revision, Row, Store};

macro_rules! forward {
    ($pointer:ident) => {
        impl<S: Store + ?Sized> Store for $pointer<S> {
            fn get(&self, key: &[u8], at: At) -> Result<Option<Row>, ReadError> {
                (**self).get(key, at)
            }

            fn scan(&self, range: &Range<'_>, at: At) -> Result<Page, ReadError> {
                (**self).scan(range, at)
            }

            fn submit(&self, batch: Batch) -> Pending {
                (**self).submit(batch)
            }

            fn follow(&self, from: Revision) -> Result<Box<dyn Feed>, ReadError> {
                (**self).follow(from)
            }

            fn check(&self) -> Result<(), ReadError> {
                (**self).check()
            }

            fn close(&self) -> Result<(), ReadError> {
                (**self).close()
            }
        }
    };
}

forward!(Box);
forward!(Arc);
