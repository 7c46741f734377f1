//! Dead letters that somebody asked to try again. `larum mail retry` leaves a request in the data folder, since only the
//! running server may write to the database; a request left while none runs is met at its next start.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio_util::task::TaskTracker;

use super::{
    Mailboxes,
    reader::Reader,
    report::{Content, Mail},
};
use crate::store::{StoreError, mailbox::DeadLetter};

/// How often the data folder is looked at for requests.
const EVERY: Duration = Duration::from_secs(1);

/// A request could not be left.
#[derive(Debug, thiserror::Error)]
#[error("the request {path} cannot be written: {source}")]
pub struct RequestError {
    path: PathBuf,
    source: io::Error,
}

impl From<RequestError> for io::Error {
    fn from(error: RequestError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// Leaves a request to try a dead letter again, for the server that runs on this data folder or the next one that will.
///
/// # Errors
/// When the data folder cannot be written.
pub fn request_retry(data: &Path, letter: i64) -> Result<(), RequestError> {
    let folder = data.join("requests");
    let path = folder.join(format!("retry-{letter}"));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, ""));
    written.map_err(|source| RequestError { path, source })
}

/// Meets requests, after a rest.
pub(super) async fn retries(mailboxes: &Mailboxes, commits: &TaskTracker) {
    tokio::time::sleep(EVERY).await;
    let store = &mailboxes.door.store;
    let requests = requests(&mailboxes.data);
    if requests.is_empty() && !mailboxes.retries_left.load(Ordering::Relaxed) {
        return;
    }
    // Set back at the end, since this function may be dropped before it.
    mailboxes.retries_left.store(true, Ordering::Relaxed);
    for (letter, path) in requests {
        match store.retry_dead_letter(letter).await {
            Err(error) if error.is_passing() => return,
            Err(error) => tracing::warn!(letter, "dead letter cannot be tried again: {error}"),
            Ok(()) => {}
        }
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("request {} cannot be removed: {error}", path.display());
        }
    }
    let Ok(letters) = store.dead_letters().await else { return };
    let mut left = false;
    for letter in letters.into_iter().filter(|letter| letter.retrying && letter.whole) {
        let reader = Arc::new(mailboxes.reader(letter.feed.clone(), commits));
        // A task of the tracker's, since this function may be dropped in the middle.
        if let Ok(Err(error)) = commits.spawn(retry(reader, letter)).await {
            left = true;
            tracing::warn!("dead letter could not be tried again now: {error}");
        }
    }
    mailboxes.retries_left.store(left, Ordering::Relaxed);
}

fn requests(data: &Path) -> Vec<(i64, PathBuf)> {
    let Ok(entries) = fs::read_dir(data.join("requests")) else { return Vec::new() };
    let number = |entry: fs::DirEntry| {
        let letter = entry.file_name().to_str()?.strip_prefix("retry-")?.parse().ok()?;
        Some((letter, entry.path()))
    };
    entries.flatten().filter_map(number).collect()
}

/// Takes a dead letter through the door once more. One that is buried again keeps its place in the box.
async fn retry(reader: Arc<Reader>, letter: DeadLetter) -> Result<(), StoreError> {
    let store = &reader.door.store;
    let Some(raw) = store.dead_letter_raw(letter.id).await? else { return Ok(()) };
    let mail = Mail { message: None, received: letter.at, content: Content::Whole(raw) };
    let buried = reader.commit(vec![mail], None).done().await?;
    if buried == 0 {
        store.forget_dead_letter(letter.id).await?;
        tracing::info!(letter = letter.id, "dead letter was taken after all");
    }
    Ok(())
}
