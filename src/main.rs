//! The binary.

use std::process::ExitCode;

/// Smaller than the system's under many threads, and needed where musl is the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keyhouse::cli::run(std::env::args_os())
}
