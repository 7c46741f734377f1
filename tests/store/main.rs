//! The store against real files: what is accepted, what is a duplicate, what is kept, what goes.

mod kit;

mod intake;
mod mailbox;
mod runs;
