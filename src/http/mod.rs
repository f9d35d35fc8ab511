//! HTTP: transport, routes, check endpoints, management API, page and metrics.

mod action_errors;
mod admission;
mod answer;
mod api;
mod app;
mod application;
mod challenge;
mod check;
mod client;
mod credential;
mod encoding;
mod endpoint;
mod forwarded;
mod health;
mod hourly;
mod input;
mod json;
mod matching;
mod metrics;
mod observe;
mod openapi;
mod page;
mod parameters;
mod path_params;
pub(crate) mod probes;
mod problem;
mod reading;
mod refusal;
mod request_id;
mod route;
mod router;
mod routing;
pub(crate) mod schema;
mod session;
mod starting;
pub mod transport;
mod view;

/// The views that the command line prints.
pub(crate) mod views {
    pub(crate) use super::api::gates::view::GateView;
    pub(crate) use super::api::keys::view::KeyView;
    pub(crate) use super::api::organizations::{OrganizationView, SubscriptionView};
    pub(crate) use super::api::plans::PlanView;
    pub(crate) use super::api::roles::RoleView;
    pub(crate) use super::api::seal_key::SealKeyRotationView;
    pub(crate) use super::api::sessions::OpenSessionView;
    pub(crate) use super::api::teams::{MemberView, TeamView};
    pub(crate) use super::api::users::UserView;
    pub(crate) use super::view::FieldNames;
}

/// The readers of the API's fields. Configuration files have the same fields.
pub(crate) mod fields {
    pub(crate) use super::api::gates::declared::declared_gate;
    pub(crate) use super::api::keys::declared::{DeclaredDigest, DeclaredSecret, declared_key};
    pub(crate) use super::api::organizations::status_reader;
    pub(crate) use super::api::teams::VISIBILITIES;
    pub(crate) use super::input::{Fields, object};
    pub(crate) use super::json::parse as parse_json;
    pub(crate) use super::reading::{
        Read, boolean, description, email, list, long, moment, name, number, parsed, patterns,
        wrong,
    };
    pub(crate) use super::view::Schemas;
}

pub use app::{App, HttpSettings};
pub(in crate::http) use app::{Call, CheckCall};
pub(crate) use openapi::{error_codes, identity_headers};
pub(crate) use router::prepare_routes;
pub use routing::Routing;
pub use starting::{StartStage, StartState, Starting};
