//! Every bench of `./bench` has a module and a line of help, and docs/benchmarks.md has sections of benches only.

use std::fs;
use std::path::Path;

#[test]
fn benches_are_named_everywhere() {
    let script = fs::read_to_string("bench").unwrap();
    let driver = fs::read_to_string("benches/driver/__main__.py").unwrap();
    let page = fs::read_to_string("docs/benchmarks.md").unwrap();
    let list = between(&script, "\nreadonly BENCHES=(", ")");
    let benches: Vec<&str> = list.split_whitespace().collect();
    let of_driver: String = between(&driver, "\nBENCHES = [", "]").replace(['"', ','], "");
    assert_eq!(of_driver, list, "benches/driver/__main__.py lists other benches than ./bench");
    assert!(benches.len() > 1, "{list}");
    let mut faults = Vec::new();
    for bench in &benches {
        let module = format!("benches/driver/{bench}.py");
        let help = format!("\n# {bench} ");
        for (has, place) in [
            (Path::new(&module).exists(), module.as_str()),
            (script.contains(&help), "the help of ./bench"),
        ] {
            if !has {
                faults.push(format!("{bench}: not in {place}"));
            }
        }
    }
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(!sections.is_empty(), "docs/benchmarks.md has no section");
    for section in sections.iter().filter(|section| !benches.contains(section)) {
        faults.push(format!("docs/benchmarks.md: {section} is no bench"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(list, _)| list)
}
