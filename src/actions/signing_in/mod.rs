//! How users sign in: passwords, second factors, sessions, one-time links, and limits on guesses.

pub mod account;
pub(in crate::actions) mod device_key;
pub mod devices;
pub mod failed_sign_in_events;
pub mod failed_sign_ins;
pub mod lockouts;
pub(in crate::actions) mod new_password;
pub mod notices;
pub mod passwords;
pub mod proof;
pub mod resets;
pub mod second_factor;
pub mod session_user;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod sign_in_counts;
pub mod throttle;
pub mod totp;
pub mod user_sessions;
