//! The command line: parse and hand over, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    emberwatch::cli::main()
}
