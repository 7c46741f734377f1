//! `http`: calls a web address.

mod client;
mod guard;

pub use client::{HttpClients, Lookup};
pub use guard::RefusedAddress;
