//! The conversation with an IMAP server: one command, its answers, its end.
//!
//! async-imap's own commands take a connection that breaks in the middle of a list, or a list that ends with NO, for a list
//! that is complete. A mail missed that way would be missed for ever, so every command here is followed to its tagged
//! answer.

use std::{collections::HashMap, time::Duration};

use async_imap::imap_proto::{AttributeValue, Capability, MailboxDatum, Response, ResponseCode, Status};
use chrono::{DateTime, Utc};
use tokio::{sync::Notify, time::Instant};

use super::{
    connect::{Transport, broken, within},
    error::{ImapError, said},
    name::{quoted, uid_set},
};
use crate::limits;

/// A connection that is logged in.
pub(super) struct Session {
    inner: async_imap::Session<Box<dyn Transport>>,
    server: String,
    answer: Duration,
    pub(super) offers: Offers,
    /// The folder is open for changes, not only for reading.
    writable: bool,
    /// How many mails the folder has, as far as the server told.
    exists: u32,
    /// The server spoke of new mail since the last list.
    news: bool,
    /// What it said in farewell.
    farewell: Option<String>,
}

/// The extensions that matter here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offers {
    /// RFC 2177.
    pub(super) idle: bool,
    /// RFC 6851.
    pub(super) moves: bool,
    /// RFC 4315.
    pub(super) uidplus: bool,
}

/// A folder as it was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) uid_validity: u32,
    /// Above every UID there is.
    pub(super) uid_next: u32,
    /// The server said so itself; otherwise mails that are gone by now may have had higher ones.
    pub(super) certain: bool,
    /// The server lets nobody under this name change flags or move mails.
    pub(super) read_only: bool,
}

/// One mail in a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) uid: u32,
    pub(super) bytes: usize,
    pub(super) received: Option<DateTime<Utc>>,
}

/// Why a wait for mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The server spoke of new mail.
    News,
    /// The time was up, or somebody woke the reader.
    Enough,
}

impl Session {
    pub(super) async fn new(
        inner: async_imap::Session<Box<dyn Transport>>,
        server: String,
        answer: Duration,
    ) -> Result<Self, ImapError> {
        let mut session = Self {
            inner,
            server,
            answer,
            offers: Offers::default(),
            writable: false,
            exists: 0,
            news: false,
            farewell: None,
        };
        let mut offers = Offers::default();
        session
            .command("CAPABILITY", "CAPABILITY", answer, |response| {
                let Response::Capabilities(capabilities) = response else { return };
                for capability in capabilities {
                    let Capability::Atom(name) = capability else { continue };
                    offers.idle |= name.eq_ignore_ascii_case("IDLE");
                    offers.moves |= name.eq_ignore_ascii_case("MOVE");
                    offers.uidplus |= name.eq_ignore_ascii_case("UIDPLUS");
                }
            })
            .await?;
        session.offers = offers;
        Ok(session)
    }

    /// Opens a folder: for reading only, which changes nothing in it, or for flags and moves.
    pub(super) async fn open(&mut self, folder: &str, writable: bool) -> Result<Opened, ImapError> {
        let no_folder =
            |server: &str, said| ImapError::Folder { server: server.to_owned(), folder: folder.to_owned(), said };
        let Some(name) = quoted(folder) else {
            return Err(no_folder(&self.server, "the name holds a line break".to_owned()));
        };
        let (mut validity, mut next, mut read_only) = (None, None, false);
        let command = if writable { "SELECT" } else { "EXAMINE" };
        let text = format!("{command} {name}");
        let opened = self.command(command, &text, self.answer, |response| {
            if let Response::Data { outcome, .. } | Response::Done { outcome, .. } = response {
                match outcome.code {
                    Some(ResponseCode::UidValidity(value)) => validity = Some(value),
                    Some(ResponseCode::UidNext(value)) => next = Some(value),
                    Some(ResponseCode::ReadOnly) => read_only = true,
                    _ => {}
                }
            }
        });
        opened.await.map_err(|error| match error {
            ImapError::Refused { server, said, .. } => no_folder(&server, said),
            other => other,
        })?;
        self.writable = writable;
        let Some(uid_validity) = validity else { return Err(ImapError::NoUids { server: self.server.clone() }) };
        let uid_next = match next {
            Some(next) => next,
            // Old servers leave UIDNEXT out; the highest UID there is says as much.
            None => self.list("*").await?.iter().map(|mail| mail.uid).max().unwrap_or(0).saturating_add(1),
        };
        Ok(Opened { uid_validity, uid_next, certain: next.is_some(), read_only })
    }

    /// The fault of a folder whose UIDVALIDITY changed between two openings.
    pub(super) fn renumbered(&self) -> ImapError {
        ImapError::Renumbered { server: self.server.clone() }
    }

    /// Whether flags and moves can be asked for.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The mails of a UID set, in the order of their UIDs.
    pub(super) async fn list(&mut self, set: &str) -> Result<Vec<Listed>, ImapError> {
        self.listed("UID FETCH", &format!("UID FETCH {set} (UID RFC822.SIZE INTERNALDATE)")).await
    }

    /// The newest mails of the folder, at most `count`, in the order of their UIDs.
    pub(super) async fn newest(&mut self, count: u32) -> Result<Vec<Listed>, ImapError> {
        if self.exists == 0 || count == 0 {
            return Ok(Vec::new());
        }
        let first = self.exists.saturating_sub(count - 1).max(1);
        self.listed("FETCH", &format!("FETCH {first}:* (UID RFC822.SIZE INTERNALDATE)")).await
    }

    async fn listed(&mut self, name: &'static str, command: &str) -> Result<Vec<Listed>, ImapError> {
        let mut mails = Vec::new();
        self.news = false;
        self.command(name, command, self.answer, |response| {
            let Response::Fetch(_, attributes) = response else { return };
            let (mut uid, mut bytes, mut received) = (None, None, None);
            for attribute in attributes {
                match attribute {
                    AttributeValue::Uid(value) => uid = Some(*value),
                    AttributeValue::Rfc822Size(value) => bytes = Some(*value as usize),
                    AttributeValue::InternalDate(value) => received = internal_date(value),
                    _ => {}
                }
            }
            // A change of flags is told in the same form, without a size.
            if let (Some(uid), Some(bytes)) = (uid, bytes) {
                mails.push(Listed { uid, bytes, received });
            }
        })
        .await?;
        mails.sort_unstable_by_key(|mail| mail.uid);
        mails.dedup_by_key(|mail| mail.uid);
        Ok(mails)
    }

    /// The raw mails of these UIDs, without a flag being set; one that was removed in the meantime is missing.
    pub(super) async fn fetch(&mut self, mails: &[Listed]) -> Result<HashMap<u32, Vec<u8>>, ImapError> {
        self.fetch_section(mails, "BODY.PEEK[]", mails.iter().map(|mail| mail.bytes).sum()).await
    }

    /// The start of a mail's header.
    pub(super) async fn fetch_header(&mut self, mail: Listed) -> Result<Vec<u8>, ImapError> {
        let section = format!("BODY.PEEK[HEADER]<0.{}>", limits::MAIL_KEPT_HEADER_BYTES);
        let headers = self.fetch_section(&[mail], &section, limits::MAIL_KEPT_HEADER_BYTES).await?;
        Ok(headers.into_values().next().unwrap_or_default())
    }

    async fn fetch_section(
        &mut self,
        mails: &[Listed],
        section: &str,
        bytes: usize,
    ) -> Result<HashMap<u32, Vec<u8>>, ImapError> {
        let uids: Vec<u32> = mails.iter().map(|mail| mail.uid).collect();
        let mut fetched = HashMap::with_capacity(uids.len());
        let wait = self.answer + Duration::from_secs((bytes / limits::MAIL_SLOWEST_BYTES_PER_SECOND) as u64);
        let command = format!("UID FETCH {} (UID {section})", uid_set(&uids));
        self.command("UID FETCH", &command, wait, |response| {
            let Response::Fetch(_, attributes) = response else { return };
            let uid = attributes.iter().find_map(|attribute| match attribute {
                AttributeValue::Uid(uid) => Some(*uid),
                _ => None,
            });
            let body = attributes.iter().find_map(|attribute| match attribute {
                AttributeValue::BodySection { data, .. } => Some(data.as_deref().unwrap_or_default()),
                _ => None,
            });
            if let (Some(uid), Some(body)) = (uid, body) {
                fetched.insert(uid, body.to_vec());
            }
        })
        .await?;
        Ok(fetched)
    }

    /// Sets `\Seen`.
    pub(super) async fn mark_seen(&mut self, uids: &[u32]) -> Result<(), ImapError> {
        let command = format!("UID STORE {} +FLAGS.SILENT (\\Seen)", uid_set(uids));
        self.command("UID STORE", &command, self.answer, |_| {}).await
    }

    /// Moves mails; makes the folder when the server says that it is missing.
    pub(super) async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError> {
        let Some(name) = quoted(folder) else {
            let said = "the name holds a line break".to_owned();
            return Err(ImapError::Folder { server: self.server.clone(), folder: folder.to_owned(), said });
        };
        match self.move_once(uids, &name).await {
            Err(ImapError::Refused { try_create: true, .. }) => {
                self.command("CREATE", &format!("CREATE {name}"), self.answer, |_| {}).await?;
                self.move_once(uids, &name).await
            }
            moved => moved,
        }
    }

    async fn move_once(&mut self, uids: &[u32], name: &str) -> Result<(), ImapError> {
        let set = uid_set(uids);
        if self.offers.moves {
            return self.command("UID MOVE", &format!("UID MOVE {set} {name}"), self.answer, |_| {}).await;
        }
        self.command("UID COPY", &format!("UID COPY {set} {name}"), self.answer, |_| {}).await?;
        let deleted = format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)");
        self.command("UID STORE", &deleted, self.answer, |_| {}).await?;
        if self.offers.uidplus {
            self.command("UID EXPUNGE", &format!("UID EXPUNGE {set}"), self.answer, |_| {}).await?;
        }
        // Without UIDPLUS only a plain EXPUNGE is left, which would also remove what other people marked as deleted.
        Ok(())
    }

    /// Waits for new mail: with IDLE for at most `idle`, otherwise for `every` and one NOOP. `wake` ends the wait.
    pub(super) async fn wait(&mut self, idle: Duration, every: Duration, wake: &Notify) -> Result<Waited, ImapError> {
        if self.news {
            return Ok(Waited::News);
        }
        if self.offers.idle {
            return self.idle(idle, wake).await;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = wake.notified() => {}
        }
        self.command("NOOP", "NOOP", self.answer, |_| {}).await?;
        Ok(Waited::Enough)
    }

    async fn idle(&mut self, limit: Duration, wake: &Notify) -> Result<Waited, ImapError> {
        let started = self.inner.run_command("IDLE");
        let id = within(self.answer, &self.server, "IDLE", async { Ok(started.await) }).await?;
        let id = id.map_err(|error| self.client_error("IDLE", &error))?;
        let until = Instant::now() + limit;
        let mut begun = false;
        while !self.news {
            let wait = if begun { until } else { Instant::now() + self.answer };
            let response = tokio::select! {
                response = self.inner.read_response() => response,
                () = wake.notified(), if begun => break,
                () = tokio::time::sleep_until(wait) => {
                    if begun {
                        break;
                    }
                    return Err(self.silent("IDLE", self.answer));
                }
            };
            let response = self.arrived("IDLE", response)?;
            self.note(response.parsed());
            match response.parsed() {
                Response::Continue(_) => begun = true,
                // Refused: from now on the folder is polled.
                Response::Done { tag, .. } if *tag == id => {
                    self.offers.idle = false;
                    return Ok(Waited::Enough);
                }
                _ => {}
            }
        }
        let ended = self.inner.run_command_untagged("DONE");
        let ended = within(self.answer, &self.server, "IDLE", async { Ok(ended.await) }).await?;
        ended.map_err(|error| self.client_error("IDLE", &error))?;
        self.finish("IDLE", &id, self.answer, |_| {}).await?;
        Ok(if self.news { Waited::News } else { Waited::Enough })
    }

    /// How many mails the open folder has.
    pub(super) fn mails(&self) -> u32 {
        self.exists
    }

    /// Whether there is a folder of this name, without opening it.
    pub(super) async fn has_folder(&mut self, folder: &str) -> Result<bool, ImapError> {
        let Some(name) = quoted(folder) else { return Ok(false) };
        match self.command("STATUS", &format!("STATUS {name} (MESSAGES)"), self.answer, |_| {}).await {
            Ok(()) => Ok(true),
            Err(ImapError::Refused { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Sends a command and hands its answers to `each`, the tagged one last when it says OK; none may take longer than
    /// `wait`.
    async fn command(
        &mut self,
        name: &'static str,
        text: &str,
        wait: Duration,
        each: impl FnMut(&Response<'_>),
    ) -> Result<(), ImapError> {
        let sent = self.inner.run_command(text);
        let id = within(self.answer, &self.server, name, async { Ok(sent.await) }).await?;
        let id = id.map_err(|error| self.client_error(name, &error))?;
        self.finish(name, &id, wait, each).await
    }

    async fn finish(
        &mut self,
        name: &'static str,
        id: &async_imap::imap_proto::RequestId,
        wait: Duration,
        mut each: impl FnMut(&Response<'_>),
    ) -> Result<(), ImapError> {
        loop {
            let Ok(response) = tokio::time::timeout(wait, self.inner.read_response()).await else {
                return Err(self.silent(name, wait));
            };
            let response = self.arrived(name, response)?;
            self.note(response.parsed());
            let Response::Done { tag, status, outcome } = response.parsed() else {
                each(response.parsed());
                continue;
            };
            if tag != id {
                continue;
            }
            if *status == Status::Ok {
                each(response.parsed());
                return Ok(());
            }
            return Err(ImapError::Refused {
                server: self.server.clone(),
                command: name,
                said: said(outcome.information.as_deref()),
                try_create: matches!(outcome.code, Some(ResponseCode::TryCreate)),
            });
        }
    }

    /// The answer that arrived, or what its absence means.
    fn arrived<T>(&self, command: &'static str, response: std::io::Result<Option<T>>) -> Result<T, ImapError> {
        match response {
            Ok(Some(response)) => Ok(response),
            Ok(None) => {
                let said = said(self.farewell.as_deref());
                Err(ImapError::Closed { server: self.server.clone(), command, said })
            }
            Err(error) => Err(broken(&self.server, command, &error)),
        }
    }

    /// Notes what every answer may tell.
    fn note(&mut self, response: &Response<'_>) {
        match response {
            // Some servers repeat the number with every answer.
            Response::MailboxData(MailboxDatum::Exists(exists)) => {
                self.news |= *exists != self.exists;
                self.exists = *exists;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            Response::Data { status: Status::Bye, outcome } => {
                self.farewell = outcome.information.as_ref().map(ToString::to_string);
            }
            _ => {}
        }
    }

    fn silent(&self, command: &'static str, wait: Duration) -> ImapError {
        ImapError::Silent { server: self.server.clone(), command, seconds: wait.as_secs() }
    }

    fn client_error(&self, command: &'static str, error: &async_imap::error::Error) -> ImapError {
        match error {
            async_imap::error::Error::Io(error) => broken(&self.server, command, error),
            _ => ImapError::Closed { server: self.server.clone(), command, said: said(None) },
        }
    }
}

/// INTERNALDATE, `" 1-Feb-2026 09:05:00 +0100"` (RFC 3501 §9, `date-time`).
fn internal_date(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_str(text.trim_start(), "%e-%b-%Y %H:%M:%S %z").ok()?;
    Some(parsed.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_date_is_read_with_one_digit_or_two() {
        for (written, read) in [
            (" 1-Feb-2026 09:05:00 +0100", Some("2026-02-01T08:05:00+00:00")),
            ("24-Nov-2026 23:59:59 -0830", Some("2026-11-25T08:29:59+00:00")),
            ("yesterday", None),
        ] {
            assert_eq!(internal_date(written).map(|date| date.to_rfc3339()).as_deref(), read);
        }
    }
}
