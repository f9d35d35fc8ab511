//! What operators manage for the instance: organizations, plans, gates and the catalogue.

pub mod catalogue;
pub mod gates;
pub(in crate::actions) mod organization_record;
pub mod organizations;
pub mod plans;
pub mod seal_key;
pub(in crate::actions) mod settings;
