//! Reads single settings from their texts, and collects the faults.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::config::error::SettingFault;
use crate::config::origin::Origin;
use crate::config::setting::{SETTINGS, Setting};
use crate::config::written::{Written, values};

/// The value of one setting as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedSetting {
    pub setting: &'static Setting,
    /// The text of the value. `None` if the setting has no value.
    pub value: Option<String>,
    pub origin: Origin,
}

impl UsedSetting {
    /// The values of a list.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        self.value.iter().flat_map(|text| values(text))
    }
}

/// The texts of all settings, and the faults so far.
pub(super) struct SettingsReader {
    pub(super) written: Written,
    pub(super) faults: Vec<SettingFault>,
}

impl SettingsReader {
    /// The parsed value of a setting. A value that can't be parsed is a fault, and counts as not set.
    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        self.parse_with(key, str::parse)
    }

    /// The value of a setting by a parser.
    pub(super) fn parse_with<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = &self.written.get(key)?.text;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let detail = format!("{:?} {error}", without_password(text));
                self.fault(key, &detail);
                None
            },
        }
    }

    pub(super) fn switch(&mut self, key: &str) -> bool {
        let parse = |text: &str| text.parse::<bool>().map_err(|_source| "must be true or false");
        self.parse_with(key, parse).unwrap_or_default()
    }

    /// Adds a fault of a setting, with the origin of its value.
    pub(super) fn fault(&mut self, key: &str, detail: &str) {
        let name = Setting::of_key(key).and_then(Setting::flag_name);
        let name = name.unwrap_or_else(|| key.to_owned());
        let origin = self.written.get(key).map_or(Origin::Default, |value| value.origin.clone());
        self.faults.push(SettingFault { name, origin, detail: detail.to_owned() });
    }

    /// Records the default of a setting that is not written.
    pub(super) fn derive(&mut self, key: &'static str, value: &impl Display) {
        if self.written.get(key).is_none() {
            self.written.set(key, value.to_string(), Origin::Default);
        }
    }

    pub(super) fn used(&self) -> Vec<UsedSetting> {
        let used = |setting: &'static Setting| {
            let value = self.written.get(setting.key).cloned();
            let (value, origin) = value.map(|it| (it.text, it.origin)).unzip();
            UsedSetting { setting, value, origin: origin.unwrap_or(Origin::Default) }
        };
        SETTINGS.iter().map(used).collect()
    }
}

/// The text for an error: without the user and the password of a URL, also of one without a scheme.
fn without_password(text: &str) -> Cow<'_, str> {
    if let Some((before, _secret)) = text.split_once("password=") {
        return format!("{before}password=(withheld)").into();
    }
    let Some((before, host)) = text.rsplit_once('@') else { return text.into() };
    match before.split_once("://") {
        Some((scheme, _secret)) => format!("{scheme}://(withheld)@{host}").into(),
        None if before.contains(':') => format!("(withheld)@{host}").into(),
        None => text.into(),
    }
}

pub(super) fn parse_span(text: &str) -> Result<Duration, &'static str> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let span = parsed.and_then(|span| Duration::try_from(span).ok());
    span.ok_or("must be a duration such as 30m or 8h")
}
