//! Automation rules in YAML, beside the playbooks.

use crate::incident::{ResourceName, automation::AutomationRule};

/// An automation rule that stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    pub name: ResourceName,
    /// The file, as the author knows it.
    pub path: String,
    pub rule: AutomationRule,
}
