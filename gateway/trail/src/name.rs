//! How logs are named: `<gateway>/<log>`, and from the second epoch on `<gateway>/<log>.<epoch>`.

use super::canonical;

/// An origin, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogName<'o> {
    /// What all epochs of the log have in common.
    pub base: &'o str,
    /// Which epoch, from 1.
    pub epoch: u64,
}

impl<'o> LogName<'o> {
    /// Splits an origin. One that does not end like a later epoch is a first epoch.
    #[must_use]
    pub fn of(origin: &'o str) -> LogName<'o> {
        let later = || {
            let (base, epoch) = origin.rsplit_once('.')?;
            let (_, log) = base.rsplit_once('/')?;
            let epoch = canonical::decimal(epoch).filter(|epoch| *epoch > 1)?;
            (!log.is_empty() && !log.contains('.')).then_some(LogName { base, epoch })
        };
        later().unwrap_or(LogName { base: origin, epoch: 1 })
    }

    /// The gateway's part of it.
    #[must_use]
    pub fn gateway(&self) -> Option<&'o str> {
        self.base.rsplit_once('/').map(|(gateway, _)| gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::LogName;

    #[test]
    fn an_origin_says_which_epoch_of_which_log_it_is() {
        for (origin, base, epoch) in [
            ("gw.example/acme", "gw.example/acme", 1),
            ("gw.example/acme.2", "gw.example/acme", 2),
            ("gw.example/acme.12", "gw.example/acme", 12),
            ("gw.example/acme.1", "gw.example/acme.1", 1),
            ("gw.example/acme.02", "gw.example/acme.02", 1),
            ("gw.example/acme.2.3", "gw.example/acme.2.3", 1),
            ("gw.example/.2", "gw.example/.2", 1),
            ("gw.example.2", "gw.example.2", 1),
            ("", "", 1),
        ] {
            assert_eq!(LogName::of(origin), LogName { base, epoch }, "{origin}");
        }
        assert_eq!(LogName::of("gw.example/acme.2").gateway(), Some("gw.example"));
    }
}
