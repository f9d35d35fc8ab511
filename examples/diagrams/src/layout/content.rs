//! The elements of a diagram as JSON.

use serde_json::{Map, Value, json};
use uuid::Builder;

use crate::inventory::{Inventory, Resource};
use crate::render::{Projection, Theme};

use super::Choices;
use super::arrangement::{Arrangement, NETWORK_PADDING, REGION_PADDING, SUBNET_PADDING};
use super::blocks::{Corner, Zone};
use super::connections::{Connection, Reason, connections};
use super::scene::{Home, Scene};

/// Longer texts of a cloud are cut.
const TEXT_CHARS_MAX: usize = 255;
const ID_CHARS_MAX: usize = 2_048;
/// The members of a component that come from the cloud.
const MEMBERS_MAX: usize = 32;
/// The version of the diagrams that are made.
const VERSION: u32 = 6;
/// The tint of zones on the ground of networks.
const ZONE_COLOUR: &str = "#4a86c8";

pub(super) fn of(
    scene: &Scene<'_>,
    arrangement: &Arrangement,
    inventory: &Inventory,
    choices: &Choices,
) -> Value {
    let ids: Vec<String> =
        scene.components.iter().map(|shown| id_of("component", &shown.resource.id)).collect();
    let placed = scene.components.iter().zip(&arrangement.corners).zip(&ids);
    let nodes: Vec<Value> = placed
        .map(|((shown, corner), id)| {
            let mut node = node(shown.resource, choices.labels);
            node.insert("id".to_owned(), id.as_str().into());
            node.insert("mapPos".to_owned(), place(*corner));
            node.insert("region".to_owned(), cut(&inventory.region).into());
            Value::Object(node)
        })
        .collect();
    let connections = if choices.connections { connections(scene) } else { Vec::new() };
    let edges: Vec<Value> = connections.iter().filter_map(|it| edge(*it, &ids)).collect();
    let zones = arrangement.zones.iter().filter(|_| !choices.excludes("zone"));
    let notice = nodes.is_empty().then(|| notice(&inventory.region));
    let mut content = frame(choices);
    for (list, elements) in [
        ("nodes", nodes),
        ("edges", edges),
        ("groups", groups(scene, &ids, inventory, choices)),
        ("surfaces", zones.map(surface).collect()),
        ("text", notice.into_iter().collect()),
        ("icons", Vec::new()),
        ("images", Vec::new()),
        ("connectors", Vec::new()),
    ] {
        content.insert(list.to_owned(), elements.into());
    }
    Value::Object(content)
}

/// The members that are not lists of elements.
fn frame(choices: &Choices) -> Map<String, Value> {
    let projection = match choices.projection {
        Projection::Isometric => "isometric",
        Projection::Flat => "2d",
    };
    let theme = match choices.theme {
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    let terms: Vec<&str> = choices.filter.text().into_iter().collect();
    let members = [
        ("name", cut(&choices.title).into()),
        ("version", VERSION.into()),
        ("grid", "infinite".into()),
        ("projection", projection.into()),
        ("theme", json!({"base": theme})),
        ("shareDocs", false.into()),
        ("disabledLayers", json!([])),
        ("liveAccount", json!({"id": choices.account.id, "type": choices.account.cloud})),
        (
            "liveOptions",
            json!({
                "autoLabel": choices.labels,
                "autoConnect": choices.connections,
                "excludedTypes": choices.exclude,
                "searchTerms": terms,
                "updatesEnabled": false,
                "updateAllOnScan": false,
                "updateGroupsOnScan": false,
                "updateNodeOnSelect": false,
            }),
        ),
    ];
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// A component without its id and place.
fn node(resource: &Resource, has_name: bool) -> Map<String, Value> {
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    let members = resource.members.iter().filter(|(_, value)| is_plain(value)).take(MEMBERS_MAX);
    let mut node: Map<String, Value> = members
        .map(|(name, value)| {
            let cut = value.as_str().map(|text| cut(text).into());
            (name.clone(), cut.unwrap_or_else(|| value.clone()))
        })
        .collect();
    drop(node.remove("name"));
    if has_name {
        node.insert("name".to_owned(), cut(name_or_id(&resource.name, &resource.id)).into());
    }
    node.insert("type".to_owned(), cut(&resource.kind).into());
    node.insert("resourceId".to_owned(), first(&resource.id, ID_CHARS_MAX).into());
    node
}

/// The groups, from the innermost to the outermost.
fn groups(
    scene: &Scene<'_>,
    ids: &[String],
    inventory: &Inventory,
    choices: &Choices,
) -> Vec<Value> {
    let homes = scene.by_home();
    let members = |home: Home| -> Vec<&str> {
        let places = homes.get(&home).into_iter().flatten();
        places.filter_map(|place| ids.get(*place)).map(String::as_str).collect()
    };
    let (mut subnets, mut networks) = (Vec::new(), Vec::new());
    for (at, grounds) in scene.networks.iter().enumerate() {
        let mut all = members(Home::Network(at));
        for (place, subnet) in grounds.subnets.iter().enumerate() {
            let inside = members(Home::Subnet(at, place));
            subnets.push(json!({
                "id": id_of("subnet", &subnet.id),
                "type": "subnet",
                "name": named_range(name_or_id(&subnet.name, &subnet.id), &subnet.range),
                "shape": "dynamic",
                "padding": units(SUBNET_PADDING),
                "nodes": inside,
            }));
            all.extend(inside);
        }
        let network = grounds.network;
        networks.push(json!({
            "id": id_of("network", &network.id),
            "type": "vpc",
            "name": named_range(name_or_id(&network.name, &network.id), &network.range),
            "shape": "dynamic",
            "padding": units(NETWORK_PADDING),
            "nodes": all,
        }));
    }
    let region = (!ids.is_empty()).then(|| region(inventory, ids));
    let lists = [("subnet", subnets), ("vpc", networks), ("region", region.into_iter().collect())];
    let kept = lists.into_iter().filter(|(kind, _)| !choices.excludes(kind));
    kept.flat_map(|(_, groups)| groups).collect()
}

fn region(inventory: &Inventory, ids: &[String]) -> Value {
    let (account, region) = (inventory.account.as_str(), inventory.region.as_str());
    let title = if account.is_empty() { region.to_owned() } else { format!("{region}, {account}") };
    json!({
        "id": region_id(account, region),
        "type": "region",
        "name": cut(&title),
        "region": cut(region),
        "shape": "rectangular",
        "visible": true,
        "padding": units(REGION_PADDING),
        "nodes": ids,
    })
}

fn surface(zone: &Zone) -> Value {
    // The zones of Azure are numbers.
    let is_number = !zone.name.is_empty() && zone.name.bytes().all(|it| it.is_ascii_digit());
    let name = if is_number { format!("zone {}", zone.name) } else { zone.name.clone() };
    let corner = zone.corner;
    json!({
        "id": id_of("zone", &format!("{} {} {}", zone.name, corner.x, corner.y)),
        "type": "zone",
        "color": ZONE_COLOUR,
        "name": cut(&name),
        "mapPos": place(corner),
        "mapSize": [units(zone.width), units(zone.depth)],
    })
}

fn edge(connection: Connection, ids: &[String]) -> Option<Value> {
    let (from, to) = (ids.get(connection.from)?, ids.get(connection.to)?);
    Some(json!({
        "id": id_of("edge", &format!("{from} {to}")),
        "type": "edge",
        "from": from,
        "to": to,
        "width": 2,
        "dashed": connection.reason == Reason::Accepts,
        "endCap": "arrow",
    }))
}

/// The text of a picture without components.
fn notice(region: &str) -> Value {
    json!({
        "id": id_of("text", "notice"),
        "type": "isotext",
        "text": cut(&format!("No resources in {region}")),
        "textSize": 25,
        "mapPos": [0, 0],
        "isometric": false,
    })
}

fn named_range(name: &str, range: &str) -> String {
    if range.is_empty() { cut(name) } else { cut(&format!("{name} {range}")) }
}

/// The name; without one, the last part of the id.
fn name_or_id<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.trim().is_empty() {
        return id.rsplit(['/', ':']).find(|part| !part.is_empty()).unwrap_or(id);
    }
    name
}

/// An id that depends on nothing but the id of a resource of the cloud, and is a UUID as some clients want.
fn id_of(kind: &str, id: &str) -> String {
    let mut bytes = [0; 16];
    digest(kind, id).fill(&mut bytes);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The ten digits of a region's id.
fn region_id(account: &str, region: &str) -> String {
    let mut bytes = [0; 8];
    digest(account, region).fill(&mut bytes);
    format!("{:010}", u64::from_be_bytes(bytes) % 10_000_000_000)
}

fn digest(kind: &str, id: &str) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(&[0]).update(id.as_bytes());
    hasher.finalize_xof()
}

fn place(corner: Corner) -> Value {
    json!([units(corner.x), units(corner.y)])
}

/// A length in grid units.
fn units(halves: usize) -> Value {
    if halves.is_multiple_of(2) {
        return (halves / 2).into();
    }
    (f64::from(u32::try_from(halves).unwrap_or(u32::MAX)) / 2.0).into()
}

fn cut(text: &str) -> String {
    first(text, TEXT_CHARS_MAX)
}

fn first(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}
