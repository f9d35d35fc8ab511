//! Reads the objects of an instance through its API.

use serde_json::Value;

use crate::cli::client::{ApiRequest, SendRequest, segment};
use crate::cli::exit::{Exit, Failure};
use crate::cli::listing::pages;
use crate::manifest::{Current, Declared, InstanceViews, ObjectKind, OrganizationViews};

/// Reads an instance as the local operator, or with a key.
pub(in crate::cli) struct InstanceReader<'a> {
    pub(in crate::cli) send: &'a SendRequest<'a>,
    pub(in crate::cli) is_local: bool,
}

/// The objects of an instance, and the only organization that the caller manages, if there is one.
pub(in crate::cli) struct Fetched {
    pub(in crate::cli) current: Current,
    pub(in crate::cli) only: Option<String>,
}

/// The organizations that the caller may read.
struct ReadableOrganizations {
    /// The newest first.
    views: Vec<Value>,
    /// The id of the organization of the setup; `None` if the caller reads only its own organization.
    setup: Option<String>,
}

impl InstanceReader<'_> {
    /// Reads what the files are about; without files, everything that the caller manages.
    pub(in crate::cli) fn fetch(&self, declared: Option<&Declared>) -> Result<Fetched, Failure> {
        let kinds = declared.map(Declared::kinds);
        let needs = |kind: ObjectKind| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        let own = self.own_organization()?;
        let organizations = self.organizations(own.as_ref())?;
        let mut views = InstanceViews::default();
        for (kind, path, list) in [
            (ObjectKind::Permission, "/v1/permissions", &mut views.permissions),
            (ObjectKind::Plan, "/v1/plans", &mut views.plans),
            (ObjectKind::Gate, "/v1/gates", &mut views.gates),
        ] {
            // Whether an organization may have teams depends on its plan.
            let helps = kind == ObjectKind::Plan && self.is_local && needs(ObjectKind::Team);
            if needs(kind) || helps {
                *list = self.list(path, None)?;
            }
        }
        let matched = matched(&organizations, declared)?;
        let mut only = None;
        for (view, name, is_declared) in matched {
            let is_first = organizations.setup.as_deref() == Some(text(&view, "id"));
            let manages = own.as_ref().is_none_or(|own| text(own, "id") == text(&view, "id"));
            if own.is_some() && manages {
                only = Some(name.clone());
            }
            let mut organization =
                OrganizationViews { name, first: is_first, view, ..OrganizationViews::default() };
            if is_declared && manages {
                self.read_into(&mut organization, &needs, declared.is_none())?;
            }
            if is_declared && needs(ObjectKind::Subscription) {
                let id = text(&organization.view, "id");
                let path = format!("/v1/organizations/{}/subscription", segment(id));
                organization.subscription = Some(self.get(path)?);
            }
            views.organizations.push(organization);
        }
        if own.is_some() && only.is_none() {
            // The files do not name the caller's organization.
            only = own.as_ref().map(|own| text(own, "name").to_owned());
        }
        Ok(Fetched { current: Current::of(&views), only })
    }

    /// The organization of a remote key.
    fn own_organization(&self) -> Result<Option<Value>, Failure> {
        if self.is_local { Ok(None) } else { self.get("/v1/organization").map(Some) }
    }

    /// All organizations. A key without operator rights (403) reads only its own.
    fn organizations(&self, own: Option<&Value>) -> Result<ReadableOrganizations, Failure> {
        let get = |target: String| -> Result<Value, Option<Failure>> {
            let (status, value) = self.answer(target).map_err(Some)?;
            if status == 403 && own.is_some() {
                return Err(None);
            }
            success(status, value).map_err(Some)
        };
        match pages(usize::MAX, "/v1/organizations", &[], get) {
            Ok(views) => {
                // The organization of the setup is the oldest.
                let setup = views.last().map(|view| text(view, "id").to_owned());
                Ok(ReadableOrganizations { views, setup })
            },
            Err(None) => {
                let views = own.into_iter().cloned().collect();
                Ok(ReadableOrganizations { views, setup: None })
            },
            Err(Some(failure)) => Err(failure),
        }
    }

    fn read_into(
        &self,
        organization: &mut OrganizationViews,
        needs: &dyn Fn(ObjectKind) -> bool,
        is_export: bool,
    ) -> Result<(), Failure> {
        let id = text(&organization.view, "id").to_owned();
        let within = self.is_local.then_some(id.as_str());
        // Users and the rule for second factors name roles.
        let required_of = organization.view.get("second_factor_required_of");
        let names_roles = required_of.and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        if needs(ObjectKind::Role) || needs(ObjectKind::User) || names_roles || self.is_local {
            organization.roles = self.list("/v1/roles", within)?;
        }
        if needs(ObjectKind::User) || needs(ObjectKind::Team) || needs(ObjectKind::Role) {
            organization.users = self.list("/v1/users", within)?;
        }
        if is_export {
            organization.invitations = self.list("/v1/invitations", within)?;
        }
        if needs(ObjectKind::Team) || needs(ObjectKind::Key) {
            for team in self.list("/v1/teams", within)? {
                let path = format!("/v1/teams/{}/members", segment(text(&team, "id")));
                let members = self.list(&path, within)?;
                organization.teams.push((team, members));
            }
        }
        if needs(ObjectKind::Key) {
            organization.keys = self.list("/v1/keys/export", within)?;
        }
        Ok(())
    }

    fn list(&self, path: &str, within: Option<&str>) -> Result<Vec<Value>, Failure> {
        pages(usize::MAX, path, &[("organization", within)], |target| self.get(target))
    }

    fn get(&self, target: impl Into<String>) -> Result<Value, Failure> {
        let (status, value) = self.answer(target.into())?;
        success(status, value)
    }

    fn answer(&self, target: String) -> Result<(u16, Value), Failure> {
        (self.send)(&ApiRequest { method: "GET", target, body: None, version: None })
    }
}

/// The organizations of the instance with their names in the files, and whether the files name them.
///
/// An organization of the setup that the files rename has its new name. An organization that shares
/// its name with another is known by its id, unless the files name it.
fn matched(
    organizations: &ReadableOrganizations,
    declared: Option<&Declared>,
) -> Result<Vec<(Value, String, bool)>, Failure> {
    let named: Vec<(&str, bool)> = declared.into_iter().flat_map(Declared::organizations).collect();
    let renamed = named.iter().find(|(_, first)| *first).map(|(name, _)| *name);
    let mut matched = Vec::new();
    for view in &organizations.views {
        let (id, name) = (text(view, "id"), text(view, "name"));
        let is_setup = organizations.setup.as_deref() == Some(id);
        let name = if is_setup { renamed.unwrap_or(name) } else { name };
        let is_declared = declared.is_none() || named.iter().any(|(other, _)| *other == name);
        matched.push((view.clone(), name.to_owned(), is_declared));
    }
    let names: Vec<String> = matched.iter().map(|(_, name, _)| name.clone()).collect();
    for (view, name, is_declared) in &mut matched {
        if names.iter().filter(|other| *other == name).count() < 2 {
            continue;
        }
        if *is_declared {
            let message = format!(
                "two organizations have the name {name:?}: rename one with keyhouse org change ID --name NAME"
            );
            return Err(Failure::new(Exit::Conflict, message));
        }
        text(view, "id").clone_into(name);
    }
    Ok(matched)
}

/// The body of a 2xx response.
fn success(status: u16, value: Value) -> Result<Value, Failure> {
    if (200..300).contains(&status) { Ok(value) } else { Err(Failure::of_problem(status, &value)) }
}

fn text<'a>(view: &'a Value, field: &str) -> &'a str {
    view.get(field).and_then(Value::as_str).unwrap_or_default()
}
