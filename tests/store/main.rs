//! The store against real files: what is accepted, what is a duplicate, what is kept, what goes.

mod kit;

mod folder;
mod intake;
mod mailbox;
mod model;
mod retention;
mod runs;
