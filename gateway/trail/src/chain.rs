//! Errors with what caused them, in one line: for logs, and for people at a terminal.

use std::error::Error;
use std::fmt;

/// An error and its causes, with a colon between them. A cause that the text before it ends with is not repeated.
pub struct Chain<'e>(pub &'e dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut source = self.0.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            source = error.source();
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("the log cannot be read")]
        Read(#[source] io::Error),
        #[error("no answer: {0}")]
        Told(#[source] io::Error),
        #[error("not ready")]
        Ready(#[source] Box<Failed>),
    }

    #[test]
    fn every_cause_is_told_once() {
        let disk = || io::Error::other("disk full");
        let deep = Failed::Ready(Box::new(Failed::Told(disk())));
        assert_eq!(Chain(&disk()).to_string(), "disk full");
        assert_eq!(Chain(&Failed::Read(disk())).to_string(), "the log cannot be read: disk full");
        assert_eq!(Chain(&deep).to_string(), "not ready: no answer: disk full");
    }
}
