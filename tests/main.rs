//! Everything that tests from outside, in one binary.
