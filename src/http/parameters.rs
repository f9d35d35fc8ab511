//! Reads the parameters of a query, each at most once, each known, with every fault reported at once.

use std::fmt;

use crate::http::problem::Problem;
use crate::model::fault::Fault;
use crate::model::id::OrganizationId;

/// The parameter by which the operator on the host names an organization.
const ORGANIZATION: &str = "organization";

/// The parameters of a query, each at most once, each known.
#[derive(Debug)]
pub(super) struct Parameters {
    left: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Parameters {
    /// Parses what follows the `?`.
    pub(super) fn parse(raw_url: &str) -> Self {
        let query = raw_url.split_once('?').map_or("", |(_, query)| query);
        let left: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut faults = Vec::new();
        for (at, (name, _)) in left.iter().enumerate() {
            if left.iter().take(at).any(|(earlier, _)| earlier == name) {
                faults.push(Fault::new(format!("?{name}"), "doubled", "must be given once"));
            }
        }
        Self { left, faults }
    }

    /// The organization that the operator on the host acts in, where the query names one.
    pub(super) fn organization(raw_url: &str) -> Result<Option<OrganizationId>, Problem> {
        let mut parameters = Self::parse(raw_url);
        let id = parameters.optional(ORGANIZATION, "invalid_id", str::parse);
        let wrong = parameters.faults.into_iter().filter(|fault| fault.pointer == "?organization");
        let wrong: Vec<_> = wrong.collect();
        if wrong.is_empty() { Ok(id) } else { Err(Problem::invalid(wrong)) }
    }

    /// Leaves the organization to [`Parameters::organization`], for callers who may name one.
    pub(super) fn without_organization(mut self) -> Self {
        self.left.retain(|(name, _)| name != ORGANIZATION);
        self
    }

    /// Notes a fault of a parameter that has none yet.
    pub(super) fn fault(&mut self, name: &str, code: &'static str, detail: &str) {
        let pointer = format!("?{name}");
        if !self.faults.iter().any(|fault| fault.pointer == pointer) {
            self.faults.push(Fault::new(pointer, code, detail));
        }
    }

    /// Takes a parameter and reads it.
    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        code: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let (_, text) = self.left.swap_remove(at);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(Fault::new(format!("?{name}"), code, error));
                None
            },
        }
    }

    /// Ends the reading: what is left was not known.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.left {
            let pointer = format!("?{name}");
            if !self.faults.iter().any(|fault| fault.pointer == pointer) {
                self.faults.push(Fault::new(pointer, "unknown_parameter", "is not known here"));
            }
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }
}
