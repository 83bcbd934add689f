//! The program: hands the command line to `cli` and its answer to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    tailwater::cli::main()
}
