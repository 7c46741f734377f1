//! An incident about to be made: the rules it must pass, and the cutting that keeps intake from failing on length.

use std::collections::HashSet;

use chrono::{DateTime, Datelike, Utc};

use super::{Classification, ClassificationReason, Owner, Patch, Severity, Status};
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
    #[error("the {field} has more than {most} characters")]
    TooLong { field: &'static str, most: usize },
    #[error("an incident can have at most {} tags", limits::TAGS)]
    TooManyTags,
    #[error("the year of an instant must be one from 1 to 9999, not {0}")]
    NoYear(i32),
}

impl Refusal {
    /// The error code Sentinel answers with.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "BadRequest"
    }
}

/// What a line that was cut ends with.
const TITLE_MARK: &str = "…";
/// What a description that was cut ends with.
const DESCRIPTION_MARK: &str = "\n[… cut: the full report is attached]";

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

    /// Whether nothing of it would be cut. A client that can shorten what it sends is told; intake never fails on length.
    ///
    /// # Errors
    /// The first that is too long.
    pub fn fits(&self) -> Result<(), Refusal> {
        within("title", Some(&self.title), limits::INCIDENT_TITLE_CHARS)?;
        within("description", Some(&self.description), limits::INCIDENT_DESCRIPTION_CHARS)?;
        remark_fits(self.classification_comment.as_ref())?;
        owner_fits(&self.owner)?;
        tags_fit(&self.tags)
    }

    /// Trims the title, cuts what is too long (a description with a mark that says so), drops empty and repeated tags and
    /// those beyond [`limits::TAGS`], and holds the draft against Sentinel's closing rules.
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
        for at in [self.first_activity, self.last_activity].into_iter().flatten() {
            if !(1..=9999).contains(&at.year()) {
                return Err(Refusal::NoYear(at.year()));
            }
        }
        cut(&mut self.title, limits::INCIDENT_TITLE_CHARS, TITLE_MARK);
        cut(&mut self.description, limits::INCIDENT_DESCRIPTION_CHARS, DESCRIPTION_MARK);
        let remark = self.classification_comment.as_mut();
        remark.into_iter().for_each(|text| cut(text, limits::CLASSIFICATION_COMMENT_CHARS, TITLE_MARK));
        for text in self.owner.texts_mut() {
            cut(text, limits::OWNER_CHARS, "");
        }
        self.tags = distinct(self.tags);
        self.tags.truncate(limits::TAGS);
        Ok(self)
    }
}

impl Patch {
    /// The same of what is to be changed.
    ///
    /// # Errors
    /// As [`Draft::fits`]'s.
    pub fn fits(&self) -> Result<(), Refusal> {
        within("title", self.title.as_ref(), limits::INCIDENT_TITLE_CHARS)?;
        within("description", self.description.as_ref(), limits::INCIDENT_DESCRIPTION_CHARS)?;
        remark_fits(self.classification_comment.as_ref())?;
        self.owner.as_ref().map_or(Ok(()), owner_fits)?;
        tags_fit(&self.add_tags)?;
        tags_fit(&self.remove_tags)
    }
}

impl Patch {
    /// The same with what is too long cut, as [`Draft::check`] cuts it.
    #[must_use]
    pub fn cut(mut self) -> Self {
        let cut_to = |text: &mut Option<String>, most, mark| text.iter_mut().for_each(|text| cut(text, most, mark));
        cut_to(&mut self.title, limits::INCIDENT_TITLE_CHARS, TITLE_MARK);
        cut_to(&mut self.description, limits::INCIDENT_DESCRIPTION_CHARS, DESCRIPTION_MARK);
        cut_to(&mut self.classification_comment, limits::CLASSIFICATION_COMMENT_CHARS, TITLE_MARK);
        self
    }
}

/// Whether a text has at most so many characters.
///
/// # Errors
/// When it is longer.
pub fn within(field: &'static str, text: Option<&String>, most: usize) -> Result<(), Refusal> {
    // Most texts are so short that they need not be counted.
    let long = text.is_some_and(|text| text.len() > most && text.chars().count() > most);
    if long { Err(Refusal::TooLong { field, most }) } else { Ok(()) }
}

fn remark_fits(remark: Option<&String>) -> Result<(), Refusal> {
    within("classificationComment", remark, limits::CLASSIFICATION_COMMENT_CHARS)
}

fn owner_fits(owner: &Owner) -> Result<(), Refusal> {
    owner.texts().into_iter().try_for_each(|text| within("owner", text.as_ref(), limits::OWNER_CHARS))
}

fn tags_fit(tags: &[String]) -> Result<(), Refusal> {
    if tags.len() > limits::TAGS {
        return Err(Refusal::TooManyTags);
    }
    tags.iter().try_for_each(|tag| within("tag", Some(tag), limits::TAG_CHARS))
}

/// Tags trimmed and cut, each once, in the order they first came in.
pub(super) fn distinct(tags: Vec<String>) -> Vec<String> {
    let mut known = HashSet::with_capacity(tags.len());
    let kept = tags.into_iter().filter_map(|tag| {
        let mut tag = tag.trim().to_owned();
        cut(&mut tag, limits::TAG_CHARS, "");
        (!tag.is_empty() && known.insert(tag.clone())).then_some(tag)
    });
    kept.collect()
}

/// Cuts a text at a limit in characters; where it was cut, it ends with the mark.
pub fn cut(text: &mut String, most: usize, mark: &str) {
    let keep = most.saturating_sub(mark.chars().count());
    if text.len() > most
        && text.chars().count() > most
        && let Some((at, _)) = text.char_indices().nth(keep)
    {
        text.truncate(at);
        text.push_str(mark);
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
    fn what_is_too_long_is_cut_at_intake_and_told_to_whoever_can_shorten_it() {
        let x = |chars: usize| "é".repeat(chars);
        let owner = |chars| Owner { email: Some(x(chars)), ..Owner::default() };
        let tags = |count: usize| (0..count).map(|tag| tag.to_string()).collect::<Vec<_>>();
        let long = |field, most| Err(Refusal::TooLong { field, most });
        let cases = [
            (Draft::new(x(2_000)), Ok(())),
            (Draft::new(x(2_001)), long("title", 2_000)),
            (Draft { description: x(5_001), ..Draft::new("x") }, long("description", 5_000)),
            (Draft { classification_comment: Some(x(5_001)), ..Draft::new("x") }, long("classificationComment", 5_000)),
            (Draft { owner: owner(501), ..Draft::new("x") }, long("owner", 500)),
            (Draft { tags: tags(200), ..Draft::new("x") }, Ok(())),
            (Draft { tags: tags(201), ..Draft::new("x") }, Err(Refusal::TooManyTags)),
            (Draft { tags: vec![x(257)], ..Draft::new("x") }, long("tag", 256)),
        ];
        for (draft, expected) in cases {
            assert_eq!(draft.fits(), expected);
            let patch = Patch {
                title: Some(draft.title.clone()),
                description: Some(draft.description.clone()),
                classification_comment: draft.classification_comment.clone(),
                owner: Some(draft.owner.clone()),
                remove_tags: draft.tags.clone(),
                ..Patch::default()
            };
            assert_eq!(patch.fits(), expected);
            let kept = draft.check().unwrap();
            assert_eq!(kept.fits(), Ok(()));
            assert_eq!(kept.clone().check(), Ok(kept), "cutting once is enough");
        }
    }

    #[test]
    fn a_hundred_thousand_tags_are_no_work() {
        let tags = (0..100_000).map(|tag| tag.to_string()).collect();
        let kept = Draft { tags, ..Draft::new("x") }.check().unwrap().tags;
        assert_eq!((kept.len(), &*kept[199]), (200, "199"));
    }

    #[test]
    fn years_that_no_client_can_read_are_refused() {
        for (year, text) in [(0, "0000-01-01T00:00:00Z"), (10_000, "+10000-01-01T00:00:00Z")] {
            let first_activity = text.parse().ok();
            assert_eq!(Draft { first_activity, ..Draft::new("x") }.check(), Err(Refusal::NoYear(year)));
        }
    }

    #[test]
    fn tags_lose_blanks_and_repeats() {
        let tags = ["a", " a ", "", "b"].map(String::from).to_vec();
        let draft = Draft { tags, ..Draft::new("x") }.check();
        assert_eq!(draft.map(|draft| draft.tags), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }
}
