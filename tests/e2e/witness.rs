//! That the watchers see: what they must report is done on purpose, and they report it.
