//! The elements of a diagram, read and checked. Members that are not drawn are ignored.

use std::collections::BTreeMap;

use serde_json::Value;

use super::colour::Colours;
use super::fields::{Fields, Range, invalid};
use super::glyphs::{self, Glyph};
use super::kinds::{self, Kind};
use super::lettering;
use super::limits::{
    COMPONENTS_MAX, ELEMENTS_MAX, GROUPS_MAX, LENGTH_MAX, MEMBERS_MAX, POINTS_MAX, TEXT_SIZE_MAX,
};
use super::plane::{Facing, Point, Rect, point};
use super::{Error, LISTS, Projection, Theme};

const LENGTHS: Range = Range { least: 0.05, greatest: LENGTH_MAX };
/// The letters of the diagram's title, which viewers show as a hint.
const TITLE_LETTERS_MAX: usize = 200;
/// The vendor's default size of an icon.
const ICON_SIZE: f64 = 3.0;
/// The grid units of one unit of the vendor's text sizes.
const TEXT_UNIT: f64 = 0.02;

#[derive(Debug)]
pub(super) struct Blueprint<'a> {
    pub title: String,
    pub theme: Theme,
    pub projection: Projection,
    pub components: Vec<Component<'a>>,
    pub edges: Vec<Edge>,
    pub groups: Vec<Group>,
    pub surfaces: Vec<Surface>,
    pub texts: Vec<Text>,
}

/// What is drawn at the place of a component.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    Solid(Kind),
    /// A pictogram on a disc; without one, the beginning of its name.
    Icon(Option<Glyph>, Facing),
    /// A frame for a picture that this service does not store.
    Picture(Facing),
}

/// A node, an icon or an image.
#[derive(Debug)]
pub(super) struct Component<'a> {
    pub id: String,
    pub body: Body,
    /// The ground that the component covers.
    pub ground: Rect,
    pub height: f64,
    pub title: String,
    pub detail: String,
    pub abbreviation: String,
    pub colours: Colours,
    pub accents: Colours,
    pub link: Option<&'a str>,
    pub is_transparent: bool,
}

/// A line between two components, by their places in the list.
#[derive(Debug)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    pub width_px: f64,
    pub is_dashed: bool,
    pub has_arrow: bool,
    pub label: String,
    pub colours: Colours,
}

/// The types of groups, from the innermost to the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Enclosure {
    Security,
    Scaling,
    Subnet,
    Network,
    Region,
}

#[derive(Debug)]
pub(super) struct Group {
    pub id: String,
    pub enclosure: Enclosure,
    pub name: String,
    pub padding: f64,
    pub members: Vec<String>,
    /// The ground of a group that has one of its own.
    pub ground: Option<Rect>,
    pub colours: Colours,
}

#[derive(Debug)]
pub(super) struct Surface {
    pub points: Vec<Point>,
    pub is_zone: bool,
    pub has_shadow: bool,
    pub name: String,
    pub colours: Colours,
    pub borders: Colours,
}

#[derive(Debug)]
pub(super) struct Text {
    pub at: Point,
    pub lines: Vec<String>,
    /// The font size in grid units.
    pub size: f64,
    pub facing: Facing,
    pub is_outlined: bool,
    pub colours: Colours,
}

impl<'a> Blueprint<'a> {
    pub(super) fn read(value: &'a Value) -> Result<Self, Error> {
        check_counts(value)?;
        let mut components = elements(value, "nodes", node)?;
        components.extend(elements(value, "icons", icon)?);
        components.extend(elements(value, "images", image)?);
        let places = places(&components);
        let mut edges = elements(value, "edges", |fields| edge(fields, &places))?;
        edges.extend(elements(value, "connectors", |fields| edge(fields, &places))?);
        let is_dark = value.pointer("/theme/base").and_then(Value::as_str) == Some("dark");
        let is_flat = value.get("projection").and_then(Value::as_str) == Some("2d");
        let title = value.get("name").and_then(Value::as_str).unwrap_or_default();
        Ok(Self {
            title: lettering::one_line(title).chars().take(TITLE_LETTERS_MAX).collect(),
            theme: if is_dark { Theme::Dark } else { Theme::Light },
            projection: if is_flat { Projection::Flat } else { Projection::Isometric },
            components,
            edges: edges.into_iter().flatten().collect(),
            groups: elements(value, "groups", group)?,
            surfaces: elements(value, "surfaces", surface)?,
            texts: elements(value, "text", text)?,
        })
    }
}

fn check_counts(value: &Value) -> Result<(), Error> {
    if !value.is_object() {
        return Err(invalid(String::new(), "must be an object"));
    }
    let count = |list: &str| value.get(list).and_then(Value::as_array).map_or(0, Vec::len);
    let too_many = |what: &str, most: usize| {
        Err(Error::TooLarge { detail: format!("more than {most} {what}") })
    };
    if LISTS.iter().map(|list| count(list)).sum::<usize>() > ELEMENTS_MAX {
        return too_many("elements", ELEMENTS_MAX);
    }
    if ["nodes", "icons", "images"].iter().map(|list| count(list)).sum::<usize>() > COMPONENTS_MAX {
        return too_many("nodes, icons and images", COMPONENTS_MAX);
    }
    if count("groups") > GROUPS_MAX {
        return too_many("groups", GROUPS_MAX);
    }
    Ok(())
}

fn elements<'a, T>(
    value: &'a Value,
    list: &'static str,
    read: impl Fn(&Fields<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let Some(list_value) = value.get(list).filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    let Some(values) = list_value.as_array() else {
        return Err(invalid(format!("/{list}"), "must be an array"));
    };
    let element = |(index, value)| read(&Fields::of(value, list, index)?);
    values.iter().enumerate().map(element).collect()
}

/// The place of each id; of two components with the same id, the first counts.
fn places(components: &[Component<'_>]) -> BTreeMap<String, usize> {
    let named = components.iter().enumerate().rev().filter(|(_, one)| !one.id.is_empty());
    named.map(|(index, component)| (component.id.clone(), index)).collect()
}

/// The name of an element for people: `name`, or `label`.
fn name(fields: &Fields<'_>) -> Result<String, Error> {
    let text = fields.text("name")?.or(fields.text("label")?).unwrap_or_default();
    Ok(lettering::one_line(text))
}

fn node<'a>(fields: &Fields<'a>) -> Result<Component<'a>, Error> {
    let type_name = fields.text("type")?.unwrap_or("block");
    let kind = Kind::of(type_name);
    let is_block = type_name == "block";
    let size = |member| if is_block { fields.number(member, LENGTHS) } else { Ok(None) };
    let at = fields.position()?;
    let (width, depth) = (size("width")?.unwrap_or(2.0), size("depth")?.unwrap_or(2.0));
    let default_title = if kind.title.is_empty() { type_name } else { kind.title };
    let own_name = name(fields)?;
    let is_anonymous_block = is_block && own_name.is_empty();
    let title = if own_name.is_empty() { lettering::one_line(default_title) } else { own_name };
    Ok(Component {
        id: fields.id("id")?.unwrap_or_default(),
        body: Body::Solid(kind),
        ground: Rect::of_size(at.x, at.y, width, depth),
        height: size("height")?.unwrap_or(if is_block { 1.0 } else { kind.height() }),
        title: if is_anonymous_block { String::new() } else { title },
        detail: kinds::detail(fields, type_name)?,
        abbreviation: kinds::abbreviation(type_name),
        colours: fields.colours("color"),
        accents: fields.colours("accentColor"),
        link: fields.link()?,
        is_transparent: fields.is("transparent"),
    })
}

fn icon<'a>(fields: &Fields<'a>) -> Result<Component<'a>, Error> {
    let own_name = fields.text("name")?.unwrap_or_default();
    let size = fields.number("iconSize", LENGTHS)?.unwrap_or(ICON_SIZE);
    let label = fields.text("label")?.unwrap_or_default();
    let mut component =
        flat_component(fields, Body::Icon(glyphs::named(own_name), facing(fields)?), size)?;
    component.title = lettering::one_line(label);
    component.abbreviation = kinds::abbreviation(own_name);
    component.accents = fields.colours("background");
    Ok(component)
}

fn image<'a>(fields: &Fields<'a>) -> Result<Component<'a>, Error> {
    let scale = fields.number("scale", LENGTHS)?.unwrap_or(1.0);
    let key = fields.text("key")?.unwrap_or_default();
    let mut component = flat_component(fields, Body::Picture(facing(fields)?), ICON_SIZE * scale)?;
    component.title = lettering::one_line(key.rsplit('/').next().unwrap_or_default());
    Ok(component)
}

/// A component without a height.
fn flat_component<'a>(fields: &Fields<'a>, body: Body, size: f64) -> Result<Component<'a>, Error> {
    let at = fields.position()?;
    Ok(Component {
        id: fields.id("id")?.unwrap_or_default(),
        body,
        ground: Rect::of_size(at.x, at.y, size, size),
        height: 0.0,
        title: String::new(),
        detail: String::new(),
        abbreviation: String::new(),
        colours: fields.colours("color"),
        accents: Colours::default(),
        link: fields.link()?,
        is_transparent: false,
    })
}

fn facing(fields: &Fields<'_>) -> Result<Facing, Error> {
    if fields.get("isometric").and_then(Value::as_bool) == Some(false) {
        return Ok(Facing::Screen);
    }
    let is_away = matches!(fields.text("direction")?, Some("up" | "right"));
    Ok(match (fields.is("standing"), is_away) {
        (false, false) => Facing::AlongX,
        (false, true) => Facing::AlongY,
        (true, false) => Facing::WallX,
        (true, true) => Facing::WallY,
    })
}

/// An edge; none if one of its ends is not in the diagram.
fn edge(fields: &Fields<'_>, places: &BTreeMap<String, usize>) -> Result<Option<Edge>, Error> {
    let end = |member| Ok::<_, Error>(fields.id(member)?.and_then(|id| places.get(&id).copied()));
    let (Some(from), Some(to)) = (end("from")?, end("to")?) else { return Ok(None) };
    if from == to {
        return Ok(None);
    }
    let widths = Range { least: 0.5, greatest: 12.0 };
    Ok(Some(Edge {
        from,
        to,
        width_px: fields.clamped("width", widths)?.unwrap_or(2.0),
        is_dashed: fields.is("dashed"),
        has_arrow: fields.text("endCap")?.is_none_or(|cap| cap != "none"),
        label: name(fields)?,
        colours: fields.colours("color"),
    }))
}

fn group(fields: &Fields<'_>) -> Result<Group, Error> {
    let enclosure = match fields.text("type")?.unwrap_or_default() {
        "sg" => Enclosure::Security,
        "asg" => Enclosure::Scaling,
        "subnet" => Enclosure::Subnet,
        "region" => Enclosure::Region,
        _ => Enclosure::Network,
    };
    let mut own_name = name(fields)?;
    if own_name.is_empty() && enclosure == Enclosure::Region {
        own_name = lettering::one_line(fields.text("region")?.unwrap_or_default());
    }
    let size = fields.pair("mapSize", LENGTHS)?;
    let ground = match size {
        Some(size) => {
            let at = fields.position()?;
            Some(Rect::of_size(at.x, at.y, size.x, size.y))
        },
        None => None,
    };
    let paddings = Range { least: 0.0, greatest: 20.0 };
    let ids = fields.list("nodes", MEMBERS_MAX)?.iter().filter_map(Value::as_str);
    Ok(Group {
        id: fields.id("id")?.unwrap_or_default(),
        enclosure,
        name: own_name,
        padding: fields.clamped("padding", paddings)?.unwrap_or(match enclosure {
            Enclosure::Security => 0.5,
            Enclosure::Scaling => 1.25,
            Enclosure::Subnet | Enclosure::Network | Enclosure::Region => 1.5,
        }),
        members: ids.map(str::to_owned).collect(),
        ground,
        colours: fields.colours("color"),
    })
}

fn surface(fields: &Fields<'_>) -> Result<Surface, Error> {
    let at = fields.position()?;
    let points = fields.points("points", POINTS_MAX)?;
    let points: Vec<Point> = if points.is_empty() {
        let size = fields.pair("mapSize", LENGTHS)?.unwrap_or(point(4.0, 4.0));
        Rect::of_size(at.x, at.y, size.x, size.y).corners().to_vec()
    } else {
        points.iter().map(|corner| at.plus(corner.x, corner.y)).collect()
    };
    Ok(Surface {
        points,
        is_zone: fields.text("type")? != Some("area"),
        has_shadow: fields.is("shadow"),
        name: name(fields)?,
        colours: fields.colours("color"),
        borders: fields.colours("borderColor"),
    })
}

fn text(fields: &Fields<'_>) -> Result<Text, Error> {
    let sizes = Range { least: 5.0, greatest: TEXT_SIZE_MAX };
    Ok(Text {
        at: fields.position()?,
        lines: lettering::lines(fields.text("text")?.unwrap_or_default()),
        size: fields.clamped("textSize", sizes)?.unwrap_or(25.0) * TEXT_UNIT,
        facing: facing(fields)?,
        is_outlined: fields.is("outline"),
        colours: fields.colours("color"),
    })
}
