//! `keyhouse schema`: prints the JSON Schema of configuration files, for editors.

use crate::cli::exit::{Failure, print_table};
use crate::manifest::json_schema;

pub(super) fn run() -> Result<(), Failure> {
    print_table(&format!("{:#}", json_schema()))
}
