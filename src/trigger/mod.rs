//! What starts runs. Every trigger hands what it saw to one door, [`intake::Door`].

pub mod alert;
pub mod dispatch;
pub mod form;
pub mod incident;
pub mod intake;
pub mod mailbox;
pub mod rules;
pub mod schedule;
pub mod table;
pub mod webhook;
