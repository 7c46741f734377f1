//! An incident about to be made: the rules it must pass, and the cutting that keeps intake from failing on length.

use chrono::{DateTime, Utc};

use super::{Classification, ClassificationReason, Owner, Severity, Status};
use crate::limits;

/// What a playbook or a person wants an incident to be. Only [`Draft::check`] makes it fit to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub title: String,
    pub description: String,
    pub severity: Severity,
    pub status: Status,
    pub classification: Option<Classification>,
    pub classification_reason: Option<ClassificationReason>,
    pub classification_comment: Option<String>,
    pub owner: Owner,
    pub tags: Vec<String>,
    pub first_activity: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
}

/// Why Sentinel's rules refuse a draft; `{code, message}` of the connector's 400 answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the title is required and must not be empty")]
    NoTitle,
    #[error("status 'Closed' needs a classification")]
    NoClassification,
    #[error("classification '{0}' must have classificationReason.")]
    NoReason(Classification),
    #[error("'{value}' is not a {field}; it must be one of {allowed}")]
    NotOneOf { field: &'static str, value: String, allowed: String },
}

impl Refusal {
    /// The error code Sentinel answers with.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "BadRequest"
    }
}

impl Draft {
    /// A New, Medium, unassigned incident with this title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: String::new(),
            severity: Severity::Medium,
            status: Status::New,
            classification: None,
            classification_reason: None,
            classification_comment: None,
            owner: Owner::default(),
            tags: Vec::new(),
            first_activity: None,
            last_activity: None,
        }
    }

    /// Trims the title, cuts a description that is too long (with a mark that says so), drops empty and repeated tags,
    /// and holds the draft against Sentinel's closing rules.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check(mut self) -> Result<Self, Refusal> {
        self.title = self.title.trim().to_owned();
        if self.title.is_empty() {
            return Err(Refusal::NoTitle);
        }
        if self.status == Status::Closed {
            match (self.classification, self.classification_reason) {
                (None, _) => return Err(Refusal::NoClassification),
                (Some(Classification::Undetermined), _) | (Some(_), Some(_)) => {}
                (Some(classification), None) => return Err(Refusal::NoReason(classification)),
            }
        }
        cut(&mut self.description);
        let mut kept: Vec<String> = Vec::with_capacity(self.tags.len());
        for tag in self.tags {
            let tag = tag.trim();
            if !tag.is_empty() && !kept.iter().any(|known| known == tag) {
                kept.push(tag.to_owned());
            }
        }
        self.tags = kept;
        Ok(self)
    }
}

/// Cuts a description at Sentinel's limit, counted in characters, and says at its end that it was cut.
fn cut(description: &mut String) {
    const MARK: &str = "\n[… cut: the full report is attached]";
    let keep = limits::INCIDENT_DESCRIPTION_CHARS - MARK.chars().count();
    if description.len() > limits::INCIDENT_DESCRIPTION_CHARS
        && description.chars().count() > limits::INCIDENT_DESCRIPTION_CHARS
        && let Some((at, _)) = description.char_indices().nth(keep)
    {
        description.truncate(at);
        description.push_str(MARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_trimmed_and_required() {
        assert_eq!(Draft::new("  door \n").check().map(|draft| draft.title), Ok("door".to_owned()));
        assert_eq!(Draft::new(" \n").check(), Err(Refusal::NoTitle));
    }

    #[test]
    fn closing_follows_sentinels_rules() {
        let closed = |classification, reason| {
            let draft =
                Draft { status: Status::Closed, classification, classification_reason: reason, ..Draft::new("x") };
            draft.check().map(drop).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(closed(None, None), Err("status 'Closed' needs a classification".to_owned()));
        assert_eq!(closed(Some(Classification::Undetermined), None), Ok(()));
        assert_eq!(
            closed(Some(Classification::BenignPositive), None),
            Err("classification 'BenignPositive' must have classificationReason.".to_owned())
        );
        assert_eq!(
            closed(Some(Classification::BenignPositive), Some(ClassificationReason::SuspiciousButExpected)),
            Ok(())
        );
    }

    #[test]
    fn a_long_description_is_cut_with_a_mark_and_never_refused() {
        let draft = Draft { description: "é".repeat(6_000), ..Draft::new("x") }.check();
        let description = draft.map(|draft| draft.description).unwrap_or_default();
        assert_eq!(description.chars().count(), limits::INCIDENT_DESCRIPTION_CHARS);
        assert!(description.ends_with("[… cut: the full report is attached]"));
    }

    #[test]
    fn tags_lose_blanks_and_repeats() {
        let tags = ["a", " a ", "", "b"].map(String::from).to_vec();
        let draft = Draft { tags, ..Draft::new("x") }.check();
        assert_eq!(draft.map(|draft| draft.tags), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }
}
