//! Finds the text of a search in a key's name, description, hints, id and permissions, in the name and
//! email address of its owner, and in the IP address of its last use.

use memchr::memmem::Finder;

use crate::actions::address_search::AddressNeedle;
use crate::index::facts::UserFacts;
use crate::index::key_lists::Entry;
use crate::model::text::search_form;

/// The text of a search.
#[derive(Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
    /// Whether the text can be a part of an id.
    fits_id: bool,
    /// `None` if the text cannot be a part of an IP address.
    address: Option<AddressNeedle>,
    /// The buffer for the text of an id, which each key reuses.
    text: Vec<u8>,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let form = search_form(text);
        let fits_id = form.bytes().all(|byte| b"0123456789abcdef-key_".contains(&byte));
        let address = AddressNeedle::new(&form);
        let finder = Finder::new(form.as_bytes()).into_owned();
        Self { finder, fits_id, address, text: Vec::new() }
    }

    /// Whether the name, the description, a hint, the id or the IP address of the last use contains the
    /// text.
    pub(super) fn is_in(&mut self, entry: Entry<'_>) -> bool {
        entry.contains(&self.finder) || self.is_in_id(entry) || self.is_in_address(entry)
    }

    /// Whether a list of permissions contains the text. The list must be in its search form.
    pub(super) fn is_in_list(&self, permissions: Option<&[u8]>) -> bool {
        permissions.is_some_and(|list| self.finder.find(list).is_some())
    }

    /// Whether the user's name contains the text, or the email address, if the actor may see it.
    pub(super) fn is_in_user(&self, user: &UserFacts, sees_email: bool) -> bool {
        let is_in = |text: &str| self.finder.find(search_form(text).as_bytes()).is_some();
        is_in(&user.name) || (sees_email && is_in(&user.email))
    }

    fn is_in_id(&mut self, entry: Entry<'_>) -> bool {
        if !self.fits_id {
            return false;
        }
        self.text.clear();
        entry.id.append_to(&mut self.text);
        self.finder.find(&self.text).is_some()
    }

    fn is_in_address(&mut self, entry: Entry<'_>) -> bool {
        let address = self.address.as_mut().zip(entry.last_address());
        address.is_some_and(|(needle, address)| needle.is_in(address))
    }
}
