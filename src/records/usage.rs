//! The records of key usage: by hour for recent days, by day for older days.
//!
//! A row covers one day, and its row key begins with the day, so that the oldest rows come first.
//! The usage of a day is the sum of its hourly row and its daily row, because counts move from the
//! hourly row to the daily row.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::calendar::Hour;
use crate::model::code::Code;
use crate::records::codec::Record;

/// Maximum number of gates in a row. The calls through further gates are added under [`OTHER_GATES`].
pub const GATES_A_DAY_MAX: usize = 32;
/// The name under which calls through several gates are added. No gate has this name.
pub const OTHER_GATES: &str = "*";

/// Number of calls by outcome. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts([u64; Code::COUNTED.len()]);

impl CallCounts {
    /// Returns counts with `calls` calls of one outcome, or empty counts if the outcome is not
    /// counted.
    pub fn of(code: Code, calls: u64) -> Self {
        let mut counts = Self::default();
        if let Some(count) = code.counted().and_then(|place| counts.0.get_mut(place)) {
            *count = calls;
        }
        counts
    }

    pub fn add(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_add(other);
        }
    }

    /// Subtracts other counts. Results saturate at zero.
    pub fn take_away(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_sub(other);
        }
    }

    pub fn calls(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the outcomes that occurred, each with its number of calls.
    pub fn each(&self) -> impl Iterator<Item = (Code, u64)> {
        Code::COUNTED.into_iter().zip(self.0).filter(|(_, calls)| *calls > 0)
    }
}

impl Serialize for CallCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.each().map(|(code, calls)| (code.as_str(), calls)))
    }
}

impl<'de> Deserialize<'de> for CallCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (name, calls) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            let code: Code = name.parse().map_err(D::Error::custom)?;
            counts.add(&Self::of(code, calls));
        }
        Ok(counts)
    }
}

/// The hours of a day that had calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursRecord {
    /// The counts by hour of the day, 0 to 23.
    #[serde(rename = "h")]
    pub hours: BTreeMap<u8, CallCounts>,
    /// Of these, the counts of calls through gates, by gate and hour of the day.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<Box<str>, BTreeMap<u8, CallCounts>>,
}

impl HoursRecord {
    pub fn add(&mut self, hour: Hour, counts: &CallCounts) {
        self.hours.entry(hour.of_day()).or_default().add(counts);
    }

    /// Adds counts to those of a gate, and not to the sum.
    pub fn add_of_gate(&mut self, gate: &str, hour: Hour, counts: &CallCounts) {
        entry_of(&mut self.gates, gate).entry(hour.of_day()).or_default().add(counts);
    }

    /// Adds another part of the same day.
    pub fn add_all(&mut self, others: &Self) {
        add_hours(&mut self.hours, &others.hours);
        for (gate, hours) in &others.gates {
            add_hours(entry_of(&mut self.gates, gate), hours);
        }
    }

    pub fn sum(&self) -> CallCounts {
        self.hours.values().fold(CallCounts::default(), |mut sum, counts| {
            sum.add(counts);
            sum
        })
    }
}

impl Record for HoursRecord {}

/// The usage of a day whose hours were removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayRecord {
    /// All calls of the day.
    #[serde(rename = "c")]
    pub counts: CallCounts,
    /// Of these, the calls through gates, by gate.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<Box<str>, CallCounts>,
}

impl DayRecord {
    /// Adds hours of the day.
    pub fn add(&mut self, hours: &HoursRecord) {
        self.counts.add(&hours.sum());
        for (gate, hours) in &hours.gates {
            let sum = entry_of(&mut self.gates, gate);
            for counts in hours.values() {
                sum.add(counts);
            }
        }
    }
}

impl Record for DayRecord {}

fn add_hours(hours: &mut BTreeMap<u8, CallCounts>, others: &BTreeMap<u8, CallCounts>) {
    for (hour, counts) in others {
        hours.entry(*hour).or_default().add(counts);
    }
}

/// The entry of a gate, or that of [`OTHER_GATES`] if there are [`GATES_A_DAY_MAX`] other gates.
fn entry_of<'a, T: Default>(gates: &'a mut BTreeMap<Box<str>, T>, gate: &str) -> &'a mut T {
    let named = gates.len() - usize::from(gates.contains_key(OTHER_GATES));
    let is_full = named >= GATES_A_DAY_MAX && !gates.contains_key(gate);
    gates.entry(if is_full { OTHER_GATES } else { gate }.into()).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calendar::Day;
    use crate::model::id::Id;
    use crate::records::codec::{decode, encode};
    use crate::records::place::{StoreKey, UsageOf};

    #[test]
    fn days_are_written_by_names_and_read_for_ever() {
        let of = UsageOf { organization: Id::default(), key: None };
        let place = StoreKey::UsageHours(Day::from_number(9), of);
        let mut record = HoursRecord::default();
        record.add(Hour::from_number(9 * 24 + 13), &CallCounts::of(Code::Valid, 12));
        record.add(Hour::from_number(9 * 24 + 13), &CallCounts::of(Code::RateLimited, 3));
        record.add(Hour::from_number(9 * 24 + 13), &CallCounts::of(Code::NotFound, 3));
        let bytes = encode(&place, &record).unwrap();
        assert_eq!(&bytes[1..], br#"{"h":{"13":{"RATE_LIMITED":3,"VALID":12}}}"#);
        assert_eq!(decode::<HoursRecord>(&place, &bytes).unwrap(), record);
        assert_eq!(record.sum().calls(), 15);
        let mut day = DayRecord::default();
        day.add(&record);
        let bytes = encode(&place, &day).unwrap();
        assert_eq!(&bytes[1..], br#"{"c":{"RATE_LIMITED":3,"VALID":12}}"#);
        assert_eq!(decode::<DayRecord>(&place, &bytes).unwrap(), day);
        assert!(decode::<DayRecord>(&place, b"\x01{\"c\":{\"SOME\":1}}").is_err());
    }

    #[test]
    fn calls_through_gates_are_written_beside_the_sum() {
        let of = UsageOf { organization: Id::default(), key: None };
        let place = StoreKey::UsageHours(Day::from_number(9), of);
        let valid = CallCounts::of(Code::Valid, 3);
        let mut record = HoursRecord::default();
        for hour in [13, 14] {
            let hour = Hour::from_number(9 * 24 + hour);
            record.add(hour, &valid);
            record.add_of_gate("orders", hour, &valid);
        }
        let bytes = encode(&place, &record).unwrap();
        let written = br#"{"h":{"13":{"VALID":3},"14":{"VALID":3}},"g":{"orders":{"13":{"VALID":3},"14":{"VALID":3}}}}"#;
        assert_eq!(&bytes[1..], written);
        assert_eq!(decode::<HoursRecord>(&place, &bytes).unwrap(), record);
        let mut day = DayRecord::default();
        day.add(&record);
        let bytes = encode(&place, &day).unwrap();
        assert_eq!(&bytes[1..], br#"{"c":{"VALID":6},"g":{"orders":{"VALID":6}}}"#);
        assert_eq!(decode::<DayRecord>(&place, &bytes).unwrap(), day);
    }

    #[test]
    fn a_row_has_a_bounded_number_of_gates() {
        let mut record = HoursRecord::default();
        let valid = CallCounts::of(Code::Valid, 1);
        for number in 0..GATES_A_DAY_MAX + 3 {
            record.add_of_gate(&format!("gate-{number}"), Hour::from_number(3), &valid);
        }
        let mut doubled = record.clone();
        doubled.add_all(&record);
        let mut day = DayRecord::default();
        day.add(&doubled);
        assert_eq!(
            (record.gates.len(), day.gates.len()),
            (GATES_A_DAY_MAX + 1, GATES_A_DAY_MAX + 1)
        );
        assert_eq!((day.gates["gate-0"].calls(), day.gates[OTHER_GATES].calls()), (2, 6));
    }
}
