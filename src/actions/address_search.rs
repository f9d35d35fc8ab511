//! Finds the text of a search in IP addresses: in the list of keys and in the audit log alike.

use std::io::Write as _;
use std::net::IpAddr;

use memchr::memmem::Finder;

/// The text of a search that can be an IP address or a part of one.
#[derive(Debug)]
pub(super) struct AddressNeedle {
    sought: AddressSought,
    /// The buffer for the text of an address, which each search reuses.
    text: Vec<u8>,
}

#[derive(Debug)]
enum AddressSought {
    /// The search text is a whole address, which matches no longer address.
    Whole(IpAddr),
    /// The search text is a part of an address, such as `192.0.2.`.
    Part(Box<Finder<'static>>),
}

impl AddressNeedle {
    /// `form` is the search form of the text. `None` if the text cannot be a part of an address.
    pub(super) fn new(form: &str) -> Option<Self> {
        let is_part = form.contains(['.', ':'])
            && form.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte));
        let sought = match form.trim().parse::<IpAddr>() {
            Ok(address) => AddressSought::Whole(address.to_canonical()),
            Err(_no_address) if is_part => {
                AddressSought::Part(Box::new(Finder::new(form.as_bytes()).into_owned()))
            },
            Err(_no_address) => return None,
        };
        Some(Self { sought, text: Vec::new() })
    }

    /// Whether this is the address, or the address contains the text.
    pub(super) fn is_in(&mut self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match &self.sought {
            AddressSought::Whole(whole) => address == *whole,
            AddressSought::Part(finder) => {
                self.text.clear();
                let written = write!(self.text, "{address}");
                written.is_ok() && finder.find(&self.text).is_some()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_address_matches_only_itself_and_a_part_every_address_with_it() {
        let addresses = ["192.0.2.7", "192.0.2.70", "::ffff:192.0.2.7", "2001:db8::7"];
        for (text, expected) in [
            ("192.0.2.7", [true, false, true, false]),
            ("::ffff:192.0.2.7", [true, false, true, false]),
            ("2001:0db8::0007", [false, false, false, true]),
            ("192.0.2.", [true, true, true, false]),
            (".2.7", [true, true, true, false]),
            ("db8:", [false, false, false, true]),
        ] {
            let mut needle = AddressNeedle::new(text).unwrap();
            let found = addresses.map(|address| needle.is_in(address.parse().unwrap()));
            assert_eq!(found, expected, "{text}");
        }
        for text in ["", "192", "7", "deploy", "a.example", "192.0.2.7 x"] {
            assert!(AddressNeedle::new(text).is_none(), "{text}");
        }
    }
}
