//! Properties of layouts over many generated inventories.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::inventory::Resource;
use crate::layout::generated::{HOSTILE, Numbers, generated};
use crate::render::{self, Format, Options};

fn laid_out(inventory: &Inventory) -> Value {
    diagram(inventory, &Choices::of("test")).unwrap()
}

fn overlaps(one: [f64; 4], two: [f64; 4]) -> bool {
    one[0] < two[2] && two[0] < one[2] && one[1] < two[3] && two[1] < one[3]
}

fn contains(outer: [f64; 4], inner: [f64; 4]) -> bool {
    outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3]
}

fn list<'a>(diagram: &'a Value, name: &str) -> &'a [Value] {
    diagram[name].as_array().unwrap()
}

fn ids(group: &Value) -> BTreeSet<&str> {
    list(group, "nodes").iter().map(|id| id.as_str().unwrap()).collect()
}

#[test]
fn no_two_components_overlap_and_groups_hold_their_members_only() {
    for seed in 0..60 {
        let count = [300, 60, 7, 1][usize::try_from(seed).unwrap() % 4];
        let diagram = laid_out(&generated(seed, count));
        let [components, grounds] = render::grounds(&diagram);
        assert_eq!(components.len(), count);
        for (at, (id, ground)) in components.iter().enumerate() {
            for (other, its_ground) in &components[at + 1..] {
                assert!(!overlaps(*ground, *its_ground), "seed {seed}: {id} and {other}");
            }
        }
        let groups = Grounds { components, groups: grounds.into_iter().collect() };
        groups.check(list(&diagram, "groups"), seed);
    }
}

/// The grounds of the components and the groups of a diagram.
struct Grounds {
    components: Vec<(String, [f64; 4])>,
    groups: BTreeMap<String, [f64; 4]>,
}

impl Grounds {
    fn of(&self, group: &Value) -> [f64; 4] {
        self.groups[group["id"].as_str().unwrap()]
    }

    /// Each group is around its members and the groups of its members, and touches nothing else.
    fn check(&self, groups: &[Value], seed: u64) {
        assert_eq!(self.groups.len(), groups.len());
        for (at, group) in groups.iter().enumerate() {
            let (ground, members) = (self.of(group), ids(group));
            for (id, inner) in &self.components {
                let is_fine = if members.contains(id.as_str()) {
                    contains(ground, *inner)
                } else {
                    !overlaps(ground, *inner)
                };
                assert!(is_fine, "seed {seed}: {} and {id}", group["name"]);
            }
            for other in &groups[at + 1..] {
                let is_fine = if members.is_subset(&ids(other)) {
                    contains(self.of(other), ground)
                } else {
                    !overlaps(self.of(other), ground)
                };
                assert!(is_fine, "seed {seed}: {} and {}", group["name"], other["name"]);
            }
        }
    }
}

#[test]
fn a_zone_holds_its_subnets_and_is_inside_its_network() {
    let mut count = 0;
    for seed in 0..40 {
        let diagram = laid_out(&generated(seed, 120));
        let [_, grounds] = render::grounds(&diagram);
        let grounds: BTreeMap<String, [f64; 4]> = grounds.into_iter().collect();
        let of_kind = |kind: &'static str| {
            let groups = list(&diagram, "groups").iter();
            groups
                .filter(move |group| group["type"] == kind)
                .map(|it| grounds[it["id"].as_str().unwrap()])
        };
        for zone in list(&diagram, "surfaces") {
            let number = |name: &str, at: usize| zone[name][at].as_f64().unwrap();
            let (x, y) = (number("mapPos", 0), number("mapPos", 1));
            let zone = [x, y, x + number("mapSize", 0), y + number("mapSize", 1)];
            assert_eq!(
                of_kind("vpc").filter(|network| contains(*network, zone)).count(),
                1,
                "seed {seed}"
            );
            let inside = of_kind("subnet").filter(|subnet| contains(zone, *subnet)).count();
            let touched = of_kind("subnet").filter(|subnet| overlaps(zone, *subnet)).count();
            assert!(inside > 0 && inside == touched, "seed {seed}: {inside} of {touched}");
            count += 1;
        }
    }
    assert!(count > 40, "{count} zones");
}

#[test]
fn the_order_of_the_lists_does_not_matter() {
    for seed in 0..20 {
        let inventory = generated(seed, 80);
        let mut other = inventory.clone();
        let mut numbers = Numbers(seed + 1000);
        numbers.shuffle(&mut other.networks);
        numbers.shuffle(&mut other.groups);
        numbers.shuffle(&mut other.resources);
        other.networks.iter_mut().for_each(|it| numbers.shuffle(&mut it.subnets));
        other.groups.iter_mut().for_each(|it| numbers.shuffle(&mut it.accepts_from));
        for resource in &mut other.resources {
            numbers.shuffle(&mut resource.subnets);
            numbers.shuffle(&mut resource.forwards_to);
        }
        let texts = [&inventory, &other].map(|it| laid_out(it).to_string());
        assert_eq!(texts[0], texts[1], "seed {seed}");
    }
}

#[test]
fn the_same_inventory_gives_the_same_pictures() {
    let inventory = generated(3, 40);
    for format in [Format::Svg, Format::Png, Format::MxGraph] {
        let options = Options { width: Some(600), ..Options::of(format) };
        let [one, two] = [0, 1].map(|_| render::render(&laid_out(&inventory), &options).unwrap());
        assert!(one == two, "{format}");
    }
}

#[test]
fn texts_of_the_cloud_are_only_shown() {
    for seed in 0..8 {
        let mut inventory = generated(seed, 60);
        for (at, text) in HOSTILE.iter().enumerate() {
            let long = format!("{text}{}", "x".repeat(5_000));
            inventory.resources[at].name.clone_from(&long);
            inventory.resources[at + 5].kind = (*text).to_owned();
            inventory.resources[at + 10]
                .members
                .insert("instanceType".to_owned(), long.clone().into());
            inventory.account.clone_from(&long);
            for network in &mut inventory.networks {
                network.name.clone_from(&long);
                network.subnets.iter_mut().for_each(|subnet| subnet.zone = long.clone());
            }
        }
        let diagram = laid_out(&inventory);
        for format in [Format::Svg, Format::MxGraph] {
            let bytes = render::render(&diagram, &Options::of(format)).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            roxmltree::Document::parse(&text).unwrap();
            assert!(!text.contains("<script"), "seed {seed}");
        }
    }
}

/// Two web servers and a database in one network, with a load balancer in front.
fn shop() -> Inventory {
    let server = |id: &str, group: &str, subnet: &str| json!({"id": id, "name": id, "kind": "ec2", "network": "vpc-1", "subnets": [subnet], "groups": [group]});
    let inventory = json!({
        "account": "123456789012", "region": "eu-west-1",
        "networks": [{
            "id": "vpc-1", "name": "main", "range": "10.0.0.0/16",
            "subnets": [{"id": "s-a", "zone": "a"}, {"id": "s-b", "zone": "b"}, {"id": "s-empty", "zone": "b"}],
        }],
        "groups": [
            {"id": "sg-web", "name": "web", "accepts_from": ["sg-lb", "sg-web"]},
            {"id": "sg-db", "name": "db", "accepts_from": ["sg-web"]},
        ],
        "resources": [
            server("web-1", "sg-web", "s-a"),
            server("web-2", "sg-web", "s-b"),
            {"id": "db", "kind": "rds", "network": "vpc-1", "subnets": ["s-a", "s-b"], "groups": ["sg-db"]},
            {"id": "arn:aws:elb/entry", "kind": "elb", "subnets": ["s-b", "s-a"], "groups": ["sg-lb"],
             "forwards_to": ["web-2", "gone", "web-1"], "tags": {"env": "prod"}},
            {"id": "bucket", "name": "files", "kind": "s3", "network": "vpc-gone"},
        ],
    });
    serde_json::from_value(inventory).unwrap()
}

/// The names of both ends of each connector, and whether it is dashed.
fn named_edges(diagram: &Value) -> Vec<(String, String, bool)> {
    let names: BTreeMap<&str, &str> = list(diagram, "nodes")
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node["resourceId"].as_str().unwrap()))
        .collect();
    let name = |id: &Value| names[id.as_str().unwrap()].to_owned();
    list(diagram, "edges")
        .iter()
        .map(|edge| (name(&edge["from"]), name(&edge["to"]), edge["dashed"].as_bool().unwrap()))
        .collect()
}

#[test]
fn resources_are_in_their_networks_and_connected() {
    let diagram = laid_out(&shop());
    let kinds: Vec<&str> =
        list(&diagram, "groups").iter().map(|group| group["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["subnet", "subnet", "vpc", "region"]);
    let sizes: Vec<usize> = list(&diagram, "groups").iter().map(|group| ids(group).len()).collect();
    assert_eq!(sizes, [1, 1, 4, 5]);
    let mut edges = named_edges(&diagram);
    edges.sort();
    let expected = [
        ("arn:aws:elb/entry", "web-1", false),
        ("arn:aws:elb/entry", "web-2", false),
        ("web-1", "db", true),
        ("web-2", "db", true),
    ];
    let expected = expected.map(|(from, to, dashed)| (from.to_owned(), to.to_owned(), dashed));
    assert_eq!(edges, expected);
    let names: BTreeSet<&str> =
        list(&diagram, "nodes").iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["db", "entry", "files", "web-1", "web-2"]));
    let x = |id: &str| {
        let node = list(&diagram, "nodes").iter().find(|node| node["resourceId"] == id).unwrap();
        node["mapPos"][0].as_f64().unwrap()
    };
    assert!(x("arn:aws:elb/entry") < x("web-1") && x("web-1") < x("db") && x("db") < x("bucket"));
}

#[test]
fn a_choice_changes_what_it_names() {
    let of = |change: &dyn Fn(&mut Choices)| {
        let mut choices = Choices::of("test");
        change(&mut choices);
        diagram(&shop(), &choices).unwrap()
    };
    let shown = |diagram: &Value| -> Vec<String> {
        let ids = list(diagram, "nodes").iter();
        ids.map(|node| node["resourceId"].as_str().unwrap().to_owned()).collect()
    };
    let all = of(&|_| {});
    assert_eq!(shown(&all).len(), 5);
    for (filter, expected) in [
        ("type=ec2", vec!["web-1", "web-2"]),
        ("vpc=main NOT type=ec2", vec!["db", "arn:aws:elb/entry"]),
        ("vpc=vpc-1 zone=a type=ec2", vec!["web-1"]),
        ("subnet=s-b type=ec2", vec!["web-2"]),
        ("sg=DB", vec!["db"]),
        ("env=prod OR files", vec!["bucket", "arn:aws:elb/entry"]),
        ("id=bucket", vec!["bucket"]),
        ("name=web-1", vec!["web-1"]),
        ("prod", vec!["arn:aws:elb/entry"]),
        ("nothing", vec![]),
    ] {
        let found = of(&|choices| choices.filter = Filter::parse(filter).unwrap());
        let (mut found, mut expected) = (shown(&found), expected);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    let less = of(&|choices| choices.exclude = vec!["EC2".to_owned(), "subnet".to_owned()]);
    assert_eq!((shown(&less).len(), list(&less, "groups").len()), (3, 2));
    let unnamed = of(&|choices| choices.labels = false);
    assert!(list(&unnamed, "nodes").iter().all(|node| node.get("name").is_none()));
    assert!(list(&of(&|choices| choices.connections = false), "edges").is_empty());
    let flat = of(&|choices| choices.projection = Projection::Flat);
    assert_eq!((&all["projection"], &flat["projection"]), (&json!("isometric"), &json!("2d")));
    let dark = of(&|choices| choices.theme = Theme::Dark);
    assert_eq!(
        (&all["theme"], &dark["theme"]),
        (&json!({"base": "light"}), &json!({"base": "dark"}))
    );
    let nothing = of(&|choices| choices.filter = Filter::parse("nothing").unwrap());
    assert_eq!(nothing["text"][0]["text"], "No resources in eu-west-1");
    assert_eq!(nothing["liveOptions"]["searchTerms"], json!(["nothing"]));
}

/// A rule between two groups of 200 members each would give 40,000 connectors.
#[test]
fn large_groups_get_few_connectors() {
    let mut inventory = shop();
    inventory.resources.clear();
    for at in 0..400 {
        inventory.resources.push(Resource {
            id: format!("id-{at:03}"),
            kind: "ec2".to_owned(),
            network: Some("vpc-1".to_owned()),
            subnets: vec![if at % 4 < 2 { "s-a" } else { "s-b" }.to_owned()],
            groups: vec![if at % 2 == 0 { "sg-web" } else { "sg-db" }.to_owned()],
            ..Resource::default()
        });
    }
    let edges = named_edges(&laid_out(&inventory));
    let pairs: Vec<(&str, &str)> =
        edges.iter().map(|(from, to, _)| (from.as_str(), to.as_str())).collect();
    assert_eq!(
        pairs,
        [("id-000", "id-001"), ("id-000", "id-003"), ("id-002", "id-001"), ("id-002", "id-003")]
    );
    inventory.resources[0].forwards_to = (1..400).map(|at| format!("id-{at:03}")).collect();
    let edges = named_edges(&laid_out(&inventory));
    assert_eq!(edges.iter().filter(|(_, _, is_rule)| !is_rule).count(), 2);
}

#[test]
fn connectors_and_components_have_maxima() {
    let mut inventory = shop();
    inventory.resources = (0..COMPONENTS_MAX)
        .map(|at| Resource {
            id: format!("id-{at}"),
            kind: "lambda".to_owned(),
            forwards_to: vec![format!("id-{}", at + 1)],
            ..Resource::default()
        })
        .collect();
    let whole = laid_out(&inventory);
    assert_eq!(
        (list(&whole, "nodes").len(), list(&whole, "edges").len()),
        (COMPONENTS_MAX, EDGES_MAX)
    );
    render::render(&whole, &Options::of(Format::Svg)).unwrap();
    inventory.resources.push(Resource { id: "one more".to_owned(), ..Resource::default() });
    let error = diagram(&inventory, &Choices::of("test")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2001 resources are more than the maximum of 2000: leave some out"
    );
    let mut choices = Choices::of("test");
    choices.filter = Filter::parse("type=lambda").unwrap();
    assert!(diagram(&inventory, &choices).is_ok());
}
