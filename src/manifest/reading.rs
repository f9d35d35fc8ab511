//! Reads the fields of a configuration file.
//!
//! The readers are those of the API, so a file is accepted by the same rules as a request. Each value
//! is brought into the form in which responses show it. One function reads the fields and describes
//! them for the JSON Schema.

use serde_json::{Map, Value};

use crate::http::fields::{
    DeclaredSecret, Fields, Read, Schemas, VISIBILITIES, boolean, declared_gate, declared_key,
    description, email, list, long, moment, name, number, object, parsed, patterns, status_reader,
    wrong,
};
use crate::http::schema::{self, Schema, any_of, choice};
use crate::model::domain::{DOMAINS_MAX, parse_domain};
use crate::model::fault::{Fault, FaultCode};
use crate::model::gate::{ACCEPTED_MAX, DEFAULT_GATE, GateName};
use crate::model::limit::QUOTA_CALLS_MAX;
use crate::model::name::{InvalidName, NAME_CHARACTERS_MAX, parse_name};
use crate::model::permission::{Permission, is_own};
use crate::model::plan::{FIRST_PLANS, KEY_LIFETIME_DAYS_MAX, PLAN_LIMIT_MAX};
use crate::model::role::{BuiltinRole, check_role_name, check_role_patterns};
use crate::model::second_factor::REQUIRED_OF_MAX;

/// The most entries of a list in a file. Above it, the size of the file is the limit: an organization
/// may have more keys than any smaller maximum, and its export must be readable.
const ENTRIES_MAX: usize = 1_000_000;
/// The text that clears a field which may be empty.
pub(super) const NONE: &str = "none";

/// An object of a file: its name and its other fields.
pub(super) struct ReadObject {
    pub(super) name: String,
    pub(super) fields: Map<String, Value>,
}

/// A key of a file.
pub(super) struct ReadKey {
    pub(super) name: String,
    pub(super) secret: DeclaredSecret,
    pub(super) fields: Map<String, Value>,
}

/// An organization of a file. A list that the file does not have is `None`.
pub(super) struct ReadOrganization {
    pub(super) name: String,
    pub(super) first: bool,
    pub(super) owner: Option<String>,
    pub(super) fields: Map<String, Value>,
    pub(super) subscription: Option<Map<String, Value>>,
    pub(super) roles: Option<Vec<ReadObject>>,
    pub(super) teams: Option<Vec<ReadObject>>,
    pub(super) users: Option<Vec<ReadObject>>,
    pub(super) keys: Option<Vec<ReadKey>>,
}

/// The content of a file.
#[derive(Default)]
pub(super) struct ReadFile {
    pub(super) permissions: Option<Vec<ReadObject>>,
    pub(super) plans: Option<Vec<ReadObject>>,
    pub(super) gates: Option<Vec<ReadObject>>,
    pub(super) organizations: Option<Vec<ReadOrganization>>,
}

/// Reads fields into a map, by name.
struct FieldMap<'a> {
    fields: &'a mut Fields,
    read: Map<String, Value>,
}

impl<'a> FieldMap<'a> {
    fn of(fields: &'a mut Fields) -> Self {
        Self { fields, read: Map::new() }
    }

    fn take<R: Read<Output: Into<Value>>>(
        &mut self,
        field: &'static str,
        about: &'static str,
        reader: R,
    ) {
        if let Some(value) = self.fields.optional(field, about, reader) {
            self.read.insert(field.to_owned(), value.into());
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form of every reader of an object")]
pub(super) fn read_file(fields: &mut Fields) -> Option<ReadFile> {
    let about = "Permissions in the catalogue.";
    let permissions = fields.optional("permissions", about, entries("Permission", read_permission));
    let plans = fields.optional("plans", "Plans, which always exist.", entries("Plan", read_plan));
    let about = "Organizations, and what belongs to them.";
    let organizations =
        fields.optional("organizations", about, entries("Organization", read_organization));
    let gates = fields.optional("gates", "Gates.", entries("Gate", read_gate));
    Some(ReadFile { permissions, plans, gates, organizations })
}

fn entries<T>(
    title: &'static str,
    read: impl Fn(&mut Fields) -> Option<T>,
) -> impl Read<Output = Vec<T>> {
    list(ENTRIES_MAX, object(read).named(title))
}

fn read_permission(fields: &mut Fields) -> Option<ReadObject> {
    let parse = |text: &str| {
        if is_own(text) {
            return Err("permissions of Keyhouse cannot be declared".to_owned());
        }
        text.parse::<Permission>().map(|_valid| text.to_owned()).map_err(|error| error.to_string())
    };
    let reader =
        parsed(FaultCode::INVALID_PERMISSION, parse, || schema::permission("diagrams:read"));
    let name = fields.required("name", "Name of the permission.", reader);
    let mut map = FieldMap::of(fields);
    let group = |text: &str| -> Result<String, InvalidName> {
        if text.trim().is_empty() { Ok(String::new()) } else { parse_name(text) }
    };
    let group =
        parsed(FaultCode::INVALID_NAME, group, || schema::line(NAME_CHARACTERS_MAX, "Diagrams"));
    map.take("group", "Group under which the page lists the permission. Default: none.", group);
    let texts = object(|fields| {
        let mut map = FieldMap::of(fields);
        map.take("en", "Description in English.", description("Reads diagrams."));
        map.take("fr", "Description in French.", description("Lit les diagrammes."));
        map.take("es", "Description in Spanish.", description("Lee diagramas."));
        for language in ["en", "fr", "es"] {
            map.read.entry(language).or_insert_with(|| "".into());
        }
        Some(map.read)
    });
    map.take("description", "Descriptions by language. Default: none.", texts);
    let read = map.read;
    Some(ReadObject { name: name?, fields: read })
}

fn plan_name() -> impl Read<Output = String> {
    let names = FIRST_PLANS.map(|(name, _)| name);
    let parse = move |text: &str| {
        let known = names.contains(&text).then(|| text.to_owned());
        known.ok_or_else(|| format!("must be one of {}", names.join(", ")))
    };
    parsed(FaultCode::UNKNOWN_PLAN, parse, move || choice(&names))
}

fn read_plan(fields: &mut Fields) -> Option<ReadObject> {
    let name = fields.required("name", "Name of the plan.", plan_name());
    let mut map = FieldMap::of(fields);
    let features = object(|fields| {
        let mut map = FieldMap::of(fields);
        map.take("api_access", "Whether keys work.", boolean(true));
        map.take("teams", "Whether teams are included.", boolean(true));
        map.take("multiple_teams", "Whether more than one team is included.", boolean(true));
        Some(map.read)
    });
    map.take("features", "Features of the plan.", features);
    let limits = object(|fields| {
        let mut map = FieldMap::of(fields);
        let limit = |min, example| OrNone(number(min, PLAN_LIMIT_MAX, example));
        map.take("keys_per_user", "Most personal keys of a user.", limit(0, 50));
        map.take("keys", "Most keys of an organization.", limit(0, 10_000));
        map.take("users", "Most users of an organization.", limit(0, 500));
        map.take(
            "requests_per_10s",
            "Calls in 10 seconds with all keys together.",
            limit(1, 2_000),
        );
        let month = OrNone(long(1, QUOTA_CALLS_MAX, 1_000_000));
        map.take("requests_per_month", "Calls in a month with all keys together.", month);
        Some(map.read)
    });
    map.take("limits", "Limits of the plan; `none` for unlimited.", limits);
    let read = map.read;
    Some(ReadObject { name: name?, fields: read })
}

fn read_organization(fields: &mut Fields) -> Option<ReadOrganization> {
    let organization_name = fields.required("name", "Name of the organization.", name("Acme"));
    let about =
        "Whether this is the organization of the setup, which is renamed if its name differs.";
    let first = fields.optional("first", about, boolean(true)).unwrap_or_default();
    let about =
        "Email address of the first owner. It is used only when the organization is created.";
    let owner = fields.optional("owner", about, email("olga@acme.example"));
    let mut map = FieldMap::of(fields);
    let domain = parsed(FaultCode::INVALID_DOMAIN, parse_domain, || schema::text("acme.example"));
    map.take("domains", "Verified email domains.", sorted(list(DOMAINS_MAX, domain)));
    let about = "Maximum permissions of all keys; `*` for no maximum.";
    map.take("permissions", about, listed(patterns("diagrams:*")));
    map.take("suspended", "Whether the keys are rejected.", boolean(false));
    let about = "Users who must have a second factor: `operator`, or the users of a role, by name.";
    let roles = list(REQUIRED_OF_MAX, name("owner"));
    map.take("second_factor_required_of", about, sorted(roles));
    let about = "Whether users with the role `user` may create keys.";
    map.take("members_create_keys", about, boolean(true));
    let about = "Longest lifetime of a key in days; `none` for unlimited.";
    map.take("key_lifetime_days_max", about, OrNone(number(1, KEY_LIFETIME_DAYS_MAX, 365)));
    let read = map.read;
    let about = "Subscription of the organization.";
    let subscription =
        fields.optional("subscription", about, object(read_subscription).named("Subscription"));
    let about = "Custom roles. Built-in roles cannot be changed.";
    let roles = fields.optional("roles", about, entries("Role", read_role));
    let teams = fields.optional("teams", "Teams.", entries("Team", read_team));
    let about = "Users and their roles. A user who has no account yet is skipped.";
    let users = fields.optional("users", about, entries("User", read_user));
    let keys = fields.optional("keys", "Service keys.", entries("Key", read_key));
    let name = organization_name?;
    Some(ReadOrganization {
        name,
        first,
        owner,
        fields: read,
        subscription,
        roles,
        teams,
        users,
        keys,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the form of every reader of an object")]
fn read_subscription(fields: &mut Fields) -> Option<Map<String, Value>> {
    let mut map = FieldMap::of(fields);
    map.take("plan", "Name of the plan.", plan_name());
    map.take("status", "Status of the subscription.", shown(status_reader()));
    let about = "Time at which the paid period ends; `none` for never.";
    map.take("current_period_end", about, OrNone(shown(moment())));
    Some(map.read)
}

fn read_role(fields: &mut Fields) -> Option<ReadObject> {
    let checked = name("Deployer").then(|name, pointer| {
        let is_builtin = name.parse::<BuiltinRole>().is_ok();
        if is_builtin {
            return wrong(
                pointer,
                FaultCode::BUILTIN_ROLE,
                "built-in roles cannot be changed: use another name",
            );
        }
        check_role_name(&name).or_else(|error| wrong(pointer, FaultCode::RESERVED_NAME, error))?;
        Ok(name)
    });
    let name = fields.required("name", "Name of the role.", checked);
    let mut map = FieldMap::of(fields);
    map.take(
        "description",
        "Description for people. Default: none.",
        description("Who may deploy."),
    );
    let checked = patterns("diagrams:read").then(|patterns, pointer| {
        check_role_patterns(&patterns)
            .or_else(|error| wrong(pointer, FaultCode::INVALID_PERMISSION, error))?;
        Ok(patterns)
    });
    map.take("permissions", "Permission patterns of the role. Default: none.", listed(checked));
    let read = map.read;
    Some(ReadObject { name: name?, fields: read })
}

fn read_team(fields: &mut Fields) -> Option<ReadObject> {
    let team_name = fields.required("name", "Name of the team.", name("Build"));
    let mut map = FieldMap::of(fields);
    map.take("description", "Description for people. Default: none.", description("Who builds."));
    let parse = |text: &str| {
        let known = VISIBILITIES.contains(&text).then(|| text.to_owned());
        known.ok_or("must be visible or secret")
    };
    let about = "Secret teams are shown only to members and managers. Default: `visible`.";
    map.take(
        "visibility",
        about,
        parsed(FaultCode::INVALID_VISIBILITY, parse, || choice(&VISIBILITIES)),
    );
    let about =
        "Members, by email address: exactly these. Without this field, the members do not change.";
    map.take("members", about, sorted(list(ENTRIES_MAX, email("grace@acme.example"))));
    let read = map.read;
    Some(ReadObject { name: team_name?, fields: read })
}

fn read_user(fields: &mut Fields) -> Option<ReadObject> {
    let address = fields.required("email", "Email address.", email("grace@acme.example"));
    let mut map = FieldMap::of(fields);
    map.take("role", "Name of a built-in or custom role.", name("user"));
    let read = map.read;
    Some(ReadObject { name: address?, fields: read })
}

fn read_key(fields: &mut Fields) -> Option<ReadKey> {
    let (name, secret, fields) = declared_key(fields)?;
    Some(ReadKey { name, secret, fields })
}

fn read_gate(fields: &mut Fields) -> Option<ReadObject> {
    let parse = |text: &str| match text.parse::<GateName>() {
        Ok(_valid) if text != DEFAULT_GATE => Ok(text.to_owned()),
        Ok(_default) => Err("the gate default always exists and cannot be changed".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let reader = parsed(FaultCode::INVALID_GATE_NAME, parse, schema::gate_name);
    let gate_name = fields.required("name", "Name of the gate, which proxies use.", reader);
    let about = "Only keys of these organizations are accepted, by name. Default: keys of all.";
    let names = sorted(list(ACCEPTED_MAX, name("Acme")).not_empty());
    let organizations = fields.optional("organizations", about, names);
    let mut read = declared_gate(fields);
    read.extend(organizations.map(|names| ("organizations".to_owned(), names.into())));
    Some(ReadObject { name: gate_name?, fields: read })
}

/// A reader whose result is shown as text.
fn shown<R: Read<Output: ToString>>(reader: R) -> impl Read<Output = String> {
    reader.then(|value, _pointer| Ok(value.to_string()))
}

/// A list in which order and repetition mean nothing.
fn sorted<R: Read<Output = Vec<T>>, T: ToString>(reader: R) -> impl Read<Output = Vec<String>> {
    reader.then(|values, _pointer| Ok(in_order(values.iter().map(ToString::to_string))))
}

fn listed<R: Read<Output = crate::model::permission::Patterns>>(
    reader: R,
) -> impl Read<Output = Vec<String>> {
    reader.then(|patterns, _pointer| Ok(in_order(patterns.as_set().texts().map(str::to_owned))))
}

fn in_order(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Reads a value, or `none`, which clears the field.
struct OrNone<R>(R);

impl<R: Read<Output: Into<Value>>> Read for OrNone<R> {
    type Output = Value;

    fn read(&self, value: Value, pointer: &str) -> Result<Value, Vec<Fault>> {
        if value.as_str() == Some(NONE) {
            return Ok(Value::Null);
        }
        let read = self.0.read(value, pointer).map_err(|faults| {
            let or_none = |fault: Fault| {
                let detail = format!("{}, or {NONE:?}", fault.detail);
                Fault { detail, ..fault }
            };
            faults.into_iter().map(or_none).collect::<Vec<_>>()
        });
        read.map(Into::into)
    }

    fn schema(&self, schemas: &mut Schemas) -> Schema {
        any_of([self.0.schema(schemas), choice(&[NONE]).into()])
    }
}
