//! Benchmark of drawing 100 components as SVG, and as PNG of 1,200 pixels, on one core.
//!
//! `cargo bench -p keyhouse-diagrams --bench render`. Quote the median.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark reads the clock, prints, and stops at the first failure"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use keyhouse_diagrams::render::{Format, Options, render};
use serde_json::{Value, json};

/// 100 components with 120 connectors in groups.
fn diagram() -> Value {
    let types = ["ec2", "rds", "elb", "lambda", "s3", "sqs", "dynamodb", "a-new-type"];
    let nodes: Vec<Value> = (0..100_usize)
        .map(|index| {
            let (column, row) = (index % 10, index / 10);
            json!({
                "id": format!("n{index}"), "type": types[index % types.len()],
                "name": format!("service-{index}"), "mapPos": [column * 4, row * 4],
                "instanceType": "m6i", "instanceSize": "large",
            })
        })
        .collect();
    let edges: Vec<Value> = (0..120_usize)
        .map(|index| {
            let from = index * 37 % 100;
            let to = (from + if index % 2 == 0 { 1 } else { 12 }) % 100;
            json!({"type": "edge", "from": format!("n{from}"), "to": format!("n{to}")})
        })
        .collect();
    let groups: Vec<Value> = (0..10_usize)
        .map(|row| {
            let members: Vec<String> =
                (0..10).map(|column| format!("n{}", row * 10 + column)).collect();
            json!({"type": "subnet", "name": format!("Row {row}"), "padding": 0.5, "nodes": members})
        })
        .collect();
    json!({"name": "100 components", "nodes": nodes, "edges": edges, "groups": groups})
}

fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}

fn main() {
    let diagram = diagram();
    for (name, options, rounds) in [
        ("SVG", Options::of(Format::Svg), 101),
        ("PNG, 1,200 px", Options { width: Some(1_200), ..Options::of(Format::Png) }, 11),
        ("PDF", Options::of(Format::Pdf), 11),
        ("mxGraph", Options::of(Format::MxGraph), 101),
    ] {
        let bytes = render(&diagram, &options).unwrap().len();
        let time = median(rounds, || {
            black_box(render(black_box(&diagram), &options).unwrap());
        });
        println!("{name}: {time:.2?}, {bytes} bytes");
    }
}
