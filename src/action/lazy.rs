//! JSON that is read when it is first looked at.

use std::{ops::Deref, sync::OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// A JSON value. What an action gave is journalled and recorded by every run and looked at by few, so of one that was read
/// from text the text is kept, and the value made when it is asked for. The text was checked to be JSON when it was read.
#[derive(Debug, Clone)]
pub struct LazyValue {
    /// `None` when it was made from a value, or changed.
    text: Option<Box<RawValue>>,
    value: OnceLock<Value>,
}

impl LazyValue {
    /// The value itself.
    #[must_use]
    pub fn into_value(self) -> Value {
        let text = self.text;
        self.value.into_inner().unwrap_or_else(|| read(text.as_deref()))
    }

    /// Changes the value.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = std::mem::take(self).into_value();
        change(&mut value);
        *self = value.into();
    }
}

fn read(text: Option<&RawValue>) -> Value {
    text.and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default()
}

impl From<Value> for LazyValue {
    fn from(value: Value) -> Self {
        Self { text: None, value: OnceLock::from(value) }
    }
}

impl Default for LazyValue {
    fn default() -> Self {
        Value::Null.into()
    }
}

impl Deref for LazyValue {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value.get_or_init(|| read(self.text.as_deref()))
    }
}

impl PartialEq for LazyValue {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<Value> for LazyValue {
    fn eq(&self, other: &Value) -> bool {
        **self == *other
    }
}

impl Serialize for LazyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.text {
            Some(text) => text.serialize(serializer),
            None => (**self).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LazyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self { text: Some(text), value: OnceLock::new() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_the_value_and_writes_the_text_it_was_read_from() -> Result<(), serde_json::Error> {
        let text = r#"{"b":[1,2.50,"é"],"a":null}"#;
        let mut lazy: LazyValue = serde_json::from_str(text)?;
        assert_eq!(serde_json::to_string(&lazy)?, text);
        assert_eq!(lazy, json!({"b": [1, 2.5, "é"], "a": null}));
        assert_eq!(serde_json::to_value(&lazy)?, lazy.clone().into_value());
        lazy.change(|value| value["a"] = json!(true));
        assert_eq!(serde_json::to_string(&lazy)?, r#"{"b":[1,2.5,"é"],"a":true}"#);
        assert!(serde_json::from_str::<LazyValue>(r#"{"b":}"#).is_err());
        Ok(())
    }
}
