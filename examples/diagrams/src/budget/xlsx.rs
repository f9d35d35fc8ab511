//! A budget as a workbook (ISO/IEC 29500): a sheet with the rows, and one with the options and the price table.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::prices::Prices;
use super::{ATTRIBUTES, BudgetError, BudgetOptions, COLUMNS, Rate, Row};

const COLUMN_WIDTH: f64 = 14.0;
const NAME_WIDTH: f64 = 18.0;
const TEXT_WIDTH: f64 = 80.0;
const MILLISECONDS_A_SECOND: i64 = 1000;

/// `changed_at_ms` is the time of the diagram, so that the same diagram gives the same bytes.
pub(crate) fn write(
    rows: &[Row],
    prices: &Prices,
    options: BudgetOptions,
    changed_at_ms: i64,
) -> Result<Vec<u8>, BudgetError> {
    let mut workbook = Workbook::new();
    let time = ExcelDateTime::from_timestamp(changed_at_ms.div_euclid(MILLISECONDS_A_SECOND))?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&time));
    write_rows(workbook.add_worksheet(), rows)?;
    write_notes(workbook.add_worksheet(), prices, options)?;
    Ok(workbook.save_to_buffer()?)
}

fn write_rows(sheet: &mut Worksheet, rows: &[Row]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let money = Format::new().set_num_format("#,##0.00####");
    sheet.set_name("Budget")?.set_freeze_panes(1, 0)?;
    for (column, name) in (0..).zip(COLUMNS.iter().chain(&ATTRIBUTES)) {
        sheet.write_string_with_format(0, column, *name, &bold)?;
        sheet.set_column_width(column, COLUMN_WIDTH)?;
    }
    for (line, row) in (1..).zip(rows) {
        // `write_string` writes a text, whatever it begins with.
        for (column, text) in (0..).zip([&row.category, &row.kind, &row.region]) {
            sheet.write_string(line, column, text)?;
        }
        sheet.write_number(line, 3, row.count)?;
        for (column, number) in (4..).zip([row.unit_price, row.cost()]) {
            if let Some(number) = number {
                sheet.write_number_with_format(line, column, number, &money)?;
            }
        }
        for (column, text) in (6..).zip(&row.attributes) {
            if !text.is_empty() {
                sheet.write_string(line, column, text)?;
            }
        }
    }
    Ok(())
}

fn write_notes(
    sheet: &mut Worksheet,
    prices: &Prices,
    options: BudgetOptions,
) -> Result<(), XlsxError> {
    sheet.set_name("About")?;
    sheet.set_column_width(0, NAME_WIDTH)?.set_column_width(1, TEXT_WIDTH)?;
    let rate = match options.rate {
        Rate::Effective => "effective",
        Rate::Stated => "stated",
    };
    let notes = [
        ("price table", prices.name()),
        ("about the prices", prices.about()),
        ("currency", options.currency),
        ("period", options.period.name()),
        ("rate", rate),
    ];
    for (line, (name, text)) in (0..).zip(notes) {
        sheet.write_string(line, 0, name)?.write_string(line, 1, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Period;
    use super::*;

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let options = BudgetOptions { currency: "EUR", period: Period::Year, rate: Rate::Stated };
        let row = Row {
            category: "Other".to_owned(),
            kind: "=cmd()".to_owned(),
            region: String::new(),
            count: 2,
            unit_price: None,
            attributes: vec!["@x".to_owned()],
        };
        let prices = Prices::sample().unwrap();
        let write =
            || write(std::slice::from_ref(&row), &prices, options, 1_800_000_000_000).unwrap();
        let first = write();
        assert!(first.starts_with(b"PK"));
        assert_eq!(first, write());
    }
}
