//! What starts itself again ends, and the incident's log tells it.
