//! Access lists of diagrams and accounts.
//!
//! An object belongs to one organization, and no other organization reaches it. Its creator may read and change it.
//! Others may read it if `readAccess`, and change it if `writeAccess`, names one of their teams or the organization:
//! neither list implies the other. `null` and `[]` share with none.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::Caller;
use crate::refusal::{Faults, Refusal};

const ENTRIES_MAX: usize = 100;
const ID_BYTES_MAX: usize = 64;

/// One access list; `None` is `null`.
pub(crate) type AccessList = Option<Vec<String>>;

/// The creator of an object and its access lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    /// The id of a user or of a service key.
    pub(crate) creator: String,
    pub(crate) read: AccessList,
    pub(crate) write: AccessList,
}

/// The lists of a request; `None` leaves a list as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessChange {
    read: Option<AccessList>,
    write: Option<AccessList>,
}

impl Access {
    pub(crate) fn of_creator(caller: &Caller) -> Self {
        Self { creator: caller.identity().to_owned(), read: None, write: None }
    }

    pub(crate) fn lets_read(&self, caller: &Caller) -> bool {
        self.is_creator(caller) || names(&self.read, caller)
    }

    fn lets_write(&self, caller: &Caller) -> bool {
        self.is_creator(caller) || names(&self.write, caller)
    }

    /// An error if the caller may not read: the same as for an object that does not exist.
    pub(crate) fn require_read(&self, caller: &Caller) -> Result<(), Refusal> {
        if self.lets_read(caller) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// An error if the caller may not change the object. A caller that may not read it either gets the same error as
    /// for an object that does not exist.
    pub(crate) fn require_write(&self, caller: &Caller) -> Result<(), Refusal> {
        if self.lets_write(caller) {
            Ok(())
        } else if self.lets_read(caller) {
            Err(Refusal::NotPermitted("writeAccess does not name a team of the caller"))
        } else {
            Err(Refusal::NotFound)
        }
    }

    /// Applies the lists of a request. Only the creator and managers of the organization may change them; other
    /// callers may repeat them, as clients that send back whole objects do.
    pub(crate) fn change(&mut self, change: AccessChange, caller: &Caller) -> Result<(), Refusal> {
        let read = change.read.unwrap_or_else(|| self.read.clone());
        let write = change.write.unwrap_or_else(|| self.write.clone());
        let is_same = read == self.read && write == self.write;
        if !is_same && !self.is_creator(caller) && !caller.is_manager() {
            return Err(Refusal::NotPermitted(
                "only the creator, or an owner or administrator, may change access lists",
            ));
        }
        (self.read, self.write) = (read, write);
        Ok(())
    }

    fn is_creator(&self, caller: &Caller) -> bool {
        self.creator == caller.identity()
    }
}

impl AccessChange {
    /// Reads `readAccess` and `writeAccess` of a body.
    pub(crate) fn of(body: &Value, caller: &Caller, faults: &mut Faults) -> Self {
        let read = list(body, "readAccess", caller, faults);
        let write = list(body, "writeAccess", caller, faults);
        Self { read, write }
    }
}

fn names(list: &AccessList, caller: &Caller) -> bool {
    list.iter().flatten().any(|entry| match entry.split_once('/') {
        Some(("team", id)) => caller.teams().iter().any(|team| team == id),
        Some(("customer", id)) => id == caller.organization(),
        _ => false,
    })
}

fn list(body: &Value, name: &str, caller: &Caller, faults: &mut Faults) -> Option<AccessList> {
    let entries = match body.get(name)? {
        Value::Null => return Some(None),
        Value::Array(entries) if entries.len() <= ENTRIES_MAX => entries,
        Value::Array(_) => {
            faults.add(format!("/{name}"), format!("at most {ENTRIES_MAX} entries"));
            return None;
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            faults.add(format!("/{name}"), "must be null or a list of texts");
            return None;
        },
    };
    let mut list = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        match entry.as_str().filter(|entry| is_entry(entry, caller)) {
            Some(entry) => list.push(entry.to_owned()),
            None => faults.add(
                format!("/{name}/{at}"),
                "must be team/<id>, or customer/<id> of the caller's organization",
            ),
        }
    }
    Some(Some(list))
}

fn is_entry(entry: &str, caller: &Caller) -> bool {
    let is_id = |id: &str| {
        let is_fine = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
        !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(is_fine)
    };
    match entry.split_once('/') {
        Some(("team", id)) => is_id(id),
        Some(("customer", id)) => id == caller.organization(),
        _ => false,
    }
}
