//! The page on metrics, from a scrape.

use std::collections::BTreeSet;

use super::{Table, code, codes};

const INTRODUCTION: &str = "\
# Metrics

`GET /metrics` returns these in the text format of Prometheus. The listener of `--metrics-listen` serves
them without a credential, together with health, and serves nothing else. Elsewhere they need
`keyhouse:instance:manage`. [alerts.yml](../../examples/alerts.yml) and the
[dashboard](../../examples/grafana-dashboard.json) use them.

A label has a value from a fixed list, or the name of a gate. No label holds a key, a user or an address.

";

/// The one metric that has no sample before the first request, and its labels.
const WITHOUT_SAMPLE: (&str, [&str; 2]) = ("keyhouse_http_requests_total", ["status", "surface"]);

pub(super) fn page(scrape: &str) -> String {
    let mut table = Table::new(["metric", "type", "labels", "meaning"]);
    let mut kinds = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in scrape.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|it| it.split_once(' '))
        else {
            continue;
        };
        let kind = kinds.find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        let mut labels = labels_of(scrape, name);
        if name == WITHOUT_SAMPLE.0 {
            labels.extend(WITHOUT_SAMPLE.1.map(str::to_owned));
        }
        let labels = codes(labels.iter().map(String::as_str), ", ");
        table.row([&code(name), kind.unwrap_or_default(), &labels, help]);
    }
    format!("{INTRODUCTION}{}", table.text)
}

/// The names of a metric's labels. `le` is the bucket of a histogram.
fn labels_of(scrape: &str, name: &str) -> BTreeSet<String> {
    let series = scrape.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = rest.strip_prefix("_bucket").unwrap_or(rest);
        rest.strip_prefix('{')?.split_once('}').map(|(labels, _)| labels)
    });
    let names = series.flat_map(|labels| labels.split(',')).filter_map(|it| it.split('=').next());
    names.filter(|name| *name != "le").map(str::to_owned).collect()
}
