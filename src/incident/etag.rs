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
}

/// Whether `given` is this etag. The quotes that belong to it do not count, because some clients strip them.
#[must_use]
pub fn matches(etag: Uuid, given: &str) -> bool {
    let given = given.trim();
    let given = given.strip_prefix("W/").unwrap_or(given);
    Uuid::try_parse(given.trim_matches('"')).is_ok_and(|given| given == etag)
}

impl Precondition {
    /// Whether the present etag is the one the writer saw.
    #[must_use]
    pub fn allows(&self, present: Uuid) -> bool {
        self.etag.as_deref().is_none_or(|given| given.is_empty() || given == "*" || matches(present, given))
    }

    /// Whether `If-Match` holds; `present` is `None` when nothing is there.
    #[must_use]
    pub fn holds(&self, present: Option<Uuid>) -> bool {
        self.if_match.as_deref().is_none_or(|given| {
            present.is_some_and(|present| given.split(',').any(|given| given.trim() == "*" || matches(present, given)))
        })
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
        let other = Precondition { etag: Some(Uuid::from_u128(8).to_string()), if_match: None };
        assert!(!other.allows(etag) && other.holds(None));
        assert!(Precondition::default().allows(etag));
        let any = Precondition { if_match: Some("*".into()), etag: None };
        assert!(any.holds(Some(etag)) && !any.holds(None));
    }
}
