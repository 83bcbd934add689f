//! The program: runs `cli` and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tailwater::cli::main()
}
