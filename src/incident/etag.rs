//! Etags: a new one on every write, sent back by whoever wants to overwrite only what they saw.

use uuid::Uuid;

/// What a writer says of the state it saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// `etag` in the body; another one than the present is a conflict (409). Ignored when nothing is there yet: Microsoft's
    /// own create example carries one.
    pub etag: Option<String>,
    /// `If-Match`; another one than the present, or nothing there, is 412. `*` matches whatever is there.
    pub if_match: Option<String>,
    /// `If-None-Match`; when it is the present etag, or `*` and anything is there, 412: the writer wants a new one.
    pub if_none_match: Option<String>,
}

/// Whether `given` is this etag. The quotes that belong to it do not count, because some clients strip them.
#[must_use]
pub fn matches(etag: Uuid, given: &str) -> bool {
    let given = given.trim();
    let given = given.strip_prefix("W/").unwrap_or(given);
    Uuid::try_parse(given.trim_matches('"')).is_ok_and(|given| given == etag)
}

/// Whether a header's list of etags names this one.
fn names(given: &str, present: Uuid) -> bool {
    given.split(',').any(|given| given.trim() == "*" || matches(present, given))
}

impl Precondition {
    /// Of a writer that wants a new one, and nothing overwritten.
    #[must_use]
    pub fn new_only() -> Self {
        Self { if_none_match: Some("*".to_owned()), ..Self::default() }
    }

    /// Whether the present etag is the one the writer saw.
    #[must_use]
    pub fn allows(&self, present: Uuid) -> bool {
        self.etag.as_deref().is_none_or(|given| given.is_empty() || given == "*" || matches(present, given))
    }

    /// Whether `If-Match` holds; `present` is `None` when nothing is there.
    #[must_use]
    pub fn holds(&self, present: Option<Uuid>) -> bool {
        self.if_match.as_deref().is_none_or(|given| present.is_some_and(|present| names(given, present)))
    }

    /// Whether `If-None-Match` excludes what is there.
    #[must_use]
    pub fn excludes(&self, present: Uuid) -> bool {
        self.if_none_match.as_deref().is_some_and(|given| names(given, present))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_do_not_count_and_nothing_given_allows_all() {
        let etag = Uuid::from_u128(7);
        for given in [etag.to_string(), format!("\"{etag}\""), format!("W/\"{etag}\"")] {
            assert!(matches(etag, &given), "{given}");
        }
        let other = Precondition { etag: Some(Uuid::from_u128(8).to_string()), ..Precondition::default() };
        assert!(!other.allows(etag) && other.holds(None));
        assert!(Precondition::default().allows(etag));
        let any = Precondition { if_match: Some("*".into()), ..Precondition::default() };
        assert!(any.holds(Some(etag)) && !any.holds(None));
        let other = Precondition { if_none_match: Some(format!("\"{etag}\"")), ..Precondition::default() };
        assert!(other.excludes(etag) && !other.excludes(Uuid::from_u128(8)) && !any.excludes(etag));
        assert!(Precondition::new_only().excludes(etag));
    }
}
