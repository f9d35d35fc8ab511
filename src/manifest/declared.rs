//! The objects that configuration files declare together.
//!
//! Several files are one declaration. An organization may be in several files, but each of its fields
//! and each object in it is declared once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::http::fields::{DeclaredDigest, DeclaredSecret, Read as _, object};
use crate::manifest::names::{ObjectKind, ObjectName};
use crate::manifest::reading::{ReadFile, ReadObject, ReadOrganization, read_file};
use crate::manifest::source::{FieldLines, FileFault, SourceText, parse};
use crate::model::fault::in_pointer;
use crate::model::text::Likeness;

/// Reads a file with a secret: the file of the declaration, and the path in it. Returns the digest, or
/// what is wrong.
pub(crate) type ReadSecret<'a> = &'a dyn Fn(&str, &str) -> Result<DeclaredDigest, String>;

/// The place of an object or field: the number of its file, and its pointer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePlace {
    file: usize,
    pointer: String,
}

/// An object of the files.
pub(crate) struct DeclaredObject {
    pub(super) label: String,
    pub(super) fields: Map<String, Value>,
    /// The place of the object, and of each field that another file added.
    place: FilePlace,
    places: BTreeMap<String, FilePlace>,
    /// The email address of a new organization's owner.
    pub(super) owner: Option<String>,
    /// Whether this is the organization of the setup.
    pub(super) first: bool,
}

/// The objects of all files.
#[derive(Default)]
pub(crate) struct Declared {
    pub(super) objects: BTreeMap<ObjectName, DeclaredObject>,
    /// The lists that the files have, by organization. What such a list does not name may be deleted.
    pub(super) lists: BTreeSet<(ObjectKind, Option<String>)>,
    files: Vec<FieldLines>,
    faults: Vec<FileFault>,
}

impl Declared {
    /// Reads files. Each secret file is read with `read_secret`.
    ///
    /// # Errors
    /// All faults of all files.
    pub(crate) fn read(
        sources: &[SourceText],
        read_secret: ReadSecret<'_>,
    ) -> Result<Self, Vec<FileFault>> {
        let mut declared = Self::default();
        let mut contents = Vec::new();
        for source in sources {
            match parse(source) {
                Ok((value, lines)) => {
                    match object(read_file).read(value, "") {
                        Ok(content) => contents.push((declared.files.len(), content)),
                        Err(faults) => declared.faults.extend(lines.faults(faults)),
                    }
                    declared.files.push(lines);
                },
                Err(faults) => declared.faults.extend(faults),
            }
        }
        if declared.faults.is_empty() {
            for (file, content) in contents {
                let source = sources.get(file).map_or("", |source| &source.name);
                declared.add_file(file, content, &|path| read_secret(source, path));
            }
            declared.check_names();
        }
        if declared.faults.is_empty() { Ok(declared) } else { Err(declared.faults) }
    }

    /// The organizations of the files, and whether each is that of the setup.
    pub(crate) fn organizations(&self) -> impl Iterator<Item = (&str, bool)> {
        let of_kind = self.objects.iter().filter(|(name, _)| name.kind == ObjectKind::Organization);
        of_kind.map(|(name, object)| (name.name.as_str(), object.first))
    }

    /// The kinds of the objects and lists in the files. Roles are among them if a field names roles.
    pub(crate) fn kinds(&self) -> BTreeSet<ObjectKind> {
        let listed = self.lists.iter().map(|(kind, _)| *kind);
        let declared = self.objects.keys().map(|name| name.kind);
        let mut fields = self.objects.values().map(|object| &object.fields);
        let names_roles = fields.any(|fields| fields.contains_key("second_factor_required_of"));
        listed.chain(declared).chain(names_roles.then_some(ObjectKind::Role)).collect()
    }

    /// A fault at an object, or at one of its fields.
    pub(super) fn fault(
        &self,
        object: &DeclaredObject,
        field: &str,
        detail: impl std::fmt::Display,
    ) -> FileFault {
        let place = object.places.get(field).cloned().unwrap_or_else(|| FilePlace {
            pointer: below(&object.place.pointer, field),
            file: object.place.file,
        });
        self.files.get(place.file).map_or_else(
            || FieldLines::default().fault(&place.pointer, &detail),
            |lines| lines.fault(&place.pointer, &detail),
        )
    }

    /// A fault at a field of the object with this name.
    pub(crate) fn fault_of(&self, name: &ObjectName, field: &str, detail: &str) -> FileFault {
        self.objects.get(name).map_or_else(
            || FieldLines::default().fault("", detail),
            |object| self.fault(object, field, detail),
        )
    }

    fn add_file(
        &mut self,
        file: usize,
        content: ReadFile,
        read_secret: &dyn Fn(&str) -> Result<DeclaredDigest, String>,
    ) {
        for (kind, list) in [
            (ObjectKind::Permission, content.permissions),
            (ObjectKind::Plan, content.plans),
            (ObjectKind::Gate, content.gates),
        ] {
            self.add_list(file, "", (kind, None), list);
        }
        for (at, organization) in content.organizations.into_iter().flatten().enumerate() {
            let pointer = format!("/organizations/{at}");
            self.add_organization(&FilePlace { file, pointer }, organization, read_secret);
        }
    }

    fn add_organization(
        &mut self,
        place: &FilePlace,
        read: ReadOrganization,
        read_secret: &dyn Fn(&str) -> Result<DeclaredDigest, String>,
    ) {
        let organization = read.name.clone();
        let (file, within) = (place.file, Some(organization.as_str()));
        let name = ObjectName::organization(&organization);
        let mut fields = read.fields;
        if read.first {
            // The organization of the setup may have another name in the instance.
            fields.insert("name".to_owned(), organization.clone().into());
        }
        let mut object = DeclaredObject::of(place.clone(), organization.clone(), fields);
        (object.owner, object.first) = (read.owner, read.first);
        self.merge(name, object);
        if let Some(fields) = read.subscription {
            let pointer = below(&place.pointer, "subscription");
            let name = ObjectName::within(ObjectKind::Subscription, &organization, "");
            let object = DeclaredObject::of(FilePlace { file, pointer }, String::new(), fields);
            self.merge(name, object);
        }
        for (kind, list) in [
            (ObjectKind::Role, read.roles),
            (ObjectKind::Team, read.teams),
            (ObjectKind::User, read.users),
        ] {
            self.add_list(file, &place.pointer, (kind, within), list);
        }
        if read.keys.is_some() {
            self.lists.insert((ObjectKind::Key, Some(organization.clone())));
        }
        for (at, key) in read.keys.into_iter().flatten().enumerate() {
            let pointer = below(&place.pointer, &format!("keys/{at}"));
            let digest = match key.secret {
                DeclaredSecret::Digest(digest) => Ok(digest),
                DeclaredSecret::File(path) => read_secret(&path),
            };
            let mut object =
                DeclaredObject::of(FilePlace { file, pointer }, key.name.clone(), key.fields);
            match digest {
                Ok(digest) => {
                    object.fields.insert("name".to_owned(), key.name.into());
                    object.fields.insert("algorithm".to_owned(), digest.algorithm().into());
                    object.fields.insert("digest".to_owned(), digest.hash().into());
                    let stored = digest.stored();
                    let name = ObjectName::within(ObjectKind::Key, &organization, stored);
                    self.add(name, object);
                },
                Err(detail) => {
                    let fault = self.fault(&object, "secret_file", detail);
                    self.faults.push(fault);
                },
            }
        }
    }

    fn add_list(
        &mut self,
        file: usize,
        above: &str,
        (kind, organization): (ObjectKind, Option<&str>),
        list: Option<Vec<ReadObject>>,
    ) {
        let Some(list) = list else { return };
        let organization = organization.map(str::to_owned);
        self.lists.insert((kind, organization.clone()));
        for (at, read) in list.into_iter().enumerate() {
            let pointer = below(above, &format!("{}/{at}", kind.list()));
            let label = read.name.clone();
            let object = DeclaredObject::of(FilePlace { file, pointer }, label, read.fields);
            let name = ObjectName { kind, organization: organization.clone(), name: read.name };
            self.add(name, object);
        }
    }

    /// Adds an object that must not be declared yet.
    fn add(&mut self, name: ObjectName, object: DeclaredObject) {
        let identity = match name.kind {
            ObjectKind::Key => "digest",
            ObjectKind::User => "email",
            ObjectKind::Permission
            | ObjectKind::Plan
            | ObjectKind::Organization
            | ObjectKind::Subscription
            | ObjectKind::Role
            | ObjectKind::Team
            | ObjectKind::Gate => "name",
        };
        if let Some(earlier) = self.objects.get(&name) {
            let detail = format!("is declared already at {}", self.place(&earlier.place));
            let fault = self.fault(&object, identity, detail);
            self.faults.push(fault);
            return;
        }
        self.objects.insert(name, object);
    }

    /// Adds the fields of an organization or subscription that another file may have declared too.
    fn merge(&mut self, name: ObjectName, object: DeclaredObject) {
        let Some(earlier) = self.objects.get(&name) else {
            self.objects.insert(name, object);
            return;
        };
        let mut doubled: Vec<&str> = object
            .fields
            .keys()
            .filter(|field| earlier.fields.contains_key(*field))
            .map(|it| &**it)
            .collect();
        if object.owner.is_some() && earlier.owner.is_some() {
            doubled.push("owner");
        }
        let faults: Vec<FileFault> = doubled
            .into_iter()
            .map(|field| {
                let place = earlier.places.get(field).unwrap_or(&earlier.place);
                self.fault(&object, field, format!("is declared already at {}", self.place(place)))
            })
            .collect();
        self.faults.extend(faults);
        if let Entry::Occupied(mut entry) = self.objects.entry(name) {
            let held = entry.get_mut();
            for (field, value) in object.fields {
                let pointer = below(&object.place.pointer, &field);
                held.places.insert(field.clone(), FilePlace { pointer, file: object.place.file });
                held.fields.entry(field).or_insert(value);
            }
            held.owner = held.owner.take().or(object.owner);
            held.first |= object.first;
        }
    }

    /// Rejects names that people cannot tell apart, since the API rejects them too, and more than one
    /// organization of the setup.
    fn check_names(&mut self) {
        let mut faults = Vec::new();
        let mut seen: Vec<(&ObjectName, Likeness)> = Vec::new();
        let mut first: Option<&DeclaredObject> = None;
        for (name, object) in &self.objects {
            if object.first
                && let Some(earlier) = first.replace(object)
            {
                let detail = format!("is set already at {}", self.place(&earlier.place));
                faults.push(self.fault(object, "first", detail));
            }
            if !matches!(name.kind, ObjectKind::Role | ObjectKind::Team) {
                continue;
            }
            let read = Likeness::of(&name.name);
            let is_alike = |(other, likeness): &&(&ObjectName, Likeness)| {
                (other.kind, &other.organization) == (name.kind, &name.organization)
                    && likeness.is_alike(&read)
            };
            if let Some((other, _)) = seen.iter().find(is_alike) {
                let detail = format!("reads like {:?}: use another name", other.name);
                faults.push(self.fault(object, "name", detail));
            }
            seen.push((name, read));
        }
        self.faults.extend(faults);
    }

    fn place(&self, place: &FilePlace) -> String {
        self.files.get(place.file).map(|lines| lines.place(&place.pointer)).unwrap_or_default()
    }
}

impl DeclaredObject {
    fn of(place: FilePlace, label: String, fields: Map<String, Value>) -> Self {
        Self { label, fields, place, places: BTreeMap::new(), owner: None, first: false }
    }
}

/// The pointer of a field below another, which may itself be several fields.
fn below(pointer: &str, field: &str) -> String {
    let segments: Vec<String> = field.split('/').map(in_pointer).collect();
    format!("{pointer}/{}", segments.join("/"))
}
