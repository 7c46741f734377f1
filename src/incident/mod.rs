//! (room incident)
