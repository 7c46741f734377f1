//! Automation rules run in order, and later ones see earlier changes.
