//! Reports by mail: from files and from real mail servers to what the store knows of them.

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod hostile;
mod imap;
mod kit;
mod maildir;
