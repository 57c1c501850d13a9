//! The file descriptors of this process: how many there may be, and so how many connections.
//!
//! A connection may need two, for its socket and for the recording that comes or goes over it; the program
//! itself needs some, too. Where sockets could take them all, nothing could be signed any more.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as this process may: most shells and service managers start with 1,024.
///
/// # Errors
///
/// Where the system refuses; then the limit stays as it is.
pub fn raise() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// How many connections there may be at once; none where nothing limits them.
#[must_use]
pub fn connections() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(allowed(usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Whether one more file can be opened.
#[must_use]
pub fn is_one_left() -> bool {
    let failed = std::fs::File::open("/").err().and_then(|error| error.raw_os_error());
    let none = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    failed.is_none_or(|error| !none.contains(&error))
}

fn allowed(descriptors: usize) -> usize {
    // With very few, most are for connections all the same: somebody has to be served.
    let own = OWN.min(descriptors.checked_div(2).unwrap_or_default());
    descriptors.saturating_sub(own).checked_div(EACH).unwrap_or_default().max(1)
}

const EACH: usize = 2;
/// The ledger's connections, its lock, pins, keys, the runtime, what is written to the log.
const OWN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_program_itself() {
        assert_eq!(allowed(1024), 448);
        assert_eq!(allowed(4096), 1984);
        assert_eq!(allowed(64), 16);
        assert_eq!(allowed(0), 1);
        for descriptors in 8..10_000 {
            assert!(allowed(descriptors) * EACH + OWN.min(descriptors / 2) <= descriptors);
        }
    }
}
