//! `embed DIRECTORY PERMISSION`: may a key, read from stdin, do that? Asked in process, without HTTP, of
//! the instance whose data directory it is. Exit status 0: yes; 4: no, and why; else: nobody knows.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use keyhouse::{Check, Keyhouse};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(permission)) = (arguments.next(), arguments.next()) else {
        return Err("give a data directory and a permission, and the key on stdin".into());
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
