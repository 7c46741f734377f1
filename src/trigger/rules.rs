//! The automation rules there are: those that stand in files beside the playbooks, and those the workspace keeps.

use chrono::{DateTime, Utc};

use crate::{
    engine::Live,
    incident::{
        Document, DocumentKind, ResourceName,
        automation::{AutomationRule, RuleFault},
    },
    playbook::{FileRule, Trigger},
    store::{Store, StoreError},
};

/// A rule with the name it is kept under.
#[derive(Debug)]
pub struct Rule {
    pub name: ResourceName,
    /// A kept rule may not be one any more for a newer Larum.
    pub rule: Result<AutomationRule, RuleFault>,
}

/// Every rule in the order they go in. A rule in a file hides a kept one of the same name.
///
/// # Errors
/// When the kept rules cannot be read.
pub async fn all(files: &[FileRule], store: &dyn Store) -> Result<Vec<Rule>, StoreError> {
    let kept = store.documents(DocumentKind::AutomationRule, None).await?;
    let kept = kept.into_iter().filter(|document| !files.iter().any(|file| file.name == document.key.name));
    let kept = kept.map(|document| Rule { rule: AutomationRule::parse(&document.properties), name: document.key.name });
    let files = files.iter().map(|file| Rule { name: file.name.clone(), rule: Ok(file.rule.clone()) });
    let mut rules: Vec<Rule> = files.chain(kept).collect();
    // Sentinel leaves the order of equal numbers to chance; here it is that of their names.
    rules.sort_by_cached_key(|rule| {
        (rule.rule.as_ref().map_or(0, |rule| rule.order), rule.name.to_string().to_lowercase())
    });
    Ok(rules)
}

/// Every rule as the API shows them: those of files first, then those that are kept, oldest first.
///
/// # Errors
/// When the kept rules cannot be read.
pub async fn documents(files: &[FileRule], store: &dyn Store) -> Result<Vec<Document>, StoreError> {
    let kept = kept(files, store).await?;
    Ok(files.iter().map(FileRule::document).chain(kept).collect())
}

/// The rules that are kept and not hidden by a file's.
async fn kept(files: &[FileRule], store: &dyn Store) -> Result<Vec<Document>, StoreError> {
    let mut kept = store.documents(DocumentKind::AutomationRule, None).await?;
    kept.retain(|document| !files.iter().any(|file| file.name == document.key.name));
    Ok(kept)
}

/// Makes the store keep events of what happens in the workspace, if a playbook or rule would be started by them. Call it
/// before these are in force; once events are kept they are until Larum stops.
///
/// # Errors
/// When the kept rules cannot be read.
pub async fn listen(
    playbooks: &[Live],
    files: &[FileRule],
    store: &dyn Store,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let triggered =
        playbooks.iter().any(|live| matches!(live.playbook.trigger, Trigger::Incident(_) | Trigger::Alert(_)));
    let ruled = |rule: &Rule| rule.rule.as_ref().map_or(true, |rule| rule.is_in_force(now));
    if triggered || all(files, store).await?.iter().any(ruled) {
        store.listen(true);
    }
    Ok(())
}
