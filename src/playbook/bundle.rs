//! Everything that decides what a playbook does, in one value that can be stored and hashed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A playbook's source with every template it reaches and its non-secret parameter values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The file, as the author knows it.
    pub path: String,
    /// The YAML.
    pub source: String,
    /// Handlebars sources by name (without `.hbs`).
    pub templates: BTreeMap<String, String>,
    /// Values of parameters that are not secret.
    pub parameters: BTreeMap<String, Value>,
}

impl Bundle {
    /// The version: hex SHA-256 over everything but the path.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            // The length keeps two different splits of the same text apart.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(&self.source);
        for (name, text) in &self.templates {
            part(name);
            part(text);
        }
        part("parameters");
        for (name, value) in &self.parameters {
            part(name);
            part(&value.to_string());
        }
        hex::encode(hash.finalize())
    }
}
