//! Finds the lower bound of a descending scan.
//!
//! etcd reads and sorts the whole range of a descending request: 190 ms for one row of 100,000. Counting
//! takes 12 ms, so a scan first halves the range until it holds little more than the page.

/// The search for a lower bound from which the range has at least `needed` rows.
#[derive(Debug)]
pub(crate) struct Bisection {
    /// From here, the range has at least `needed` rows.
    low: Vec<u8>,
    /// From here, the range has fewer rows.
    high: Vec<u8>,
    needed: usize,
    enough: usize,
    steps_left: usize,
}

/// Rows that etcd may sort without a search.
pub(crate) const SORTED_ROWS_MAX: usize = 2_000;
/// Maximum number of counts in one search.
const STEPS_MAX: usize = 40;

impl Bisection {
    /// A search between the bounds of a range that has more than [`SORTED_ROWS_MAX`] rows.
    pub(crate) fn new(start: Vec<u8>, end: Vec<u8>, needed: usize) -> Self {
        let enough = SORTED_ROWS_MAX.max(needed.saturating_mul(2));
        Self { low: start, high: end, needed, enough, steps_left: STEPS_MAX }
    }

    /// The next lower bound whose rows must be counted, or `None` when the search is over.
    pub(crate) fn probe(&mut self) -> Option<Vec<u8>> {
        self.steps_left = self.steps_left.checked_sub(1)?;
        middle(&self.low, &self.high)
    }

    /// Takes the number of rows from a probe to the end of the range.
    pub(crate) fn counted(&mut self, probe: Vec<u8>, rows: usize) {
        if rows < self.needed {
            self.high = probe;
            return;
        }
        self.low = probe;
        if rows <= self.enough {
            self.steps_left = 0;
        }
    }

    pub(crate) fn into_bound(self) -> Vec<u8> {
        self.low
    }
}

/// A key about half way between two keys, or `None` if there is none.
fn middle(low: &[u8], high: &[u8]) -> Option<Vec<u8>> {
    let length = low.len().max(high.len()) + 1;
    let digit = |key: &[u8], index: usize| u16::from(key.get(index).copied().unwrap_or(0));
    // The sum of both keys as fractions with base 256, from the last digit to the first.
    let mut sum = vec![0; length];
    let mut carry = 0;
    for index in (0..length).rev() {
        let digits = digit(low, index) + digit(high, index) + carry;
        carry = digits >> 8;
        if let Some(place) = sum.get_mut(index) {
            *place = digits & 0xff;
        }
    }
    let mut half = Vec::with_capacity(length);
    for digits in sum {
        let with_carry = (carry << 8) | digits;
        half.push(u8::try_from(with_carry >> 1).unwrap_or(u8::MAX));
        carry = with_carry & 1;
    }
    while half.last() == Some(&0) {
        half.pop();
    }
    (half.as_slice() > low && half.as_slice() < high).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_is_between_two_keys() {
        for (low, high, expected) in [
            (&b"a"[..], &b"c"[..], Some(&b"b"[..])),
            (b"a", b"b", Some(b"a\x80")),
            (b"\x00", b"\xff\xff", Some(b"\x7f\xff\x80")),
            (b"a\xff", b"b", Some(b"a\xff\x80")),
            (b"a", b"a\x00", None),
            (b"a", b"a", None),
        ] {
            assert_eq!(middle(low, high).as_deref(), expected);
        }
    }

    #[test]
    fn a_page_is_found_in_few_counts() {
        let keys: Vec<Vec<u8>> = (0..100_000_u32).map(|it| it.to_be_bytes().to_vec()).collect();
        for needed in [1, 100, 10_000] {
            let mut bisection = Bisection::new(vec![0], vec![255; 5], needed);
            let mut counts = 0;
            while let Some(probe) = bisection.probe() {
                let rows = keys.iter().filter(|key| **key >= probe).count();
                bisection.counted(probe, rows);
                counts += 1;
            }
            let bound = bisection.into_bound();
            let rows = keys.iter().filter(|key| **key >= bound).count();
            assert!((needed..=SORTED_ROWS_MAX.max(2 * needed)).contains(&rows), "{rows}");
            assert!(counts <= STEPS_MAX, "{counts}");
        }
    }
}
