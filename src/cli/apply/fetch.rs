//! Reads the objects of an instance through its API.

use serde_json::Value;

use crate::cli::client::{ApiRequest, SendRequest, query, segment};
use crate::cli::exit::{Exit, Failure};
use crate::manifest::{Current, Declared, InstanceViews, ObjectKind, OrganizationViews};

/// Maximum number of items of a page.
const PAGE_LIMIT: &str = "100";

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

impl InstanceReader<'_> {
    /// Reads what the files are about; without files, everything that the caller manages.
    pub(in crate::cli) fn fetch(&self, declared: Option<&Declared>) -> Result<Fetched, Failure> {
        let needs = |kind| declared.is_none_or(|declared| declared.mentions(kind));
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
            let is_first =
                organizations.last().is_some_and(|first| text(first, "id") == text(&view, "id"));
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
                organization.subscription = Some(self.get(&path)?);
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

    /// All organizations, the newest first. A key without operator rights sees only its own.
    fn organizations(&self, own: Option<&Value>) -> Result<Vec<Value>, Failure> {
        let path = "/v1/organizations";
        if let Some(own) = own {
            let (status, _) = self.answer(path)?;
            if status == 403 {
                return Ok(vec![own.clone()]);
            }
        }
        self.list(path, None)
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
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let parameters = query(&[
                ("limit", Some(PAGE_LIMIT)),
                ("cursor", cursor.as_deref()),
                ("organization", within),
            ]);
            let mut page = self.get(&format!("{path}{parameters}"))?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    fn get(&self, target: &str) -> Result<Value, Failure> {
        let (status, value) = self.answer(target)?;
        if (200..300).contains(&status) {
            Ok(value)
        } else {
            Err(Failure::of_problem(status, &value))
        }
    }

    fn answer(&self, target: &str) -> Result<(u16, Value), Failure> {
        let target = target.to_owned();
        (self.send)(&ApiRequest { method: "GET", target, body: None, version: None })
    }
}

/// The organizations of the instance with their names in the files, and whether the files name them.
///
/// An organization of the setup that the files rename has its new name. An organization that shares
/// its name with another is known by its id, unless the files name it.
fn matched(
    organizations: &[Value],
    declared: Option<&Declared>,
) -> Result<Vec<(Value, String, bool)>, Failure> {
    let named: Vec<(&str, bool)> = declared.into_iter().flat_map(Declared::organizations).collect();
    let setup = organizations.last().and_then(|view| view["id"].as_str());
    let renamed = named.iter().find(|(_, first)| *first).map(|(name, _)| *name);
    let mut matched = Vec::new();
    for view in organizations {
        let (id, name) = (text(view, "id"), text(view, "name"));
        let is_setup = setup == Some(id);
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

fn text<'a>(view: &'a Value, field: &str) -> &'a str {
    view.get(field).and_then(Value::as_str).unwrap_or_default()
}
