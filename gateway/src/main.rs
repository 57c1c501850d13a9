//! The `consent-gateway` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    consent_gateway::cli::run()
}
