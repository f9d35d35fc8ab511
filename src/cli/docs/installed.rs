//! The files beside an installed program: completions of shells, and manual pages.

use std::path::Path;

use clap::{Args as _, Command, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::exit::{Failure, print_message};
use crate::cli::{Cli, InstanceArguments};

const NAME: &str = "keyhouse";
/// The shells for which distributions have a folder of completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// Writes `keyhouse.bash`, `keyhouse.fish` and `_keyhouse` (zsh).
pub(super) fn completions(directory: &Path) -> Result<(), Failure> {
    for shell in SHELLS {
        let path = clap_complete::generate_to(shell, &mut visible(), NAME, directory)
            .map_err(|error| Failure::io(&format!("write {}", directory.display()), &error))?;
        print_message(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Writes a page of section 1 for each command, such as `keyhouse-key-create.1`.
pub(super) fn manual(directory: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| Failure::io(&format!("write {}", directory.display()), &error))?;
    print_message(&format!("wrote manual pages to {}", directory.display()));
    Ok(())
}

/// The commands without hidden ones, which `clap_complete` would offer.
fn visible() -> Command {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    InstanceArguments::augment_args(Command::new(NAME).version(env!("CARGO_PKG_VERSION")))
        .subcommands(shown)
}
