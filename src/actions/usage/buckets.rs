//! The calls of a span by hour or day: the sum, and the calls through each gate.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::actions::usage::span::UsageSpan;
use crate::model::calendar::Hour;
use crate::records::usage::{CallCounts, OTHER_GATES};

/// Maximum number of gates of a result, besides [`OTHER_GATES`].
pub const GATES_LISTED_MAX: usize = 20;

/// Hours or days with calls, by their first hour.
pub type Buckets = BTreeMap<Hour, CallCounts>;

/// The calls of a span.
#[derive(Debug)]
pub(super) struct SpanCalls {
    span: UsageSpan,
    pub(super) all: Buckets,
    /// The calls through gates, which are among all calls, by gate.
    gates: BTreeMap<Box<str>, Buckets>,
}

/// The calls through a gate.
#[derive(Debug)]
pub struct GateUse {
    /// The name of the gate, or [`OTHER_GATES`].
    pub gate: Box<str>,
    pub buckets: Buckets,
}

impl SpanCalls {
    pub(super) const fn new(span: UsageSpan) -> Self {
        Self { span, all: Buckets::new(), gates: BTreeMap::new() }
    }

    /// Adds calls if their hour is in the span.
    pub(super) fn add(&mut self, hour: Hour, counts: &CallCounts) {
        if self.span.takes(hour) {
            self.all.entry(self.span.interval.bucket(hour)).or_default().add(counts);
        }
    }

    /// Adds calls to those of a gate, and not to the sum.
    pub(super) fn add_of_gate(&mut self, gate: &str, hour: Hour, counts: &CallCounts) {
        if self.span.takes(hour) {
            let bucket = self.span.interval.bucket(hour);
            self.gates.entry(gate.into()).or_default().entry(bucket).or_default().add(counts);
        }
    }

    /// Subtracts calls that are among these.
    pub(super) fn take_away(&mut self, others: &Self) {
        for (bucket, counts) in &others.all {
            self.all.entry(*bucket).or_default().take_away(counts);
        }
        for (gate, buckets) in &others.gates {
            for (bucket, counts) in buckets {
                let of_gate = self.gates.entry(gate.clone()).or_default();
                let own = of_gate.entry(*bucket).or_default();
                // What is more than the gate's calls is among those of further gates: the row of the
                // organization names other gates than the row of a key.
                let mut rest = *counts;
                rest.take_away(own);
                own.take_away(counts);
                let of_others = self.gates.entry(OTHER_GATES.into()).or_default();
                of_others.entry(*bucket).or_default().take_away(&rest);
            }
        }
    }

    /// The hours or days with calls, and the gates with calls: the gate with the most calls first, and
    /// the sum of further gates, and of those whose names are hidden, last.
    pub(super) fn into_parts(mut self, is_seen: impl Fn(&str) -> bool) -> (Buckets, Vec<GateUse>) {
        self.all.retain(|_, counts| counts.calls() > 0);
        let of_gate = |(gate, buckets)| GateUse { gate, buckets };
        let of_gates = self.gates.into_iter().map(of_gate);
        let is_named = |of: &GateUse| *of.gate != *OTHER_GATES && is_seen(&of.gate);
        let (mut gates, mut hidden): (Vec<_>, Vec<_>) = of_gates.partition(is_named);
        gates.sort_by_key(|of| Reverse(of.calls()));
        hidden.extend(gates.split_off(gates.len().min(GATES_LISTED_MAX)));
        let mut others = Buckets::new();
        for (bucket, counts) in hidden.into_iter().flat_map(|of| of.buckets) {
            others.entry(bucket).or_default().add(&counts);
        }
        gates.push(GateUse { gate: OTHER_GATES.into(), buckets: others });
        for of in &mut gates {
            of.buckets.retain(|_, counts| counts.calls() > 0);
        }
        gates.retain(|of| !of.buckets.is_empty());
        (self.all, gates)
    }
}

impl GateUse {
    fn calls(&self) -> u64 {
        self.buckets.values().fold(0, |sum, counts| sum.saturating_add(counts.calls()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actions::test_instance::TestInstance;
    use crate::actions::usage::{Interval, UsageQuery};
    use crate::index::CallOrigin;
    use crate::model::code::Code;
    use crate::model::gate::GateNumber;
    use crate::records::key::KeyRecord;
    use crate::worker::Halt;

    /// Calls a key through the gate at a position of the list of names: the gate `default` is the first.
    fn call(instance: &TestInstance, key: &KeyRecord, gate: GateNumber, code: Code) {
        let grant = instance.actions.index().grant(&key.secrets[0].digest).unwrap();
        let origin = CallOrigin { gate, ..CallOrigin::default() };
        instance.actions.index().note_call(&grant, code, instance.clock_now().wall, origin);
    }

    /// The calls through each gate, and of each hour or day of them.
    fn by_gate(
        instance: &TestInstance,
        key: Option<&KeyRecord>,
        interval: Interval,
    ) -> Vec<(String, Vec<u64>)> {
        let query = UsageQuery { key: key.map(|key| key.id), interval, ..UsageQuery::default() };
        let usage = instance.actions.usage(&instance.owner(), &query).unwrap();
        let calls = |of: &GateUse| of.buckets.values().map(CallCounts::calls).collect();
        usage.gates.iter().map(|of| (of.gate.to_string(), calls(of))).collect()
    }

    #[test]
    fn calls_through_gates_are_counted_for_the_key_and_the_organization_until_days_are_removed() {
        let mut instance = TestInstance::new();
        let [one, other] = [(); 2].map(|()| instance.made_key());
        let (default, further) = (GateNumber::at(0), GateNumber::OTHER);
        let of = |gate: &str, calls: &[u64]| (gate.to_owned(), calls.to_vec());
        call(&instance, &one, GateNumber::NONE, Code::Valid);
        assert_eq!(by_gate(&instance, Some(&one), Interval::Hour), [], "it had no gate");
        call(&instance, &one, default, Code::Valid);
        call(&instance, &one, default, Code::Expired);
        call(&instance, &other, further, Code::Valid);
        let all = [of("default", &[2]), of("*", &[1])];
        for interval in [Interval::Hour, Interval::Day] {
            assert_eq!(by_gate(&instance, Some(&one), interval), all[..1]);
            assert_eq!(by_gate(&instance, None, interval), all);
        }
        instance.write_uses();
        assert_eq!(by_gate(&instance, None, Interval::Hour), all, "stored");
        instance.restart();
        instance.clock.advance(Duration::from_hours(1));
        call(&instance, &one, default, Code::Valid);
        let later = [of("default", &[2, 1]), of("*", &[1])];
        assert_eq!(by_gate(&instance, None, Interval::Hour), later, "stored and waiting");
        instance.restart();
        instance.clock.advance(Duration::from_hours(8 * 24));
        instance.actions.thin_usage(&Halt::default()).unwrap();
        assert_eq!(by_gate(&instance, Some(&one), Interval::Day), [of("default", &[3])]);
        assert_eq!(by_gate(&instance, None, Interval::Day), [of("default", &[3]), of("*", &[1])]);
        assert_eq!(by_gate(&instance, None, Interval::Hour), []);
    }

    #[test]
    fn the_gates_with_the_most_calls_are_listed_and_the_others_are_added() {
        let span = UsageSpan::of(&UsageQuery::default(), "2027-01-15T08:00:00Z".parse().unwrap());
        let mut calls = SpanCalls::new(span);
        for number in 1..=u64::try_from(GATES_LISTED_MAX).unwrap() + 2 {
            calls.add_of_gate(
                &format!("gate-{number}"),
                span.from,
                &CallCounts::of(Code::Valid, number),
            );
        }
        calls.add_of_gate(OTHER_GATES, span.from, &CallCounts::of(Code::Valid, 1_000));
        let (_, gates) = calls.into_parts(|gate| gate != "gate-1");
        assert_eq!(gates.len(), GATES_LISTED_MAX + 1);
        assert_eq!((&*gates[0].gate, gates[0].calls()), ("gate-22", 22));
        let last = gates.last().unwrap();
        assert_eq!(
            (&*last.gate, last.calls()),
            (OTHER_GATES, 1_003),
            "those of gate-1 and gate-2 too"
        );
    }

    /// The organization's row has the calls of a key under `*` if it names other gates than the key's row.
    #[test]
    fn calls_that_are_taken_away_leave_none_among_further_gates() {
        let now = TestInstance::new().clock_now().wall;
        let span = UsageSpan::of(&UsageQuery::default(), now);
        let (mut all, mut concealed) = (SpanCalls::new(span), SpanCalls::new(span));
        let hour = Hour::of(now);
        all.add_of_gate(OTHER_GATES, hour, &CallCounts::of(Code::Valid, 5));
        all.add_of_gate("orders", hour, &CallCounts::of(Code::Valid, 1));
        concealed.add_of_gate("orders", hour, &CallCounts::of(Code::Valid, 4));
        all.take_away(&concealed);
        let left: u64 = all.gates.values().flat_map(|of| of.values()).map(CallCounts::calls).sum();
        assert_eq!(left, 2);
    }
}
