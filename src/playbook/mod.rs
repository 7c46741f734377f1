//! (room playbook)
