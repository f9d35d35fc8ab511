//! `embed DIRECTORY PERMISSION`: checks a key from stdin in process, without HTTP.
//!
//! DIRECTORY is the data directory of the instance. The exit status is 0 if the key has the permission,
//! 4 if not, and another status if the check failed. The code of the verdict goes to stdout.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use keyhouse::{Check, Keyhouse};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(permission)) = (arguments.next(), arguments.next()) else {
        return Err("usage: embed DIRECTORY PERMISSION < secret.txt".into());
    };
    let mut presented = String::new();
    io::stdin().read_to_string(&mut presented)?;

    let keyhouse = Keyhouse::open(directory)?;
    let check = Check { permissions: Some(permission.parse()?), ..Check::default() };
    let verdict = keyhouse.verify(presented.trim().as_bytes(), &check)?;
    keyhouse.close()?;

    writeln!(io::stdout(), "{}", verdict.code)?;
    Ok(if verdict.is_valid() { ExitCode::SUCCESS } else { ExitCode::from(4) })
}
