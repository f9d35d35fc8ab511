//! Rows of addresses and domains that are missing, and are written again from the record that has
//! the address or the domain.
//!
//! A row that two records claim is not written: a repair that chose one of them could let one user
//! sign in with the address of another.

use crate::inspection::finding::{Finding, FindingCode, Mend};
use crate::inspection::walk::Walk;
use crate::records::place::StoreKey;

impl Walk<'_> {
    /// Adds the finding of a record that claims a missing row, whose value would be `value`.
    pub(super) fn missing_row(&mut self, finding: Finding, row: &StoreKey, value: Vec<u8>) {
        *self.claims.entry(row.to_bytes()).or_default() += 1;
        self.report.add(finding.mended(Some(Mend::write(row, value))));
    }

    /// Takes the mends from rows that more than one record claims.
    pub(super) fn leave_shared_rows(&mut self) {
        for finding in &mut self.report.findings {
            let mend = finding.mend.as_ref();
            let claims = mend.and_then(|mend| self.claims.get(&mend.key)).copied();
            if claims.unwrap_or_default() < 2 {
                continue;
            }
            let is_address = finding.code == FindingCode::EmailRowMissing;
            finding.code =
                if is_address { FindingCode::EmailShared } else { FindingCode::DomainShared };
            finding.mend = None;
            finding.detail.push_str("; another record has the same one");
        }
    }
}
