//! What starts runs. Every trigger hands what it saw to one door, [`intake::Door`].

pub mod intake;
pub mod schedule;
