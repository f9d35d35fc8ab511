//! The page of the fields of configuration files.

use crate::cli::docs::{Table, code};
use crate::manifest::field_rows;

const TITLE: &str = "# Configuration files

The fields of the files that `keyhouse apply` reads. `keyhouse schema` prints the same as a JSON Schema.
In TOML, `organizations.teams` is `[[organizations.teams]]`. [How to use the files](../how-to/configuration.md).
";

pub(super) fn page() -> String {
    let mut page = TITLE.to_owned();
    let rows = field_rows();
    let mut tables: Vec<&str> = Vec::new();
    for row in &rows {
        if !tables.contains(&row.table.as_str()) {
            tables.push(&row.table);
        }
    }
    for name in tables {
        let heading = if name.is_empty() { "The file".to_owned() } else { code(name) };
        page.extend(["\n## ", &heading, "\n\n"]);
        let mut table = Table::new(["field", "value", "meaning"]);
        for row in rows.iter().filter(|row| row.table == name) {
            let mark = if row.required { " (required)" } else { "" };
            table.row([&format!("{}{mark}", code(&row.field)), &row.kind, &row.about]);
        }
        page.push_str(&table.text);
    }
    page
}
