//! A private Dovecot 2.3 (Debian: `dovecot-imapd`), for which the tests must run as root: loopback only, any user, the
//! password `secret`, mail in maildirs that belong to nobody.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{SERVER_DEADLINE, await_port, free_port, open_folder};

/// The user and group that mail belongs to.
pub const NOBODY: u32 = 65534;
pub const PASSWORD: &str = "secret";

static DELIVERED: AtomicU32 = AtomicU32::new(0);

pub struct Dovecot {
    folder: tempfile::TempDir,
    pub port: u16,
    /// With implicit TLS, when the server was started with a certificate.
    pub tls_port: Option<u16>,
    process: Option<Child>,
}

impl Dovecot {
    pub fn start() -> Self {
        Self::start_with(None, "")
    }

    /// Starts one with a self-signed certificate for `host`; [`Dovecot::certificate`] is its file.
    pub fn start_with_tls(host: &str) -> Self {
        Self::start_with(Some(host), "")
    }

    /// Starts one with further lines of configuration.
    pub fn start_with_settings(settings: &str) -> Self {
        Self::start_with(None, settings)
    }

    fn start_with(tls_host: Option<&str>, settings: &str) -> Self {
        let folder = open_folder();
        let dir = folder.path().display();
        let port = free_port();
        let mut tls_port = None;
        let mut tls = "ssl = no".to_owned();
        let mut listener = String::new();
        if let Some(host) = tls_host {
            let port = free_port();
            tls_port = Some(port);
            super::certificate(folder.path(), host);
            tls = format!("ssl = yes\nssl_cert = <{dir}/certificate.pem\nssl_key = <{dir}/key.pem");
            listener = format!("inet_listener imaps {{\n port = {port}\n ssl = yes\n }}");
        }
        let config = format!(
            "base_dir = {dir}/run
log_path = {dir}/log
protocols = imap
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{dir}/mail/%u
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_uid = {NOBODY}
mail_gid = {NOBODY}
mail_max_userip_connections = 100
passdb {{
 driver = static
 args = password={PASSWORD}
}}
userdb {{
 driver = static
 args = uid=nobody gid=nogroup home={dir}/mail/%u
}}
service imap-login {{
 chroot =
 inet_listener imap {{
  port = {port}
 }}
 {listener}
}}
service anvil {{
 chroot =
}}
{settings}
"
        );
        fs::create_dir(folder.path().join("mail")).unwrap();
        chown(folder.path().join("mail"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::write(folder.path().join("dovecot.conf"), config).unwrap();
        let mut dovecot = Self { folder, port, tls_port, process: None };
        dovecot.begin();
        dovecot
    }

    /// Starts the server again after [`Dovecot::stop`] or [`Dovecot::kill`], on the same port and mail.
    pub fn begin(&mut self) {
        let process = Command::new("dovecot")
            .arg("-F")
            .arg("-c")
            .arg(self.folder.path().join("dovecot.conf"))
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dovecot is installed (Debian: dovecot-imapd)");
        self.process = Some(process);
        await_port(self.port, "dovecot");
    }

    /// Ends it in good order: clients are told BYE.
    pub fn stop(&mut self) {
        self.signal("-TERM");
    }

    /// Ends it and all its processes at once.
    pub fn kill(&mut self) {
        self.signal("-KILL");
    }

    fn signal(&mut self, signal: &str) {
        let Some(mut process) = self.process.take() else { return };
        let group = format!("-{}", process.id());
        let target = if signal == "-KILL" { group.clone() } else { process.id().to_string() };
        let _ = Command::new("kill").args([signal, "--", &target]).stderr(Stdio::null()).status();
        let until = Instant::now() + SERVER_DEADLINE;
        while process.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                let _ = process.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // What a child still holds would keep the next instance from starting.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = fs::remove_file(self.folder.path().join("run/master.pid"));
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The certificate's PEM file.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Where the maildirs of all users are.
    pub fn mail(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The maildir of a user's folder.
    pub fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let inbox = self.mail().join(user);
        if folder == "INBOX" { inbox } else { inbox.join(format!(".{folder}")) }
    }

    /// Puts a mail into a user's folder as a delivery agent does; returns its file.
    pub fn deliver(&self, user: &str, folder: &str, mail: &[u8]) -> PathBuf {
        let maildir = self.maildir(user, folder);
        make(&self.mail().join(user));
        make(&maildir);
        for part in ["tmp", "new", "cur"] {
            make(&maildir.join(part));
        }
        let number = DELIVERED.fetch_add(1, Ordering::Relaxed);
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let name = format!("{}.M{:06}P{}Q{number}.test", since.as_secs(), since.subsec_micros(), std::process::id());
        let (tmp, new) = (maildir.join("tmp").join(&name), maildir.join("new").join(&name));
        fs::write(&tmp, mail).unwrap();
        chown(&tmp, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::rename(&tmp, &new).unwrap();
        new
    }

    /// The mails in a user's folder, by file name; flags are behind `:2,`.
    pub fn files(&self, user: &str, folder: &str) -> Vec<String> {
        let maildir = self.maildir(user, folder);
        let mut files = Vec::new();
        for part in ["new", "cur"] {
            let Ok(entries) = fs::read_dir(maildir.join(part)) else { continue };
            files.extend(entries.flatten().map(|entry| entry.file_name().into_string().unwrap()));
        }
        files.sort();
        files
    }

    /// The mails themselves.
    pub fn mails(&self, user: &str, folder: &str) -> Vec<String> {
        let maildir = self.maildir(user, folder);
        let mut mails = Vec::new();
        for part in ["new", "cur"] {
            let Ok(entries) = fs::read_dir(maildir.join(part)) else { continue };
            for entry in entries.flatten() {
                // Another process may move a file between the list and this.
                if let Ok(raw) = fs::read(entry.path()) {
                    mails.push(String::from_utf8_lossy(&raw).into_owned());
                }
            }
        }
        mails
    }

    /// Gives every mail of a folder a new number under a new UIDVALIDITY, as restoring a mailbox does.
    pub fn renumber(&mut self, user: &str) {
        self.stop();
        let maildir = self.maildir(user, "INBOX");
        let list = maildir.join("dovecot-uidlist");
        let head = fs::read_to_string(&list).expect("the folder was opened before");
        let validity: u32 = head.split([' ', '\n']).find_map(|word| word.strip_prefix('V')).unwrap().parse().unwrap();
        for entry in fs::read_dir(&maildir).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("dovecot") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        fs::write(&list, format!("3 V{} N1\n", validity + 1)).unwrap();
        chown(&list, Some(NOBODY), Some(NOBODY)).unwrap();
        self.begin();
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.kill();
    }
}

fn make(folder: &Path) {
    if !folder.exists() {
        fs::create_dir(folder).unwrap();
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}
