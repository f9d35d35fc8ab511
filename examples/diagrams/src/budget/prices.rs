//! The price table: a JSON file, which operators replace by their own.
//!
//! A component's price is the sum of its parts. A part is a price for an hour or a month, times a factor for each of
//! some members (such as the size), times each of some numbers (such as the gigabytes).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{BudgetOptions, HOURS_A_MONTH, Rate, text};
use crate::diagram::number;

/// The sample, whose prices are invented.
const SAMPLE: &str = include_str!("../../prices.json");
/// The name of the factor for values that a table does not name.
const OTHER: &str = "*";
const CATEGORY_OTHER: &str = "Other";

/// A price table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    name: String,
    about: String,
    /// The price of a dollar in each currency.
    currencies: BTreeMap<String, f64>,
    regions: BTreeMap<String, f64>,
    /// The factors of reserved components, by the months of the contract.
    reserved: BTreeMap<String, f64>,
    /// For each member of a component, the factor of each value.
    factors: BTreeMap<String, BTreeMap<String, f64>>,
    components: BTreeMap<String, Component>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    category: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// In dollars.
    price: f64,
    per: Span,
    /// Members whose values have factors.
    #[serde(default)]
    factors: Vec<String>,
    /// Members whose numbers are multiplied, and the number of a component without the member.
    #[serde(default)]
    quantities: BTreeMap<String, f64>,
    /// Whether `billingOptions` applies.
    #[serde(default)]
    reservable: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Span {
    Hour,
    Month,
}

/// Why a price table is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    #[error("the price table is not readable: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the price table: {place} must be a number of 0 or more")]
    Number { place: String },
    #[error(
        "the price table: {component} uses the factors of {member}, which the table does not have"
    )]
    Factors { component: String, member: String },
}

impl Prices {
    /// The sample that belongs to the program.
    pub fn sample() -> Result<Self, PricesError> {
        Self::read(SAMPLE)
    }

    /// Reads a table, and checks that it is complete.
    pub fn read(text: &str) -> Result<Self, PricesError> {
        let prices: Self = serde_json::from_str(text)?;
        let maps = [
            ("currencies", &prices.currencies),
            ("regions", &prices.regions),
            ("reserved", &prices.reserved),
        ];
        let factors = prices.factors.iter().map(|(name, map)| (name.as_str(), map));
        for (name, map) in maps.into_iter().chain(factors) {
            for (entry, number) in map {
                require_number(*number, || format!("{name}.{entry}"))?;
            }
        }
        for (kind, component) in &prices.components {
            for part in &component.parts {
                require_number(part.price, || format!("components.{kind}: a price"))?;
                for (member, number) in &part.quantities {
                    require_number(*number, || format!("components.{kind}: {member}"))?;
                }
                let missing = part.factors.iter().find(|it| !prices.factors.contains_key(*it));
                if let Some(member) = missing {
                    let (component, member) = (kind.clone(), member.clone());
                    return Err(PricesError::Factors { component, member });
                }
            }
        }
        Ok(prices)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    pub(super) fn category(&self, kind: &str) -> &str {
        self.components.get(kind).map_or(CATEGORY_OTHER, |component| &component.category)
    }

    /// The price of one component; `None` if the table does not have it.
    pub(super) fn of(&self, kind: &str, node: &Value, options: BudgetOptions) -> Option<f64> {
        let component = self.components.get(kind)?;
        let region = factor(&self.regions, &text(node.get("region")))?;
        let currency = self.currencies.get(options.currency)?;
        let mut sum = 0.0;
        for part in &component.parts {
            sum += self.of_part(part, node, options)?;
        }
        Some(sum * region * currency)
    }

    fn of_part(&self, part: &Part, node: &Value, options: BudgetOptions) -> Option<f64> {
        let spans = match part.per {
            Span::Hour => options.period.hours(),
            Span::Month => options.period.hours() / HOURS_A_MONTH,
        };
        let mut price = part.price * spans;
        for member in &part.factors {
            price *= factor(self.factors.get(member)?, &text(node.get(member)))?;
        }
        for (member, default) in &part.quantities {
            let quantity = match node.get(member) {
                Some(value) => number(value)?,
                None => *default,
            };
            price *= quantity.max(0.0);
        }
        if part.reservable {
            price *= self.billing(node.get("billingOptions"), options.rate)?;
        }
        Some(price)
    }

    /// The factor of `billingOptions`: what of the price on demand is paid.
    fn billing(&self, billing: Option<&Value>, rate: Rate) -> Option<f64> {
        let Some(billing) = billing else { return Some(1.0) };
        let member = |name: &str| text(billing.get(name)).to_ascii_lowercase();
        if member("type") != "ri" {
            // Some clients write a share, some a percentage.
            let used = billing.get("utilization").and_then(number).unwrap_or(1.0);
            return Some(if used > 1.0 { used / 100.0 } else { used }.clamp(0.0, 1.0));
        }
        let effective = factor(&self.reserved, &member("leaseContractLength"))?;
        let at_the_beginning = match member("purchaseOption") {
            option if option.starts_with("all") => 1.0,
            option if option.starts_with("partial") => 0.5,
            _ => 0.0,
        };
        Some(match rate {
            Rate::Effective => effective,
            Rate::Stated => effective * (1.0 - at_the_beginning),
        })
    }
}

fn factor(factors: &BTreeMap<String, f64>, value: &str) -> Option<f64> {
    factors.get(value).or_else(|| factors.get(OTHER)).copied()
}

fn require_number(number: f64, place: impl FnOnce() -> String) -> Result<(), PricesError> {
    if number.is_finite() && number >= 0.0 {
        Ok(())
    } else {
        Err(PricesError::Number { place: place() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_says_that_it_is_one() {
        let prices = Prices::sample().unwrap();
        assert!(prices.name().contains("sample") && prices.about().contains("not the prices of"));
        for (_, currency) in super::super::CURRENCIES {
            assert!(prices.currencies.contains_key(currency), "{currency}");
        }
    }

    #[test]
    fn a_faulty_table_is_refused_with_the_place() {
        for (from, to, place) in [
            ("\"EUR\": 0.9", "\"EUR\": -1", "currencies.EUR"),
            ("\"factors\": [\"elbType\"]", "\"factors\": [\"elbKind\"]", "elbKind"),
            ("\"name\"", "\"title\"", "title"),
        ] {
            let text = SAMPLE.replacen(from, to, 1);
            assert_ne!(text, SAMPLE, "{from}");
            let error = Prices::read(&text).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
        }
    }
}
