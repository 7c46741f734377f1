//! Waiting for what a run comes to: the thank-you page shows the incident's number, a webhook's caller gets its answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::store::{RunId, run::RunStatus};

/// What a watched run came to.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It made this incident; it may still go on.
    Incident(u64),
    /// It answered its caller, `{statusCode, headers, body}`; it may still go on.
    Replied(Arc<Value>),
    /// It ended, or was suspended, without what was waited for.
    Ended(RunStatus),
}

/// What is waited for; the run's end ends every wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Incident,
    Reply,
}

/// Somebody who waits.
type Watcher = (Wish, oneshot::Sender<News>);

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<RunId, Vec<Watcher>>>);

impl Watchers {
    /// For the run's first incident.
    pub(crate) fn watch(self: &Arc<Self>, run: RunId) -> Watch {
        self.wait(run, Wish::Incident)
    }

    /// For what the run answers its caller.
    pub(crate) fn watch_reply(self: &Arc<Self>, run: RunId) -> Watch {
        self.wait(run, Wish::Reply)
    }

    fn wait(self: &Arc<Self>, run: RunId, wish: Wish) -> Watch {
        let (tell, told) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_default().push((wish, tell));
        Watch { run, told, watchers: self.clone() }
    }

    pub(crate) fn tell(&self, run: RunId, news: &News) {
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = watchers.remove(&run) else { return };
        let hears = |wish: Wish| match news {
            News::Incident(_) => wish == Wish::Incident,
            News::Replied(_) => wish == Wish::Reply,
            News::Ended(_) => true,
        };
        let (told, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(wish, _)| hears(*wish));
        if !left.is_empty() {
            watchers.insert(run, left);
        }
        drop(watchers);
        for (_, watcher) in told {
            // One that left does not hear it.
            let _ = watcher.send(news.clone());
        }
    }
}

/// A wait for a run's news. It hears only what happens after it was made, so make it before the report goes through the
/// intake door.
#[derive(Debug)]
pub struct Watch {
    run: RunId,
    told: oneshot::Receiver<News>,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// What was waited for, or the run's end; `None` when Larum stops before either. Wrap it in a timeout.
    pub async fn news(mut self) -> Option<News> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.told.close();
        let mut watchers = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = watchers.get_mut(&self.run) {
            waiting.retain(|(_, watcher)| !watcher.is_closed());
            if waiting.is_empty() {
                watchers.remove(&self.run);
            }
        }
    }
}
