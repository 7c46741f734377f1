//! (room action)
