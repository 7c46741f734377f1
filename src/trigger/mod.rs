//! (room trigger)
