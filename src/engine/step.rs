//! A step: an action's id and the iterations it stands in.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Names a step of a run. Written `id` or, inside loops, `id/3/0`: the outermost loop's iteration first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    pub action: Arc<str>,
    /// The iterations it stands in, outermost first; empty outside of loops.
    pub iterations: Vec<u32>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        self.iterations.iter().try_for_each(|iteration| write!(f, "/{iteration}"))
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.iterations.is_empty() { serializer.serialize_str(&self.action) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a step such as 'create' or 'create/3'")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Step, E> {
                let mut parts = text.split('/');
                let action = parts.next().unwrap_or_default();
                let iterations = parts.map(str::parse).collect::<Result<_, _>>().map_err(E::custom)?;
                Ok(Step { action: action.into(), iterations })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_back_as_it_was_written() -> Result<(), serde_json::Error> {
        for (text, iterations) in [("\"create\"", vec![]), ("\"create/3/0\"", vec![3, 0])] {
            let step: Step = serde_json::from_str(text)?;
            assert_eq!(step, Step { action: "create".into(), iterations });
            assert_eq!(serde_json::to_string(&step)?, text);
        }
        assert!(serde_json::from_str::<Step>("\"create/x\"").is_err());
        Ok(())
    }
}
