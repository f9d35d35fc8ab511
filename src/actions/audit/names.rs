//! The names of the actors and objects of events, as far as the reader may see them.

use std::collections::HashMap;

use serde_json::Value;

use crate::actions::Actions;
use crate::actions::actor::Actor;
use crate::actions::address_search::AddressNeedle;
use crate::model::id::{KeyId, OrganizationId, RoleId, TeamId, UserId};
use crate::model::role::{AUDIT_READ, INSTANCE_MANAGE};
use crate::model::text::search_form;
use crate::records::Revised;
use crate::records::event::EventRecord;
use crate::records::key::{Author, KeyRecord};
use crate::records::place::StoreKey;

/// The fields of an event that name its object, the best first.
const NAMING: [&str; 2] = ["name", "email"];

/// The text of a search.
pub(super) struct EventNeedle {
    /// The search form of the text.
    form: String,
    /// `None` if the text cannot be a part of an IP address.
    address: Option<AddressNeedle>,
}

impl EventNeedle {
    pub(super) fn new(text: &str) -> Self {
        let form = search_form(text);
        Self { address: AddressNeedle::new(&form), form }
    }
}

/// The names of one reader's events. Each key is read once, because many events of a list are about the
/// same keys.
pub(super) struct EventNames<'a> {
    actions: &'a Actions,
    reader: &'a Actor,
    keys: HashMap<KeyId, Option<String>>,
}

impl<'a> EventNames<'a> {
    pub(super) fn new(actions: &'a Actions, reader: &'a Actor) -> Self {
        Self { actions, reader, keys: HashMap::new() }
    }

    /// The current name of the actor, or `None` if it was removed or belongs to another
    /// organization.
    pub(super) fn of_actor(&mut self, event: &EventRecord) -> Option<String> {
        match event.actor? {
            Author::User(id) => self.user(id),
            Author::Key(id) => self.key(id),
            Author::Local => None,
        }
    }

    /// The current name of the object, or the one in the event if the object was removed.
    pub(super) fn of_target(&mut self, event: &EventRecord) -> Option<String> {
        self.current(&event.target).or_else(|| in_event(event).next().map(str::to_owned))
    }

    /// Whether the name or id of the actor or of the object, or the address, contains the text of a
    /// search. An earlier name in the event counts too.
    pub(super) fn contain(&mut self, needle: &mut EventNeedle, event: &EventRecord) -> bool {
        let EventNeedle { form, address } = needle;
        let is_in = |text: &str| search_form(text).contains(&**form);
        let in_address = address
            .as_mut()
            .zip(event.address)
            .is_some_and(|(sought, address)| sought.is_in(address));
        in_address
            || event.target.contains(&**form)
            || event.actor_parts().1.is_some_and(|id| id.contains(&**form))
            || in_event(event).any(is_in)
            || self.current(&event.target).is_some_and(|name| is_in(&name))
            || self.of_actor(event).is_some_and(|name| is_in(&name))
    }

    fn current(&mut self, target: &str) -> Option<String> {
        if let Ok(id) = target.parse::<KeyId>() {
            return self.key(id);
        }
        // Other readers see only events about keys.
        if !self.reader.has(AUDIT_READ) {
            return None;
        }
        if let Ok(id) = target.parse::<UserId>() {
            return self.user(id);
        }
        let (index, own) = (&self.actions.index, self.reader.organization_id());
        if let Ok(id) = target.parse::<TeamId>() {
            let team = index.team(id).filter(|team| team.organization == own);
            return team.map(|team| team.name.clone());
        }
        if let Ok(id) = target.parse::<RoleId>() {
            let role = index.role(id).filter(|role| role.organization == own);
            return role.map(|role| role.name.clone());
        }
        let id = target.parse::<OrganizationId>().ok()?;
        let is_seen = id == own || self.reader.has(INSTANCE_MANAGE);
        index.organization(id).filter(|_| is_seen).map(|organization| organization.name.clone())
    }

    fn user(&self, id: UserId) -> Option<String> {
        let user = self.actions.index.user(id);
        let known = user.filter(|user| user.organization == self.reader.organization_id());
        known.map(|user| user.name.clone())
    }

    /// The name of a key of the reader's organization if the key exists and the reader sees all of
    /// it. A missing name is not an error.
    fn key(&mut self, id: KeyId) -> Option<String> {
        let Self { actions, reader, keys } = self;
        let read = || {
            let held: Revised<KeyRecord> =
                actions.read(&StoreKey::Key(reader.organization_id(), id)).ok()??;
            let known = reader.has(AUDIT_READ) || actions.is_whole_for(reader, &held.record);
            known.then_some(held.record.name)
        };
        keys.entry(id).or_insert_with(read).clone()
    }
}

/// The names of the object in an event, the best first.
fn in_event(event: &EventRecord) -> impl Iterator<Item = &str> {
    let both = |name| [event.after.get(name), event.before.get(name)];
    NAMING.into_iter().flat_map(both).flatten().filter_map(Value::as_str)
}
