//! Values that many keys of a list have in common, such as owners. Each value is stored once and has a
//! number; a key has the number.

use std::collections::HashMap;
use std::hash::Hash;

/// The number of a key that has no value.
pub(super) const NONE: u32 = u32::MAX;

/// The values by their numbers. When the last key with a value is gone, the number becomes free, and
/// another value gets it later. The generation of a number changes with its value.
#[derive(Debug)]
pub struct Slots<T> {
    places: Vec<Slot<T>>,
    numbers: HashMap<T, u32>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    /// `None` while no key has the number.
    value: Option<T>,
    keys: u32,
    generation: u32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), numbers: HashMap::new(), free: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Slots<T> {
    /// Counts one more key with a value. Returns the value's number, and whether the value is new. The
    /// number is [`NONE`] without a value.
    pub(super) fn take(&mut self, value: Option<T>) -> (u32, bool) {
        let Some(value) = value else { return (NONE, false) };
        if let Some(number) = self.numbers.get(&value).copied()
            && let Some(slot) = self.slot_mut(number)
        {
            slot.keys = slot.keys.saturating_add(1);
            return (number, false);
        }
        let Some(number) = self.place(value.clone()) else { return (NONE, false) };
        self.numbers.insert(value, number);
        (number, true)
    }

    /// Counts one key less with the value of this number. Returns the value if that was the last key.
    pub(super) fn release(&mut self, number: u32) -> Option<T> {
        let slot = self.slot_mut(number)?;
        slot.keys = slot.keys.saturating_sub(1);
        if slot.keys > 0 {
            return None;
        }
        let value = slot.value.take()?;
        self.numbers.remove(&value);
        self.free.push(number);
        Some(value)
    }

    /// Stores a new value, and returns its number. `None` if all numbers are in use.
    fn place(&mut self, value: T) -> Option<u32> {
        if let Some(number) = self.free.pop() {
            let slot = self.slot_mut(number)?;
            let generation = slot.generation.wrapping_add(1);
            *slot = Slot { value: Some(value), keys: 1, generation };
            return Some(number);
        }
        let number = u32::try_from(self.places.len()).ok().filter(|number| *number != NONE)?;
        self.places.push(Slot { value: Some(value), keys: 1, generation: 0 });
        Some(number)
    }

    fn slot(&self, number: u32) -> Option<&Slot<T>> {
        self.places.get(usize::try_from(number).ok()?)
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot<T>> {
        self.places.get_mut(usize::try_from(number).ok()?)
    }
}

/// The results of a function of each value, by the number of the value. Each result is computed once, and
/// again only if the number has got another value.
#[derive(Debug)]
pub struct SlotMemo<R>(Vec<Option<(u32, R)>>);

impl<R> Default for SlotMemo<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R: Copy> SlotMemo<R> {
    /// The result of `judge` for the value of this number. `None` if the number has no value.
    pub fn of<T: Clone + Eq + Hash>(
        &mut self,
        slots: &Slots<T>,
        number: u32,
        judge: impl FnOnce(&T) -> R,
    ) -> Option<R> {
        let slot = slots.slot(number)?;
        let at = usize::try_from(number).ok()?;
        if let Some(Some((generation, known))) = self.0.get(at)
            && *generation == slot.generation
        {
            return Some(*known);
        }
        if self.0.len() <= at {
            self.0.resize(slots.places.len().max(at + 1), None);
        }
        let judged = judge(slot.value.as_ref()?);
        if let Some(place) = self.0.get_mut(at) {
            *place = Some((slot.generation, judged));
        }
        Some(judged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_number_while_keys_have_it_and_numbers_are_used_again() {
        let mut slots = Slots::default();
        let mut memo = SlotMemo::default();
        let mut said = |slots: &Slots<&'static str>, number| memo.of(slots, number, |it| it.len());
        let ((one, is_new), (three, _)) = (slots.take(Some("a")), slots.take(Some("abc")));
        assert!(is_new && one != three);
        assert_eq!(slots.take(Some("a")), (one, false));
        assert_eq!((said(&slots, one), said(&slots, three)), (Some(1), Some(3)));
        assert_eq!(slots.release(one), None, "one key still has `a`");
        assert_eq!(slots.take(Some("ab")), (2, true));
        assert_eq!(slots.release(one), Some("a"));
        assert_eq!(slots.take(Some("abcd")), (one, true), "no key has `a`");
        assert_eq!(said(&slots, one), Some(4), "the number has another value");
        assert_eq!((slots.take(None), said(&slots, NONE)), ((NONE, false), None));
    }
}
