//! The catalogue: the permissions that protected APIs require, with descriptions, and the content
//! of presets.
//!
//! The catalogue grants nothing. A permission works without an entry, and an entry gives no user a
//! permission.

use keyhouse_storage::Batch;
use serde_json::{Value, json};

use crate::actions::actor::Actor;
use crate::actions::changes::{Resource, ResourceRef, Target};
use crate::actions::rows::Listed;
use crate::actions::{ActionError, Actions};
use crate::index::facts::RightQuery;
use crate::model::audit_action::AuditAction;
use crate::model::catalogue::{OWN_CATALOGUE, OWN_GROUP, OwnPermission, Preset};
use crate::model::errors;
use crate::model::fault::{Fault, FaultCode};
use crate::model::permission::{PATTERNS_MAX, Pattern, Patterns, Permission, is_own};
use crate::model::role::INSTANCE_MANAGE;
use crate::records::Revised;
use crate::records::place::StoreKey;
use crate::records::rights::PermissionRecord;

pub const PERMISSIONS_MAX: usize = 1_000;

/// Descriptions of a permission in each language of the page. Fields that are `None` do not change.
#[derive(Debug, Default)]
pub struct Texts {
    pub english: Option<String>,
    pub french: Option<String>,
    pub spanish: Option<String>,
}

/// A change of an entry of the catalogue. Fields that are `None` do not change.
#[derive(Debug, Default)]
pub struct EntryChange {
    pub texts: Texts,
    /// The group under which the page lists the entry.
    pub group: Option<String>,
}

impl Actions {
    /// Lists the catalogue by name, including Keyhouse's own permissions. `after` is the last name
    /// of the previous page.
    pub fn list_permissions(
        &self,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Listed<PermissionRecord>, ActionError> {
        let mut entries = self.entries()?;
        entries.extend(OWN_CATALOGUE.iter().map(own_record));
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let behind = |entry: &PermissionRecord| after.is_none_or(|after| &*entry.name > after);
        Ok(Listed::first(limit, entries.into_iter().filter(behind)))
    }

    pub fn permission(&self, name: &str) -> Result<PermissionRecord, ActionError> {
        if let Some(own) = OWN_CATALOGUE.iter().find(|own| own.name == name) {
            return Ok(own_record(own));
        }
        Ok(self.find_entry(name)?.record)
    }

    /// Adds a permission to the catalogue.
    ///
    /// # Errors
    /// [`ActionError::Invalid`] for a name in Keyhouse's own realm; [`ActionError::Conflict`] for a
    /// name that exists, and over [`PERMISSIONS_MAX`].
    pub fn create_permission(
        &self,
        actor: &Actor,
        name: &Permission,
        entry: &EntryChange,
    ) -> Result<PermissionRecord, ActionError> {
        actor.require(INSTANCE_MANAGE)?;
        if is_own(name.as_str()) {
            let fault =
                Fault::new("/name", FaultCode::RESERVED_NAME, "must not begin with keyhouse");
            return Err(ActionError::Invalid(vec![fault]));
        }
        let place = StoreKey::Permission(name.as_str().into());
        self.in_turn(|| {
            // The guard also covers the number of entries, which is limited.
            let decided = self.authorize_people(actor, INSTANCE_MANAGE)?;
            if self.read::<PermissionRecord>(&place)?.is_some() {
                let detail = "the catalogue already has a permission with this name: use another \
                    name";
                return Err(ActionError::Conflict { error: errors::NAME_TAKEN, detail });
            }
            if self.entries()?.len() >= PERMISSIONS_MAX {
                let detail = "the catalogue is full: remove a permission first";
                return Err(ActionError::Conflict { error: errors::TOO_MANY_PERMISSIONS, detail });
            }
            let mut record = PermissionRecord {
                name: name.as_str().into(),
                group: String::new(),
                english: String::new(),
                french: String::new(),
                spanish: String::new(),
                version: 1,
            };
            apply(&mut record, entry);
            self.insert(decided, AuditAction::PERMISSION_CREATE, record, Batch::new())
        })
    }

    /// Changes the description of a permission.
    ///
    /// # Errors
    /// [`ActionError::Conflict`] for one of Keyhouse's own permissions.
    pub fn change_permission(
        &self,
        actor: &Actor,
        target: &Target<Permission>,
        change: &EntryChange,
    ) -> Result<PermissionRecord, ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            refuse_own(&target.id)?;
            let held = self.find_entry(target.id.as_str())?;
            let mut record = target.current(&held)?;
            apply(&mut record, change);
            self.update(decided, AuditAction::PERMISSION_UPDATE, (&held, record), Batch::new())
        })
    }

    /// Removes a permission from the catalogue. Keys and roles that were granted it keep it.
    pub fn remove_permission(
        &self,
        actor: &Actor,
        target: &Target<Permission>,
    ) -> Result<(), ActionError> {
        Self::until_done(|| {
            let decided = self.authorize_holder(actor, INSTANCE_MANAGE)?;
            refuse_own(&target.id)?;
            let held = self.find_entry(target.id.as_str())?;
            target.current(&held)?;
            self.delete(decided, AuditAction::PERMISSION_REMOVE, &held)
        })
    }

    /// The permissions that a preset grants now, limited to the permissions that the actor holds.
    ///
    /// # Errors
    /// [`ActionError::PermissionRequired`] if no permission is left; [`ActionError::Invalid`] if
    /// the permissions do not fit in one list.
    pub(in crate::actions) fn preset(
        &self,
        actor: &Actor,
        preset: Preset,
    ) -> Result<Patterns, ActionError> {
        let entries = self.entries()?;
        let all = preset.patterns(entries.iter().map(|entry| &*entry.name));
        let held = |pattern: &&Pattern| actor.holds(RightQuery::Pattern(pattern.as_str()));
        let mut chosen: Vec<Pattern> = all.iter().filter(held).cloned().collect();
        if chosen.is_empty() {
            let first = all.first().map(ToString::to_string).unwrap_or_default();
            return Err(ActionError::PermissionRequired(first));
        }
        if chosen.len() > PATTERNS_MAX {
            // A pattern that another pattern covers is redundant.
            let whole = chosen.clone();
            chosen.retain(|one| !whole.iter().any(|other| other != one && other.covers(one)));
        }
        Patterns::new(&chosen).map_err(|error| {
            ActionError::Invalid(vec![Fault::new("/preset", FaultCode::TOO_MANY, error)])
        })
    }

    fn entries(&self) -> Result<Vec<PermissionRecord>, ActionError> {
        self.read_all(StoreKey::PERMISSIONS)
    }

    fn find_entry(&self, name: &str) -> Result<Revised<PermissionRecord>, ActionError> {
        let held = self.read(&StoreKey::Permission(name.into()))?;
        held.ok_or(ActionError::NotFound("permission in the catalogue"))
    }
}

fn apply(record: &mut PermissionRecord, change: &EntryChange) {
    for (field, text) in [
        (&mut record.group, &change.group),
        (&mut record.english, &change.texts.english),
        (&mut record.french, &change.texts.french),
        (&mut record.spanish, &change.texts.spanish),
    ] {
        if let Some(text) = text {
            field.clone_from(text);
        }
    }
}

fn refuse_own(name: &Permission) -> Result<(), ActionError> {
    if is_own(name.as_str()) {
        return Err(ActionError::Conflict {
            error: errors::OWN_PERMISSION,
            detail: "permissions of Keyhouse cannot be changed or removed",
        });
    }
    Ok(())
}

fn own_record(own: &OwnPermission) -> PermissionRecord {
    PermissionRecord {
        name: own.name.into(),
        group: OWN_GROUP.to_owned(),
        english: own.english.to_owned(),
        french: own.french.to_owned(),
        spanish: own.spanish.to_owned(),
        version: 1,
    }
}

impl Resource for PermissionRecord {
    fn identity(&self) -> ResourceRef {
        ResourceRef::new(StoreKey::Permission(self.name.clone()), &self.name, None)
    }

    fn version(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn audit(&self) -> Value {
        json!({
            "group": self.group,
            "en": self.english,
            "fr": self.french,
            "es": self.spanish,
        })
    }
}
