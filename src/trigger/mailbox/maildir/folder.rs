//! A maildir on disk (D. J. Bernstein's format, folders as in Maildir++): what lies in `new/`, and what is done with it.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    limits,
    store::mailbox::{MailTask, MailTaskKind, MessageRef},
};

/// What is wrong with a maildir.
#[derive(Debug, thiserror::Error)]
pub enum MaildirError {
    #[error("the maildir {path} cannot be used: {source}")]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "{0:?} is no name of a maildir folder: its parts are separated by / and may not be empty or begin with a dot"
    )]
    FolderName(String),
    #[error("the maildir {path} cannot be watched for changes: {reason}")]
    Unwatchable { path: PathBuf, reason: String },
}

/// One folder of a maildir.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    path: PathBuf,
}

/// A file in `new/`.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Its name, which no other mail of the folder has.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

/// What reading a file gave.
pub(super) enum FileRead {
    Whole(Vec<u8>),
    /// Too large, or it cannot be read.
    Unfit {
        headers: Vec<u8>,
        reason: String,
    },
    /// It changed while it was read: it is not finished.
    Changing,
    /// Somebody took it away.
    Gone,
}

impl Folder {
    /// The folder called `folder` of the maildir `root`; `INBOX` is the maildir itself.
    pub(super) fn new(root: &Path, folder: &str) -> Result<Self, MaildirError> {
        let path = if folder.eq_ignore_ascii_case("INBOX") {
            root.to_owned()
        } else {
            let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\0', '\\']);
            if !folder.split('/').all(plain) {
                return Err(MaildirError::FolderName(folder.to_owned()));
            }
            root.join(format!(".{}", folder.replace('/', ".")))
        };
        Ok(Self { root: root.to_owned(), path })
    }

    /// `new/`.
    pub(super) fn new_dir(&self) -> PathBuf {
        self.path.join("new")
    }

    /// Makes the folder where it is missing.
    pub(super) fn make(&self) -> Result<(), MaildirError> {
        let unusable = |source| MaildirError::Unusable { path: self.path.clone(), source };
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(self.path.join(part)).map_err(unusable)?;
        }
        if self.path != self.root {
            let mark = self.path.join("maildirfolder");
            if !mark.exists() {
                fs::File::create(mark).map_err(unusable)?;
            }
        }
        Ok(())
    }

    /// The files in `new/`, by name, which is by age where the name begins with the time. Hidden ones are not mail.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>, MaildirError> {
        let mut waiting = self.mails(&self.new_dir())?;
        waiting.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(waiting)
    }

    /// The files in `new/` and `cur/`, by age; those in `cur/` under their names without flags.
    pub(super) fn all(&self) -> Result<Vec<Waiting>, MaildirError> {
        let mut all = self.mails(&self.new_dir())?;
        for mut file in self.mails(&self.path.join("cur"))? {
            file.name.truncate(base(&file.name).len());
            all.push(file);
        }
        all.sort_unstable_by(|a, b| a.modified.cmp(&b.modified).then_with(|| a.name.cmp(&b.name)));
        Ok(all)
    }

    fn mails(&self, path: &Path) -> Result<Vec<Waiting>, MaildirError> {
        let unusable = |source| MaildirError::Unusable { path: self.path.clone(), source };
        let mut waiting = Vec::new();
        for entry in fs::read_dir(path).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            // A name that is no text cannot be kept with its tasks; mail programs give none such.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            // Neither a pipe nor a link is followed: reading one could wait for ever or lead anywhere.
            let Ok(about) = entry.metadata() else { continue };
            let Ok(modified) = about.modified() else { continue };
            if about.is_file() {
                waiting.push(Waiting { name, bytes: about.len(), modified });
            }
        }
        Ok(waiting)
    }

    /// Reads a file that lay in `new/`, also when another program moved it to `cur/` since.
    pub(super) fn read(&self, file: &Waiting) -> FileRead {
        let path = self.new_dir().join(&file.name);
        let opened = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.find_in_cur(&file.name) {
                Some(moved) => fs::File::open(moved),
                None => return FileRead::Gone,
            },
            opened => opened,
        };
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return FileRead::Gone,
            Err(error) => return unreadable(&error),
        };
        let too_large = file.bytes > limits::MAIL_BYTES as u64;
        let most = if too_large { limits::MAIL_KEPT_HEADER_BYTES } else { limits::MAIL_BYTES + 1 };
        let mut raw = Vec::with_capacity(if too_large { most } else { file.bytes as usize });
        if let Err(error) = opened.by_ref().take(most as u64).read_to_end(&mut raw) {
            return unreadable(&error);
        }
        let unchanged = opened
            .metadata()
            .is_ok_and(|now| now.len() == file.bytes && now.modified().is_ok_and(|modified| modified == file.modified));
        if !unchanged {
            return FileRead::Changing;
        }
        if too_large {
            raw.truncate(header_end(&raw));
            let reason =
                format!("the message has {} bytes; at most {} are read. It is in cur/", file.bytes, limits::MAIL_BYTES);
            return FileRead::Unfit { headers: raw, reason };
        }
        FileRead::Whole(raw)
    }

    fn find_in_cur(&self, name: &str) -> Option<PathBuf> {
        let cur = fs::read_dir(self.path.join("cur")).ok()?;
        cur.flatten().find(|entry| base(&entry.file_name().to_string_lossy()) == name).map(|entry| entry.path())
    }

    /// Does what was promised with commits: from `new/` to `cur/`, the S flag, the move to another folder. Returns the tasks
    /// that are done, a mail that is nowhere any more among them, and the first fault.
    pub(super) fn perform(&self, tasks: Vec<MailTask>) -> (Vec<i64>, Option<MaildirError>) {
        let mut done = Vec::new();
        let mut fault = None;
        let mut mails: BTreeMap<String, Wanted> = BTreeMap::new();
        for task in tasks {
            let MessageRef::Maildir { base_name } = task.task.message else {
                done.push(task.id);
                continue;
            };
            let wanted = mails.entry(base_name).or_default();
            wanted.tasks.push(task.id);
            match task.task.what {
                MailTaskKind::MarkSeen => wanted.seen = true,
                MailTaskKind::MoveTo(folder) => wanted.folder = Some(folder),
                MailTaskKind::ToCur => {}
            }
        }
        // cur/ is only looked through when a mail is no longer in new/.
        let mut cur: Option<HashMap<String, String>> = None;
        for (name, wanted) in mails {
            let moved = wanted
                .folder
                .as_deref()
                .map_or_else(|| Ok(self.clone()), |folder| Self::new(&self.root, folder))
                .and_then(|target| {
                    if wanted.folder.is_some() {
                        target.make()?;
                    }
                    self.put_away(&name, &target, wanted.seen, &mut cur)
                });
            match moved {
                Ok(()) => done.extend(wanted.tasks),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        (done, fault)
    }

    fn put_away(
        &self,
        name: &str,
        target: &Self,
        seen: bool,
        cur: &mut Option<HashMap<String, String>>,
    ) -> Result<(), MaildirError> {
        let unusable = |source| MaildirError::Unusable { path: self.path.clone(), source };
        let mut from = self.new_dir().join(name);
        let mut flags = String::new();
        if !from.try_exists().map_err(unusable)? {
            let cur = cur.get_or_insert_with(|| self.cur_by_base());
            let Some(file) = cur.get(name) else { return Ok(()) };
            from = self.path.join("cur").join(file);
            flags.push_str(file.split_once(":2,").map_or("", |(_, flags)| flags));
        }
        if seen && !flags.contains('S') {
            flags.push('S');
            let mut sorted: Vec<char> = flags.chars().collect();
            sorted.sort_unstable();
            flags = sorted.into_iter().collect();
        }
        let target_cur = target.path.join("cur");
        let mut to = target_cur.join(format!("{}:2,{flags}", base(name)));
        // A name that is taken belongs to another mail: whoever dropped this one gave it the same.
        let mut copy = 1;
        while to != from && to.try_exists().map_err(unusable)? {
            copy += 1;
            to = target_cur.join(format!("{}.{copy}:2,{flags}", base(name)));
        }
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(error)),
            _ => Ok(()),
        }
    }

    fn cur_by_base(&self) -> HashMap<String, String> {
        let Ok(cur) = fs::read_dir(self.path.join("cur")) else { return HashMap::new() };
        let names = cur.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.map(|name| (base(&name).to_owned(), name)).collect()
    }
}

/// What is to become of one mail.
#[derive(Default)]
struct Wanted {
    tasks: Vec<i64>,
    seen: bool,
    folder: Option<String>,
}

/// A file's name without its flags.
fn base(name: &str) -> &str {
    name.split_once(":2,").map_or(name, |(base, _)| base)
}

fn unreadable(error: &io::Error) -> FileRead {
    FileRead::Unfit { headers: Vec::new(), reason: format!("the file cannot be read: {error}") }
}

/// Where the header ends, by an empty line.
fn header_end(raw: &[u8]) -> usize {
    let after = |separator: &[u8]| {
        raw.windows(separator.len()).position(|window| window == separator).map(|at| at + separator.len())
    };
    after(b"\r\n\r\n").or_else(|| after(b"\n\n")).unwrap_or(raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::mailbox::NewMailTask;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path(), "INBOX").unwrap();
        folder.make().unwrap();
        (root, folder)
    }

    fn tasks(name: &str, kinds: &[MailTaskKind]) -> Vec<MailTask> {
        let task = |(id, what): (usize, &MailTaskKind)| MailTask {
            id: id as i64,
            task: NewMailTask { message: MessageRef::Maildir { base_name: name.into() }, what: what.clone() },
        };
        kinds.iter().enumerate().map(task).collect()
    }

    fn files(root: &Path) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        files
    }

    #[test]
    fn a_taken_mail_goes_where_it_was_asked_to() {
        use MailTaskKind::{MarkSeen, MoveTo, ToCur};
        for (before, kinds, after) in [
            ("new/a", vec![ToCur], "cur/a:2,"),
            ("new/a", vec![ToCur, MarkSeen], "cur/a:2,S"),
            ("cur/a:2,RT", vec![ToCur, MarkSeen], "cur/a:2,RST"),
            ("cur/a:2,S", vec![MarkSeen], "cur/a:2,S"),
            ("new/a", vec![ToCur, MoveTo("Filed/2026".into())], ".Filed.2026/cur/a:2,"),
            ("cur/a:2,F", vec![MarkSeen, MoveTo("Filed".into())], ".Filed/cur/a:2,FS"),
        ] {
            let (root, folder) = folder();
            fs::write(root.path().join(before), "x").unwrap();
            let ids: Vec<i64> = (0..kinds.len() as i64).collect();
            let (done, fault) = folder.perform(tasks("a", &kinds));
            assert!(fault.is_none(), "{fault:?}");
            assert_eq!(done, ids);
            let left: Vec<String> =
                files(root.path()).into_iter().filter(|file| !file.ends_with("maildirfolder")).collect();
            assert_eq!(left, [after], "{before} {kinds:?}");
        }
    }

    #[test]
    fn a_name_that_comes_again_replaces_nothing() {
        let (root, folder) = folder();
        for text in ["first", "second"] {
            fs::write(root.path().join("new/a"), text).unwrap();
            assert!(folder.perform(tasks("a", &[MailTaskKind::ToCur])).1.is_none());
        }
        assert_eq!(files(root.path()), ["cur/a.2:2,", "cur/a:2,"]);
        assert_eq!(fs::read_to_string(root.path().join("cur/a:2,")).unwrap(), "first");
    }

    #[test]
    fn a_mail_that_is_gone_leaves_nothing_to_do() {
        let (_root, folder) = folder();
        let (done, fault) = folder.perform(tasks("a", &[MailTaskKind::ToCur, MailTaskKind::MarkSeen]));
        assert!(fault.is_none());
        assert_eq!(done, [0, 1]);
    }

    #[test]
    fn a_folder_name_cannot_lead_out_of_the_maildir() {
        for name in ["../other", "a//b", "/etc", "", ".hidden", "a/../b"] {
            assert!(Folder::new(Path::new("/mail"), name).is_err(), "{name}");
        }
        assert_eq!(Folder::new(Path::new("/mail"), "inbox").unwrap().new_dir(), Path::new("/mail/new"));
        assert_eq!(Folder::new(Path::new("/mail"), "A/B").unwrap().new_dir(), Path::new("/mail/.A.B/new"));
    }

    #[test]
    fn a_link_a_pipe_and_a_hidden_file_are_no_mails() {
        let (root, folder) = folder();
        fs::write(root.path().join("new/mail"), "x").unwrap();
        fs::write(root.path().join("new/.hidden"), "x").unwrap();
        fs::create_dir(root.path().join("new/folder")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("new/link")).unwrap();
        let names: Vec<String> = folder.waiting().unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["mail"]);
    }

    #[test]
    fn a_file_another_program_opened_meanwhile_is_read_all_the_same() {
        let (root, folder) = folder();
        fs::write(root.path().join("new/a"), "text").unwrap();
        let waiting = folder.waiting().unwrap();
        fs::rename(root.path().join("new/a"), root.path().join("cur/a:2,S")).unwrap();
        assert!(matches!(folder.read(&waiting[0]), FileRead::Whole(raw) if raw == b"text"));
        fs::remove_file(root.path().join("cur/a:2,S")).unwrap();
        assert!(matches!(folder.read(&waiting[0]), FileRead::Gone));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_not_taken() {
        let (root, folder) = folder();
        fs::write(root.path().join("new/a"), "half").unwrap();
        let waiting = folder.waiting().unwrap();
        fs::write(root.path().join("new/a"), "half and whole").unwrap();
        assert!(matches!(folder.read(&waiting[0]), FileRead::Changing));
    }
}
