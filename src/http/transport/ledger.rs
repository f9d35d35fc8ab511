//! The amounts of a shared resource that its payers hold.

use std::collections::HashMap;

use super::caller::{Claim, Claims, Payer};

/// The accounts of one shared resource. A payer that holds nothing has no entry.
#[derive(Debug)]
pub(super) struct Ledger {
    whole: usize,
    used: usize,
    held: HashMap<Payer, usize>,
}

impl Ledger {
    pub(super) fn new(whole: usize) -> Self {
        Self { whole, used: 0, held: HashMap::new() }
    }

    /// The total amount of the resource.
    pub(super) fn whole(&self) -> usize {
        self.whole
    }

    /// Changes the total amount. Payers keep what they hold.
    pub(super) fn set_whole(&mut self, whole: usize) {
        self.whole = whole;
    }

    /// The amount that one payer holds.
    pub(super) fn held(&self, payer: Payer) -> usize {
        looks::count();
        self.held.get(&payer).copied().unwrap_or_default()
    }

    /// Whether one more unit is free, and within the claims of each payer.
    pub(super) fn fits(&self, claims: &Claims) -> bool {
        self.fits_beside(claims, 0, 1)
    }

    /// Takes one unit on the account of each payer. Returns false, and takes nothing, if it does
    /// not fit.
    pub(super) fn take(&mut self, claims: &Claims) -> bool {
        self.grow(claims, 0, 1)
    }

    /// Takes `amount` more for a request that already holds `own`. Returns false, and takes
    /// nothing, if it does not fit. A caller that holds at most `own` is a newcomer.
    pub(super) fn grow(&mut self, claims: &Claims, own: usize, amount: usize) -> bool {
        let fits = self.fits_beside(claims, own, amount);
        if fits {
            self.add(claims, amount);
        }
        fits
    }

    fn fits_beside(&self, claims: &Claims, own: usize, amount: usize) -> bool {
        let [caller, ..] = claims;
        let is_newcomer = caller.is_none_or(|caller| self.held(caller.payer) <= own);
        let within = |claim: &Claim| {
            let most = if is_newcomer { claim.most } else { claim.freely };
            self.held(claim.payer).saturating_add(amount) <= most
        };
        self.used.saturating_add(amount) <= self.whole && claims.iter().flatten().all(within)
    }

    /// Takes `amount` without testing whether it fits.
    pub(super) fn add(&mut self, claims: &Claims, amount: usize) {
        self.used += amount;
        for Claim { payer, .. } in claims.iter().flatten() {
            *self.held.entry(*payer).or_default() += amount;
        }
    }

    /// Returns `amount` to the resource.
    pub(super) fn give_back(&mut self, claims: &Claims, amount: usize) {
        self.used = self.used.saturating_sub(amount);
        for Claim { payer, .. } in claims.iter().flatten() {
            let left = self.held(*payer).saturating_sub(amount);
            if left == 0 {
                self.held.remove(payer);
            } else {
                self.held.insert(*payer, left);
            }
        }
    }
}

/// Counts look-ups of payers on this thread, for tests that limit the work of a turn.
#[cfg(test)]
pub(super) mod looks {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        COUNT.set(COUNT.get() + 1);
    }

    /// Returns how many look-ups `work` made.
    pub(in crate::http::transport) fn of(work: impl FnOnce()) -> usize {
        let before = COUNT.get();
        work();
        COUNT.get() - before
    }
}

#[cfg(not(test))]
mod looks {
    pub(super) const fn count() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_payer_keeps_to_its_share_and_what_is_given_back_is_there_again() {
        let organization = Claim { payer: Payer::Organization([9; 16]), freely: 3, most: 5 };
        let claims = |id: u8| {
            let actor = Claim { payer: Payer::Actor([id; 16]), freely: 2, most: 2 };
            [Some(actor), Some(organization), None]
        };
        let mut ledger = Ledger::new(6);
        assert!(ledger.grow(&claims(1), 0, 2));
        assert!(!ledger.take(&claims(1)), "over the actor's share");
        assert!(ledger.take(&claims(2)));
        assert!(!ledger.take(&claims(2)), "over what the organization draws freely");
        assert!(ledger.take(&claims(3)), "it holds nothing");
        assert!(!ledger.take(&claims(3)), "it holds something");
        assert!(ledger.grow(&claims(3), 1, 1), "it holds nothing else");
        assert!(!ledger.take(&claims(4)), "over the organization's share");
        assert!(ledger.take(&[None; 3]));
        assert!(!ledger.take(&[None; 3]), "over the whole");
        ledger.give_back(&claims(1), 2);
        assert!(ledger.grow(&claims(4), 0, 2));
        for (id, amount) in [(4, 2), (3, 2), (2, 1)] {
            ledger.give_back(&claims(id), amount);
        }
        assert!(ledger.held.is_empty(), "{ledger:?}");
    }
}
