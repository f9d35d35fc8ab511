//! The text of a search, and where it is looked for: in a key's own texts, its id, its permissions,
//! its owner and the address of its last use.

use std::net::IpAddr;

use memchr::memmem::Finder;

use crate::index::facts::UserFacts;
use crate::index::key_lists::Entry;
use crate::model::text::search_form;

/// A text that is searched for.
#[derive(Debug)]
pub(super) struct Needle {
    finder: Finder<'static>,
    /// Whether the text can be a part of an id.
    fits_id: bool,
    address: Option<AddressSought>,
    /// Memory for the text of an id or address.
    text: Vec<u8>,
}

#[derive(Debug)]
enum AddressSought {
    Whole(IpAddr),
    /// A part of an address, as text.
    Part,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        let form = search_form(text);
        let fits_id = form.bytes().all(|byte| b"0123456789abcdef-key_".contains(&byte));
        let is_part = form.contains(['.', ':'])
            && form.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte));
        let address = match form.trim().parse::<IpAddr>() {
            Ok(address) => Some(AddressSought::Whole(address.to_canonical())),
            Err(_no_address) => is_part.then_some(AddressSought::Part),
        };
        let finder = Finder::new(form.as_bytes()).into_owned();
        Self { finder, fits_id, address, text: Vec::new() }
    }

    /// Whether the name, the description, a hint, the id or the last address matches.
    pub(super) fn is_in(&mut self, entry: Entry<'_>) -> bool {
        entry.contains(&self.finder) || self.is_in_id(entry) || self.is_in_address(entry)
    }

    /// Whether one of the permissions, which are in their search form, matches.
    pub(super) fn is_in_list(&self, permissions: &[u8]) -> bool {
        self.finder.find(permissions).is_some()
    }

    /// Whether the name matches, or the address, if the actor sees it.
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
        let Some(sought) = &self.address else { return false };
        let Some(address) = entry.last_address() else { return false };
        match sought {
            AddressSought::Whole(whole) => address == *whole,
            AddressSought::Part => {
                self.text.clear();
                append_address(address, &mut self.text);
                self.finder.find(&self.text).is_some()
            },
        }
    }
}

/// Appends the text of an address, without the formatting of its `Display`: a search writes those of
/// all keys.
fn append_address(address: IpAddr, text: &mut Vec<u8>) {
    let six = match address {
        IpAddr::V4(four) => {
            for (at, octet) in four.octets().into_iter().enumerate() {
                if at > 0 {
                    text.push(b'.');
                }
                append_digits(octet.into(), 10, 100, text);
            }
            return;
        },
        IpAddr::V6(six) => six.segments(),
    };
    // The longest run of two or more zeros is left out, the first of equally long ones (RFC 5952).
    let (mut longest, mut run) = (0..0, 0..0);
    for (at, segment) in six.iter().enumerate() {
        run = if *segment == 0 { run.start..at + 1 } else { at + 1..at + 1 };
        if run.len() > longest.len().max(1) {
            longest = run.clone();
        }
    }
    for (at, segment) in six.into_iter().enumerate() {
        if longest.contains(&at) {
            if at == longest.start {
                text.extend_from_slice(b"::");
            }
            continue;
        }
        if at > 0 && at != longest.end {
            text.push(b':');
        }
        append_digits(segment, 16, 0x1000, text);
    }
}

/// Appends a number without leading zeros. `place` is the value of its greatest digit.
fn append_digits(number: u16, base: u16, place: u16, text: &mut Vec<u8>) {
    let (mut place, mut rest) = (place, number);
    while place > 1 && rest < place {
        place /= base;
    }
    while place > 0 {
        let digit = char::from_digit((rest / place).into(), base.into()).unwrap_or('0');
        text.extend(u8::try_from(digit));
        (rest, place) = (rest % place, place / base);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use proptest::prelude::*;

    fn written(address: IpAddr) -> String {
        let mut text = Vec::new();
        append_address(address, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it() {
        for address in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:0:1:0:0:1",
            "0:1::",
            "1:0:2:0:3:0:4:0",
            "fe80::1:0:0:0",
            "1:2:3:4:5:6:7:8",
            "0:0:1:0:0:0:1:0",
            "0.0.0.0",
            "10.0.200.99",
            "255.255.255.255",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(written(address), address.to_string());
        }
    }

    proptest! {
        #[test]
        fn any_address_is_written_as_the_standard_library_writes_it(
            four: u32,
            six in prop::collection::vec(prop_oneof![2 => Just(0_u16), 1 => any::<u16>()], 8),
        ) {
            let four = IpAddr::V4(Ipv4Addr::from_bits(four));
            prop_assert_eq!(written(four), four.to_string());
            let six: [u16; 8] = six.try_into().unwrap();
            let six = Ipv6Addr::from(six);
            // The standard library writes addresses that embed an IPv4 address with dots.
            if !matches!(six.segments(), [0, 0, 0, 0, 0, 0 | 0xffff, ..]) {
                prop_assert_eq!(written(IpAddr::V6(six)), six.to_string());
            }
        }
    }
}
