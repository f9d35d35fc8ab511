//! The cached report of a key's current permissions.
//!
//! The report is cached in the grant until one of the facts that it was made from changes. `verify`
//! makes the report.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;

use crate::index::facts::{OrganizationFacts, RoleFacts, UserFacts};
use crate::model::permission::Patterns;

/// A key's current permissions as a list of patterns, if a short list is exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The key is granted all of its own list.
    Listed,
    /// The key is granted only these patterns.
    Narrowed(Patterns),
    /// No short list of patterns is exact.
    TooLong,
}

/// The facts that a report was made from, besides the key's own. A changed fact is a new value at
/// another address, so that addresses identify facts. A weak handle prevents the reuse of an
/// address.
#[derive(Debug)]
pub struct MadeOf {
    pub organization: Weak<OrganizationFacts>,
    /// The owner's facts; a service key has no owner.
    pub owner: Option<Weak<UserFacts>>,
    /// The facts of the owner's custom role.
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

/// A report with the facts that it was made from.
#[derive(Debug)]
struct CachedReport {
    made_of: MadeOf,
    report: Report,
}

/// The cache of a grant's report. The cache is empty until a report is made; a changed key has a
/// new grant.
#[derive(Debug, Default)]
pub struct ReportCell(ArcSwapOption<CachedReport>);

impl Clone for ReportCell {
    fn clone(&self) -> Self {
        Self(ArcSwapOption::new(self.0.load_full()))
    }
}

impl ReportCell {
    /// Calls `read` with the cached report. If the cached report was made from other facts, makes
    /// and caches a new report first.
    pub fn with<T>(
        &self,
        made_of: MadeOf,
        make: impl FnOnce() -> Report,
        read: impl FnOnce(&Report) -> T,
    ) -> T {
        if let Some(kept) = self.0.load().as_deref().filter(|kept| kept.made_of == made_of) {
            return read(&kept.report);
        }
        let kept = Arc::new(CachedReport { made_of, report: make() });
        self.0.store(Some(Arc::clone(&kept)));
        read(&kept.report)
    }
}
