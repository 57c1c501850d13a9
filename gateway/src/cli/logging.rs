//! Logging of the program.

use std::io::IsTerminal as _;

/// Log lines go to standard error; `RUST_LOG` chooses which.
pub(super) fn start(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    // A line that cannot be written is lost. Reporting that on the same stream would panic, and end the
    // request.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    // A second subscriber in one process is refused, and the first one stays.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}
