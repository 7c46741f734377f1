//! Wiring: config in, running services out, one shutdown signal.
