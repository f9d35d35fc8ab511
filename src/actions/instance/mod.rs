//! What operators manage for the instance: organizations, plans, gates and the catalogue.

pub mod backup;
pub mod catalogue;
pub mod gates;
mod organization_record;
pub mod organizations;
pub mod overview;
pub mod plans;
pub mod running_backups;
pub mod seal_key;
pub(in crate::actions) mod settings;
