//! Views: the objects of responses. One declaration gives the struct, its JSON and its schema, so
//! that they cannot differ.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::actions::rows::Listed;
use crate::http::schema::{self, Field, Schema, answer, both, each, id, moment, nullable, the};
use crate::model::id::{Id, Kind};
use crate::model::moment::Moment;
use crate::model::secret::Secret;

/// The named schemas that an operation refers to, by name.
pub(crate) type Schemas = BTreeMap<&'static str, Schema>;

/// A type whose JSON has one schema.
pub(super) trait Described {
    /// The schema. A view with a name adds its schema to `schemas`, and returns a reference to it.
    fn schema(schemas: &mut Schemas) -> Schema;
}

/// The names of a view's fields, for programs that print them.
pub(crate) trait FieldNames {
    /// Its own fields, without those of the view that it extends.
    const OWN: &'static [&'static str];
    /// Its own fields, and those of the view that it extends.
    const NAMES: &'static [&'static [&'static str]];
}

impl<V: FieldNames> FieldNames for Option<V> {
    const OWN: &'static [&'static str] = V::OWN;
    const NAMES: &'static [&'static [&'static str]] = V::NAMES;
}

/// An object of a response.
pub(super) trait ViewFields: Serialize + Described {
    /// Whether the schema has a name.
    const NAMED: bool = false;

    fn fields(schemas: &mut Schemas) -> Vec<Field>;
}

/// Declares a view.
///
/// The comment of a field is its description. A field whose type has no schema of its own, such as a
/// text, states its schema after `=>`. A field with `| absent` is left out if it is `None`. A view
/// with `= "Name"` is a named schema of the API description. `..rest: Other` adds the fields of
/// another view. If the other view has a name, the schema refers to it.
///
/// ```ignore
/// view! {
///     TeamView = "Team" {
///         /// Id of the team.
///         id: TeamId,
///         /// Name of the team.
///         name: String => text("Build"),
///     }
/// }
/// ```
macro_rules! view {
    (@kind $kind:ty) => { $kind };
    (@kind $kind:ty, $absent:ident) => { Option<$kind> };
    (@schema $schemas:ident, $kind:ty) => {
        <$kind as $crate::http::view::Described>::schema($schemas)
    };
    (@schema $schemas:ident, $kind:ty, $schema:expr) => { $schema };
    (@field $field:expr) => { $field };
    (@field $field:expr, $absent:ident) => { $field.seldom() };
    (@object $self:ty, $schemas:ident) => { <$self>::object($schemas) };
    (@object $self:ty, $schemas:ident, $name:literal) => {
        $crate::http::view::named($schemas, $name, <$self>::object)
    };
    (@whole $schemas:ident, $fields:ident) => {{
        let _ = $schemas;
        $crate::http::schema::answer($fields)
    }};
    (@whole $schemas:ident, $fields:ident, $rest:ty) => {
        $crate::http::view::extended::<$rest>($schemas, $fields)
    };
    (@named) => { false };
    (@named $name:literal) => { true };
    (
        $(#[doc = $about:literal])*
        $view:ident $(= $name:literal)? {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $kind:ty $(| $absent:ident)? $(=> $schema:expr)?,
            )*
            $(..$rest:ident: $rest_kind:ty,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, serde::Serialize)]
        pub(crate) struct $view {
            $(
                $(#[doc = $doc])+
                $(
                    #[doc = concat!(" May be ", stringify!($absent), ".")]
                    #[serde(skip_serializing_if = "Option::is_none")]
                )?
                pub(in crate::http) $field: $crate::http::view::view!(@kind $kind $(, $absent)?),
            )*
            $(
                #[serde(flatten)]
                pub(in crate::http) $rest: $rest_kind,
            )?
        }

        impl $view {
            /// The fields, without those of another view.
            fn own_fields(
                schemas: &mut $crate::http::view::Schemas,
            ) -> Vec<$crate::http::schema::Field> {
                // A view whose fields all state their schemas adds none.
                let _ = &schemas;
                vec![$($crate::http::view::view!(
                    @field $crate::http::schema::field(
                        stringify!($field),
                        $crate::http::view::view!(@schema schemas, $kind $(, $schema)?),
                        concat!($($doc),+).trim(),
                    ) $(, $absent)?
                )),*]
            }

            /// The schema, without its name.
            fn object(schemas: &mut $crate::http::view::Schemas) -> $crate::http::schema::Schema {
                let fields = Self::own_fields(schemas);
                $crate::http::view::view!(@whole schemas, fields $(, $rest_kind)?)
            }
        }

        impl $crate::http::view::FieldNames for $view {
            const OWN: &'static [&'static str] = &[$(stringify!($field)),*];
            const NAMES: &'static [&'static [&'static str]] =
                &[Self::OWN, $(<$rest_kind as $crate::http::view::FieldNames>::OWN,)?];
        }

        impl $crate::http::view::ViewFields for $view {
            const NAMED: bool = $crate::http::view::view!(@named $($name)?);

            fn fields(
                schemas: &mut $crate::http::view::Schemas,
            ) -> Vec<$crate::http::schema::Field> {
                let fields = Self::own_fields(schemas);
                $(let fields = [fields, <$rest_kind as $crate::http::view::ViewFields>::fields(schemas)].concat();)?
                fields
            }
        }

        impl $crate::http::view::Described for $view {
            fn schema(
                schemas: &mut $crate::http::view::Schemas,
            ) -> $crate::http::schema::Schema {
                $crate::http::view::view!(@object $view, schemas $(, $name)?)
            }
        }
    };
}
pub(super) use view;

/// Adds a schema under a name, unless it was added before, and returns a reference to it.
pub(crate) fn named(
    schemas: &mut Schemas,
    name: &'static str,
    schema: impl FnOnce(&mut Schemas) -> Schema,
) -> Schema {
    if !schemas.contains_key(name) {
        // The entry ends the recursion of a schema that contains itself.
        schemas.insert(name, the(name));
        let schema = schema(schemas);
        schemas.insert(name, schema);
    }
    the(name)
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The schema of a view with further fields.
pub(super) fn extended<V: ViewFields>(schemas: &mut Schemas, further: Vec<Field>) -> Schema {
    if V::NAMED {
        both(V::schema(schemas), answer(further))
    } else {
        answer([further, V::fields(schemas)].concat())
    }
}

/// A secret that a response reveals. `Debug` does not print it.
#[derive(Debug)]
pub(super) struct Revealed(pub(super) Secret);

impl Serialize for Revealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.reveal())
    }
}

impl<K: Kind> Described for Id<K> {
    fn schema(_schemas: &mut Schemas) -> Schema {
        id(K::PREFIX).into()
    }
}

impl Described for Moment {
    fn schema(_schemas: &mut Schemas) -> Schema {
        moment().into()
    }
}

impl<T: Described> Described for Option<T> {
    fn schema(schemas: &mut Schemas) -> Schema {
        nullable(T::schema(schemas))
    }
}

/// The fields are all present or all absent.
impl<V: ViewFields> ViewFields for Option<V> {
    fn fields(schemas: &mut Schemas) -> Vec<Field> {
        V::fields(schemas).into_iter().map(Field::seldom).collect()
    }
}

impl<T: Described> Described for Vec<T> {
    fn schema(schemas: &mut Schemas) -> Schema {
        each(T::schema(schemas)).into()
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of views. Its cursor points to the last item, if the list has more.
    pub(super) fn of<I>(
        listed: &Listed<I>,
        cursor: impl Fn(&I) -> String,
        view: impl FnMut(&I) -> T,
    ) -> Self {
        let last = listed.items.last().filter(|_last| listed.more);
        Self { items: listed.items.iter().map(view).collect(), next_cursor: last.map(cursor) }
    }
}

impl<T: Described> Described for Page<T> {
    fn schema(schemas: &mut Schemas) -> Schema {
        schema::page(T::schema(schemas))
    }
}

/// A page of a list that is sorted by name.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct NamePage<T>(pub(super) Page<T>);

impl<T: Described> Described for NamePage<T> {
    fn schema(schemas: &mut Schemas) -> Schema {
        schema::page_by_name(T::schema(schemas))
    }
}
