//! Users with their roles, teams and invitations, and how users are removed.

pub mod acceptance;
pub mod emails;
pub mod invitations;
pub(in crate::actions) mod people;
pub mod removal;
pub mod roles;
pub mod teams;
pub mod users;
