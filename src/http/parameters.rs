//! Reads the parameters of a query or a form.
//!
//! Unknown and repeated parameters are faults. Every fault is reported at once.

use crate::http::problem::Problem;
use crate::http::reading::{ReadText, id};
use crate::http::schema;
use crate::http::view::Schemas;
use crate::model::fault::{Fault, FaultCode};
use crate::model::id::OrganizationId;

/// The parameter with which the local operator selects an organization.
const ORGANIZATION: &str = "organization";

/// Prefix of a parameter's name in a fault's pointer: in a query, and in a form.
const OF_QUERY: char = '?';
const OF_FORM: char = '/';

/// Maximum number of parameters of a request. No route has as many parameters. The limit bounds the
/// search for repeated parameters, which compares each with all others.
const PARAMETERS_MAX: usize = 64;

/// The parameters of a query or a form. Parameters may contain secrets, so `Debug` does not print
/// them.
pub(super) struct Parameters {
    left: Vec<(String, String)>,
    mark: char,
    faults: Vec<Fault>,
    /// The parameters read so far, if the reading describes a request instead of reading one.
    described: Option<Vec<schema::Field>>,
}

impl Parameters {
    /// Parses the query of a URL.
    pub(super) fn parse(raw_url: &str) -> Self {
        let query = raw_url.split_once('?').map_or("", |(_, query)| query);
        Self::of(OF_QUERY, query.as_bytes())
    }

    /// Parses the body of a form.
    pub(super) fn of_form(body: &[u8]) -> Self {
        Self::of(OF_FORM, body)
    }

    fn of(mark: char, text: &[u8]) -> Self {
        let mut pairs = form_urlencoded::parse(text).into_owned();
        let left: Vec<(String, String)> = pairs.by_ref().take(PARAMETERS_MAX).collect();
        let mut faults = Vec::new();
        if pairs.next().is_some() {
            let detail = format!("must have at most {PARAMETERS_MAX} parameters");
            faults.push(Fault::new(mark, FaultCode::TOO_MANY, detail));
        }
        for (at, (name, _)) in left.iter().enumerate() {
            if left.iter().take(at).any(|(earlier, _)| earlier == name) {
                faults.push(Fault::new(
                    format!("{mark}{name}"),
                    FaultCode::DOUBLED,
                    "must appear once",
                ));
            }
        }
        Self { left, mark, faults, described: None }
    }

    /// The organization that the local operator selects in the query, if any.
    pub(super) fn organization(raw_url: &str) -> Result<Option<OrganizationId>, Problem> {
        let mut parameters = Self::parse(raw_url);
        let id = parameters.optional(ORGANIZATION, "Organization of the request.", id());
        let wrong = parameters.faults.into_iter().filter(|fault| fault.pointer == "?organization");
        let wrong: Vec<_> = wrong.collect();
        if wrong.is_empty() { Ok(id) } else { Err(Problem::invalid(wrong)) }
    }

    /// The parameters that `read` reads, with their schemas. `read` runs without a request: every
    /// parameter is absent, and faults are dropped.
    pub(super) fn describe(read: impl FnOnce(&mut Self)) -> Vec<schema::Field> {
        let mut parameters = Self::of(OF_QUERY, b"");
        parameters.described = Some(Vec::new());
        read(&mut parameters);
        parameters.described.unwrap_or_default()
    }

    fn note(&mut self, field: impl FnOnce() -> schema::Field) {
        if let Some(described) = &mut self.described {
            described.push(field());
        }
    }

    /// Reads a parameter that may be absent.
    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(super) fn optional<R: ReadText>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Option<R::Output> {
        self.note(|| schema::field(name, reader.schema(&mut Schemas::new()), about).seldom());
        self.take(name, &reader)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a reader is made for one call")]
    pub(super) fn required<R: ReadText>(
        &mut self,
        name: &'static str,
        about: &'static str,
        reader: R,
    ) -> Option<R::Output> {
        self.note(|| schema::field(name, reader.schema(&mut Schemas::new()), about));
        if !self.left.iter().any(|(known, _)| known == name) {
            self.fault(name, FaultCode::REQUIRED, "is required");
        }
        self.take(name, &reader)
    }

    fn take<R: ReadText>(&mut self, name: &str, reader: &R) -> Option<R::Output> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let (_, text) = self.left.swap_remove(at);
        let detail = match reader.parse(&text) {
            Ok(value) => return Some(value),
            Err(detail) => detail,
        };
        self.faults.push(Fault::new(format!("{}{name}", self.mark), reader.code(), detail));
        None
    }

    /// Drops the parameter that [`Parameters::organization`] has read, if the caller may use it.
    pub(super) fn without_organization(mut self) -> Self {
        self.left.retain(|(name, _)| name != ORGANIZATION);
        self
    }

    /// Adds a fault of a parameter, unless the parameter already has a fault.
    pub(super) fn fault(&mut self, name: &str, code: FaultCode, detail: &str) {
        let pointer = format!("{}{name}", self.mark);
        if !self.faults.iter().any(|fault| fault.pointer == pointer) {
            self.faults.push(Fault::new(pointer, code, detail));
        }
    }

    /// Ends the reading. Each parameter that was not read is unknown, which is a fault.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.left {
            let pointer = format!("{}{name}", self.mark);
            if !self.faults.iter().any(|fault| fault.pointer == pointer) {
                let detail = if name == ORGANIZATION {
                    "is only for the local operator: a session or a key acts in its own organization"
                } else {
                    "is not a parameter of this endpoint"
                };
                self.faults.push(Fault::new(pointer, FaultCode::UNKNOWN_PARAMETER, detail));
            }
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reading::parsed;

    #[test]
    fn parameters_are_known_and_single() {
        let mut parameters = Parameters::parse("/v1/keys?limit=2&what=1&limit=3");
        let number = parsed(FaultCode::OUT_OF_RANGE, str::parse::<u32>, || schema::count(2));
        let limit = parameters.optional("limit", "Maximum number of items.", number);
        assert_eq!(limit, Some(2));
        assert_eq!(parameters.finish().unwrap_err().code(), "invalid_input");
    }

    #[test]
    fn too_many_parameters_are_rejected_without_comparing_them() {
        let body: Vec<_> = (0..10_000).map(|number| format!("p{number}=")).collect();
        let parameters = Parameters::of_form(body.join("&").as_bytes());
        assert_eq!(parameters.left.len(), PARAMETERS_MAX);
        let first = &parameters.faults[0];
        assert_eq!((&*first.pointer, first.code), ("/", FaultCode::TOO_MANY));
        assert!(parameters.finish().is_err());
        let fitting = body[..PARAMETERS_MAX].join("&");
        assert!(Parameters::of_form(fitting.as_bytes()).faults.is_empty());
    }
}
