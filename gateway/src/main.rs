//! The `sallyport` binary: server, demo and the convenience client in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    sallyport::cli::main()
}
