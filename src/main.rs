//! The `dockline` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dockline::cli::main()
}
