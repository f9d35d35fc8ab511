//! What the components of a diagram cost, as a table: counted by type, region and attributes.
//!
//! A component whose price the table does not have is listed without a price: a sum without it would be too low
//! unnoticed.

pub(crate) mod csv;
pub(crate) mod prices;
pub(crate) mod xlsx;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::query::Query;
use crate::refusal::Faults;
use prices::Prices;

/// The columns before the attributes.
const COLUMNS: [&str; 6] = ["category", "type", "region", "count", "unitPrice", "cost"];
/// The members of a component that have a column each.
const ATTRIBUTES: [&str; 15] = [
    "instanceType",
    "instanceSize",
    "platform",
    "role",
    "engine",
    "storage",
    "dataGb",
    "multiAZ",
    "volumeType",
    "elbType",
    "architecture",
    "memory",
    "tier",
    "instance",
    "reservationTerm",
];
/// A twelfth of a year of 365 days.
const HOURS_A_MONTH: f64 = 730.0;
/// A type that only draws.
const WITHOUT_COST: &str = "block";
/// Longer texts are cut.
const TEXT_CHARS_MAX: usize = 100;
const CURRENCIES: [(&str, &str); 13] = [
    ("USD", "USD"),
    ("AUD", "AUD"),
    ("CHF", "CHF"),
    // The vendor's documentation writes CKK, which is no currency.
    ("CKK", "CZK"),
    ("CZK", "CZK"),
    ("EUR", "EUR"),
    ("GBP", "GBP"),
    ("HKD", "HKD"),
    ("JPY", "JPY"),
    ("NOK", "NOK"),
    ("NZD", "NZD"),
    ("SEK", "SEK"),
    ("ZAR", "ZAR"),
];

/// The formats of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetFormat {
    Csv,
    Xlsx,
}

/// The time that a budget covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Which part of a reserved price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// With the fee that is paid at the beginning.
    Effective,
    /// Without it.
    Stated,
}

/// What the caller of a budget chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetOptions {
    pub(crate) currency: &'static str,
    pub(crate) period: Period,
    pub(crate) rate: Rate,
}

/// Why a budget could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BudgetError {
    #[error("csv: {0}")]
    Csv(#[from] ::csv::Error),
    #[error("csv: {0}")]
    CsvEnd(String),
    #[error("xlsx: {0}")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
}

/// One row: equal components.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) category: String,
    pub(crate) kind: String,
    pub(crate) region: String,
    pub(crate) count: u32,
    /// The price of one component; `None` if the table does not have it.
    pub(crate) unit_price: Option<f64>,
    pub(crate) attributes: Vec<String>,
}

impl Row {
    pub(crate) fn cost(&self) -> Option<f64> {
        self.unit_price.map(|price| price * f64::from(self.count))
    }
}

impl BudgetFormat {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

impl Period {
    fn hours(self) -> f64 {
        match self {
            Self::Hour => 1.0,
            Self::Day => 24.0,
            Self::Week => 168.0,
            Self::Month => HOURS_A_MONTH,
            Self::Year => 8760.0,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

impl BudgetOptions {
    pub(crate) fn of(query: &Query, faults: &mut Faults) -> Self {
        let periods = [
            ("h", Period::Hour),
            ("d", Period::Day),
            ("w", Period::Week),
            ("m", Period::Month),
            ("y", Period::Year),
            ("hour", Period::Hour),
            ("day", Period::Day),
            ("week", Period::Week),
            ("month", Period::Month),
            ("year", Period::Year),
        ];
        let rates = [("effective", Rate::Effective), ("stated", Rate::Stated)];
        Self {
            currency: query.choice("currency", &CURRENCIES, faults).unwrap_or("USD"),
            period: query.choice("period", &periods, faults).unwrap_or(Period::Month),
            rate: query.choice("rate", &rates, faults).unwrap_or(Rate::Effective),
        }
    }
}

/// The rows of a diagram, in the order of their columns.
pub(crate) fn rows(content: &Value, prices: &Prices, options: BudgetOptions) -> Vec<Row> {
    let mut rows: BTreeMap<(Vec<String>, Option<String>), Row> = BTreeMap::new();
    let nodes = content.get("nodes").and_then(Value::as_array);
    for node in nodes.into_iter().flatten() {
        let kind = text(node.get("type"));
        if kind == WITHOUT_COST {
            continue;
        }
        let row = Row {
            category: prices.category(&kind).to_owned(),
            region: text(node.get("region")),
            count: 0,
            unit_price: prices.of(&kind, node, options).map(rounded),
            attributes: ATTRIBUTES.iter().map(|name| text(node.get(name))).collect(),
            kind,
        };
        let texts = [&row.category, &row.kind, &row.region].into_iter().chain(&row.attributes);
        let key = (texts.cloned().collect(), row.unit_price.map(|price| price.to_string()));
        rows.entry(key).or_insert(row).count += 1;
    }
    rows.into_values().collect()
}

/// Six digits, so that the price that is shown is the one that is multiplied.
fn rounded(price: f64) -> f64 {
    (price * 1e6).round() / 1e6
}

/// A value as a cell shows it.
pub(crate) fn text(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    };
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OPTIONS: BudgetOptions =
        BudgetOptions { currency: "USD", period: Period::Month, rate: Rate::Effective };

    #[test]
    fn equal_components_are_one_row_and_unknown_ones_have_no_price() {
        let prices = Prices::sample().unwrap();
        let ec2 = json!({"type": "ec2", "region": "us-east-1", "platform": "linux", "instanceType": "m5", "instanceSize": "large"});
        let big = json!({"type": "ec2", "region": "us-east-1", "platform": "linux", "instanceType": "m5", "instanceSize": "xlarge"});
        let content =
            json!({"nodes": [ec2, big, ec2, {"type": "block"}, {"type": "=new"}, {"type": "ec2"}]});
        let rows = rows(&content, &prices, OPTIONS);
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (row.kind.as_str(), row.attributes[1].as_str(), row.count, row.unit_price.is_some())
            })
            .collect();
        let expected = [
            ("ec2", "", 1, false),
            ("ec2", "large", 2, true),
            ("ec2", "xlarge", 1, true),
            ("=new", "", 1, false),
        ];
        assert_eq!(found, expected);
        let price = |at: usize| rows[at].unit_price.unwrap();
        assert!((price(2) - 2.0 * price(1)).abs() < 1e-5, "an xlarge costs twice a large");
        assert!((rows[1].cost().unwrap() - 2.0 * price(1)).abs() < 1e-9);
    }

    #[test]
    fn a_period_a_currency_and_a_rate_change_the_price() {
        let prices = Prices::sample().unwrap();
        let reserved = json!({"type": "ec2", "region": "us-east-1", "platform": "linux", "instanceType": "m5",
            "instanceSize": "large", "billingOptions": {"type": "ri", "leaseContractLength": 12, "purchaseOption": "partial"}});
        let of = |options| prices.of("ec2", &reserved, options).unwrap();
        let month = of(OPTIONS);
        let year = of(BudgetOptions { period: Period::Year, ..OPTIONS });
        assert!((year - 12.0 * month).abs() < 1e-6);
        let stated = of(BudgetOptions { rate: Rate::Stated, ..OPTIONS });
        assert!((stated - month / 2.0).abs() < 1e-9, "half is paid at the beginning");
        let euros = of(BudgetOptions { currency: "EUR", ..OPTIONS });
        assert!(euros < month);
    }
}
