//! What starts runs. Every trigger hands what it saw to one door, [`intake::Door`].

pub mod form;
pub mod intake;
pub mod mailbox;
pub mod schedule;
pub mod table;
pub mod webhook;
