//! The `keyhouse` program: runs the command line.

use std::process::ExitCode;

/// This allocator uses less memory than the system's allocator with many threads, and replaces the
/// slow allocator of musl.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keyhouse::cli::run(std::env::args_os())
}
