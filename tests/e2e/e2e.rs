//! The page in real browsers: tests see, click and type by accessible names. All use Chromium; `firefox` has the main
//! flows in Firefox.
//!
//! No test uses a class or an id of the page. Texts come from `web/locales`; only `guides` writes labels out.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it must be"
)]
#![allow(dead_code, reason = "the suite's fixtures are taken whole")]

mod account;
#[path = "../suite/ask.rs"]
mod ask;
mod audit;
mod axe;
mod create;
#[path = "../suite/deadlines.rs"]
mod deadlines;
mod dialogs;
mod driver;
#[path = "../suite/environment.rs"]
mod environment;
mod firefox;
mod first_load;
mod first_steps;
mod flows;
mod frame;
mod gates;
mod guides;
mod hostile;
mod key_page;
mod key_screens;
mod keys;
mod links;
mod overview;
mod page;
mod part;
#[path = "../suite/people.rs"]
mod people;
mod pictures;
mod proof;
#[path = "../gateways/proxy.rs"]
mod proxy;
mod record;
mod reference;
mod relay;
mod screens;
mod secrets;
mod selection;
#[path = "../server/mod.rs"]
mod server;
mod session_ends;
mod sign_in;
mod sub_path;
#[path = "../suite/test_server.rs"]
mod test_server;
mod texts;
mod touch;
mod tree;
mod trouble;
mod usage;
mod witness;
