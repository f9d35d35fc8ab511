//! The report of what a key is granted today, kept beside its grant until what it was made of
//! changes. The index keeps it; `verify` makes it.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;

use crate::index::facts::{OrganizationFacts, RoleFacts, UserFacts};
use crate::model::permission::Patterns;

/// What a key is granted today, as far as it can be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// All that it lists.
    Listed,
    /// This part of it.
    Narrowed(Patterns),
    /// What no short list of patterns says.
    TooLong,
}

/// The facts that a report is made of, beside the key's own. Each change of a fact is a new value
/// elsewhere in memory, so the addresses identify them; a weak handle keeps its address from being
/// used again.
#[derive(Debug)]
pub struct MadeOf {
    /// The organization's.
    pub organization: Weak<OrganizationFacts>,
    /// The owner's; a service key has no owner.
    pub owner: Option<Weak<UserFacts>>,
    /// The owner's custom role's.
    pub role: Option<Weak<RoleFacts>>,
}

impl PartialEq for MadeOf {
    fn eq(&self, other: &Self) -> bool {
        fn same<T>(one: Option<&Weak<T>>, other: Option<&Weak<T>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => one.ptr_eq(other),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
        }
        self.organization.ptr_eq(&other.organization)
            && same(self.owner.as_ref(), other.owner.as_ref())
            && same(self.role.as_ref(), other.role.as_ref())
    }
}

/// A report with what it was made of.
#[derive(Debug)]
struct Kept {
    made_of: MadeOf,
    report: Report,
}

/// Where a grant keeps its report. Empty until one is made; a changed key has a new grant.
#[derive(Debug, Default)]
pub struct ReportCell(ArcSwapOption<Kept>);

impl Clone for ReportCell {
    fn clone(&self) -> Self {
        Self(ArcSwapOption::new(self.0.load_full()))
    }
}

impl ReportCell {
    /// Hands the report to `read`: the one kept, or where that was made of other facts a new one,
    /// which is kept.
    pub fn with<T>(
        &self,
        made_of: MadeOf,
        make: impl FnOnce() -> Report,
        read: impl FnOnce(&Report) -> T,
    ) -> T {
        if let Some(kept) = self.0.load().as_deref().filter(|kept| kept.made_of == made_of) {
            return read(&kept.report);
        }
        let kept = Arc::new(Kept { made_of, report: make() });
        self.0.store(Some(Arc::clone(&kept)));
        read(&kept.report)
    }
}
