//! A budget as CSV (RFC 4180).

use std::borrow::Cow;

use super::{ATTRIBUTES, BudgetError, COLUMNS, Row};

/// The first characters of formulas (OWASP, CSV injection), some also in full width, as Japanese spreadsheets accept.
const FORMULAS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

pub(crate) fn write(rows: &[Row]) -> Result<Vec<u8>, BudgetError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().chain(&ATTRIBUTES))?;
    for row in rows {
        let [category, kind, region] = [&row.category, &row.kind, &row.region].map(|it| cell(it));
        let (price, cost) = (number(row.unit_price), number(row.cost()));
        let count = row.count.to_string();
        let first = [&*category, &*kind, &*region, &*count, &*price, &*cost];
        let attributes: Vec<_> = row.attributes.iter().map(|it| cell(it)).collect();
        writer.write_record(first.into_iter().chain(attributes.iter().map(|it| &**it)))?;
    }
    writer.into_inner().map_err(|error| BudgetError::CsvEnd(error.to_string()))
}

/// A text of the caller. An apostrophe makes a spreadsheet show it and not calculate it.
fn cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULAS) { format!("'{text}").into() } else { text.into() }
}

fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.6}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_caller_is_no_formula() {
        let row = Row {
            category: "Other".to_owned(),
            kind: "=cmd()".to_owned(),
            region: "a,\"b\"\n".to_owned(),
            count: 2,
            unit_price: Some(0.125),
            attributes: ["@x", "-1", "\u{ff1d}x"]
                .into_iter()
                .chain([""; 12])
                .map(str::to_owned)
                .collect(),
        };
        let text = String::from_utf8(write(&[row]).unwrap()).unwrap();
        let (head, rest) = text.split_once("\r\n").unwrap();
        assert!(head.starts_with("category,type,region,count,unitPrice,cost,instanceType"));
        assert_eq!(
            rest,
            "Other,'=cmd(),\"a,\"\"b\"\"\n\",2,0.125000,0.250000,'@x,'-1,'\u{ff1d}x,,,,,,,,,,,,\r\n"
        );
    }
}
