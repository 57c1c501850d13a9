//! One file a story, against a real socket.

mod consent;
