//! Checks the audit trail of a consent gateway, without the gateway.

use std::process::ExitCode;

fn main() -> ExitCode {
    trail::cli::run()
}
