//! Device cookies: a browser in which a user signed in before has its own allowance of failed
//! sign-ins.
//!
//! A stranger who guesses passwords therefore does not lock out users of known browsers. A device
//! cookie does not sign in a user.
//!
//! A cookie holds a token for each of the accounts that signed in last. A token contains the user,
//! the browser, an expiry, and the number of password changes. Each token is authenticated by
//! BLAKE3 in keyed mode with a key of the instance.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhouse_storage::Batch;
use rand::Rng as _;
use zeroize::Zeroizing;

use crate::actions::signing_in::device_key::KEY_BYTES;
use crate::actions::signing_in::throttle::Browser;
use crate::actions::{ActionError, Actions, put};
use crate::model::id::{Id, UserId};
use crate::model::moment::Moment;
use crate::model::secret::Secret;
use crate::records::access::UserRecord;
use crate::records::people::DeviceKeyRecord;
use crate::records::place::StoreKey;

/// The time for which a browser stays known after the last sign-in.
pub const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);
/// Maximum number of accounts for which one browser is known. A further account replaces the
/// account that signed in longest ago.
const ACCOUNTS_A_BROWSER_MAX: usize = 4;

/// The content of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    user: UserId,
    browser: Browser,
    ends_at: Moment,
    password_changes: u32,
}

const PAYLOAD_BYTES: usize = 16 + 16 + 8 + 4;
const TOKEN_BYTES: usize = PAYLOAD_BYTES + blake3::OUT_LEN;

impl Device {
    fn write(&self, key: &[u8; KEY_BYTES]) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(self.user.bytes());
        bytes.extend_from_slice(self.browser.bytes());
        bytes.extend_from_slice(&self.ends_at.milliseconds().to_be_bytes());
        bytes.extend_from_slice(&self.password_changes.to_be_bytes());
        let mac = blake3::keyed_hash(key, &bytes);
        bytes.extend_from_slice(mac.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that this instance created; `None` for any other text.
    fn read(token: &str, key: &[u8; KEY_BYTES]) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, mac) = bytes.split_at_checked(PAYLOAD_BYTES)?;
        let mac: [u8; blake3::OUT_LEN] = mac.try_into().ok()?;
        // Comparing values of type `blake3::Hash` takes constant time.
        if blake3::keyed_hash(key, payload) != blake3::Hash::from_bytes(mac) {
            return None;
        }
        let (user, rest) = payload.split_first_chunk()?;
        let (browser, rest) = rest.split_first_chunk()?;
        let (ends_at, rest) = rest.split_first_chunk()?;
        Some(Self {
            user: Id::from_bytes(*user),
            browser: Browser::from_bytes(*browser),
            ends_at: Moment::from_milliseconds(i64::from_be_bytes(*ends_at)),
            password_changes: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// The accounts that signed in with a browser.
pub(in crate::actions) struct KnownDevices(Vec<Device>);

impl KnownDevices {
    /// The browser, if the account signed in with this browser after the last change of the
    /// password.
    pub(in crate::actions) fn browser_of(&self, user: &UserRecord) -> Option<Browser> {
        let fits = |device: &&Device| {
            device.user == user.id && device.password_changes == user.password_changes
        };
        self.0.iter().find(fits).map(|device| device.browser)
    }
}

impl Actions {
    /// Reads a device cookie. Without a cookie the result is empty.
    pub(in crate::actions) fn known_devices(
        &self,
        cookie: Option<&Secret>,
    ) -> Result<KnownDevices, ActionError> {
        // The key is read even without a cookie, so that it is cached from the first sign-in after
        // a start.
        let _key = self.device_key()?;
        cookie.map_or_else(|| Ok(Vec::new()), |cookie| self.devices(cookie)).map(KnownDevices)
    }

    /// The user who signed in last with this device cookie. Does not read the store: until the
    /// instance's key is cached, every browser is unknown.
    pub fn user_of_device(&self, cookie: &Secret) -> Option<UserId> {
        let key = self.device_key.0.get()?;
        devices_in(cookie, key, self.clock.now().wall).next().map(|device| device.user)
    }

    /// The device cookie for a browser in which a user has just signed in completely. The new
    /// cookie keeps the other accounts of `old`, the browser's current cookie.
    pub fn device_cookie(&self, old: Option<&Secret>, user: UserId) -> Result<Secret, ActionError> {
        let key = self.device_key()?;
        let old = old.map_or_else(|| Ok(Vec::new()), |old| self.devices(old))?;
        let known = old.iter().find(|device| device.user == user).map(|device| device.browser);
        let browser = known.unwrap_or_else(|| {
            let mut bytes = [0; 16];
            self.random().fill_bytes(&mut bytes);
            Browser::from_bytes(bytes)
        });
        let device = Device {
            user,
            browser,
            ends_at: self.clock.now().wall.after(DEVICE_LIFETIME),
            password_changes: self.own_record(user)?.record.password_changes,
        };
        let others = old.into_iter().filter(|other| other.user != user);
        let all = std::iter::once(device).chain(others).take(ACCOUNTS_A_BROWSER_MAX);
        let tokens: Vec<String> = all.map(|device| device.write(&key)).collect();
        Ok(Secret::new(tokens.join(".")))
    }

    /// The accounts of a cookie that are still valid.
    fn devices(&self, cookie: &Secret) -> Result<Vec<Device>, ActionError> {
        let (key, now) = (self.device_key()?, self.clock.now().wall);
        Ok(devices_in(cookie, &key, now).collect())
    }

    /// The instance's key, which is created on first use.
    fn device_key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, ActionError> {
        if let Some(key) = self.device_key.0.get() {
            return Ok(key.clone());
        }
        let place = StoreKey::DeviceKey;
        let stored = || self.read::<DeviceKeyRecord>(&place);
        let mut held = stored()?;
        if held.is_none() {
            self.make_device_key(&place)?;
            // The key is read again, since another process of the instance may have created it
            // first.
            held = stored()?;
        }
        let key = held.and_then(|held| held.record.bytes());
        let key = key.ok_or(ActionError::StorageUnavailable)?;
        Ok(self.device_key.0.get_or_init(|| key).clone())
    }

    fn make_device_key(&self, place: &StoreKey) -> Result<(), ActionError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.random().fill_bytes(&mut *key);
        let record = DeviceKeyRecord { key: URL_SAFE_NO_PAD.encode(*key) };
        let batch = put(Batch::new().absent(place.to_bytes()), place, &record)?;
        self.commit_upkeep(batch)?;
        Ok(())
    }
}

/// The accounts of a cookie that this instance created and that are still valid.
fn devices_in<'a>(
    cookie: &'a Secret,
    key: &'a [u8; KEY_BYTES],
    now: Moment,
) -> impl Iterator<Item = Device> + 'a {
    let tokens = cookie.reveal().split('.').take(ACCOUNTS_A_BROWSER_MAX);
    tokens.filter_map(|token| Device::read(token, key)).filter(move |device| now < device.ends_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::test_instance::TestInstance;

    fn device() -> Device {
        Device {
            user: Id::from_bytes([1; 16]),
            browser: Browser::from_bytes([2; 16]),
            ends_at: Moment::from_milliseconds(1_800_000_000_000),
            password_changes: 3,
        }
    }

    /// A new browser id at each sign-in would give a new allowance each time.
    #[test]
    fn a_browser_stays_the_same_at_each_sign_in() {
        let instance = TestInstance::new();
        let (actions, owner) = (&instance.actions, instance.owner);
        let browsers = |cookie: &Secret| {
            let devices = actions.devices(cookie).unwrap();
            devices.into_iter().map(|device| (device.user, device.browser)).collect::<Vec<_>>()
        };
        let first = actions.device_cookie(None, owner).unwrap();
        let again = actions.device_cookie(Some(&first), owner).unwrap();
        assert_eq!(browsers(&first).len(), 1);
        assert_eq!(browsers(&again), browsers(&first));
        let other = actions.device_cookie(None, owner).unwrap();
        assert_ne!(browsers(&other), browsers(&first));
    }

    #[test]
    fn a_cookie_names_each_browser_until_its_end() {
        let key = [7; KEY_BYTES];
        let (first, user) = (device(), Id::from_bytes([3; 16]));
        let later = Device { user, ends_at: first.ends_at.after(DEVICE_LIFETIME), ..first };
        let cookie = Secret::new(format!("{}.x.{}", first.write(&key), later.write(&key)));
        let known = |now: Moment| devices_in(&cookie, &key, now).collect::<Vec<_>>();
        let moment = Duration::from_millis(1);
        assert_eq!(known(first.ends_at.before(moment)), [first, later]);
        assert_eq!(known(first.ends_at), [later]);
        assert_eq!(known(later.ends_at), []);
    }

    #[test]
    fn a_token_is_known_under_its_key_alone_and_no_bit_of_it_can_be_changed() {
        let (key, other) = ([7; KEY_BYTES], [8; KEY_BYTES]);
        let token = device().write(&key);
        assert_eq!(Device::read(&token, &key), Some(device()));
        assert_eq!(Device::read(&token, &other), None);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Device::read(&URL_SAFE_NO_PAD.encode(&forged), &key), None, "{bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Device::read(&URL_SAFE_NO_PAD.encode(&bytes[..length]), &key), None);
        }
    }
}
