//! The `keyhouse` program: runs the command line.

use std::process::ExitCode;

/// It uses less memory than the system's allocator with many threads, and musl needs it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keyhouse::cli::run(std::env::args_os())
}
