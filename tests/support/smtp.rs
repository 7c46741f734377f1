//! A private Postfix (Debian: `postfix`), for which the tests must run as root: it listens on loopback, asks no DNS, and
//! delivers `soc`, `reporter` and `alias` (which is `soc`) `@larum.test` into maildirs of a private Dovecot. Mail to anywhere else bounces.

use std::{
    fs,
    os::unix::fs::chown,
    path::Path,
    process::{Command, Stdio},
};

use super::{
    await_port,
    dovecot::{Dovecot, NOBODY},
    free_port, open_folder,
};

/// Whose mail is taken.
pub const DOMAIN: &str = "larum.test";
/// Addresses and the user whose INBOX they lead to.
const BOXES: [(&str, &str); 3] = [("soc", "soc"), ("reporter", "reporter"), ("alias", "soc")];

pub struct Smtp {
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Smtp {
    /// Starts one that delivers into `dovecot`.
    pub fn start(dovecot: &Dovecot) -> Self {
        let folder = open_folder();
        let port = free_port();
        let dir = folder.path().display();
        for part in ["queue", "data"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        chown(folder.path().join("data"), Some(postfix_user()), None).unwrap();
        let boxes: String = BOXES.iter().map(|(name, user)| format!("{name}@{DOMAIN} {user}/\n")).collect();
        fs::write(folder.path().join("boxes"), boxes).unwrap();
        let mail = dovecot.mail();
        for (_, user) in BOXES {
            let home = mail.join(user);
            fs::create_dir_all(&home).unwrap();
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        fs::write(
            folder.path().join("main.cf"),
            format!(
                "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{DOMAIN}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
default_transport = error:no mail leaves this server
relay_transport = error:no mail leaves this server
local_transport = error:no local mail
virtual_transport = virtual
recipient_delimiter = +
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {}
virtual_mailbox_maps = texthash:{dir}/boxes
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 104857600
maillog_file = {dir}/log
maillog_file_prefixes = /
",
                mail.display()
            ),
        )
        .unwrap();
        fs::write(
            folder.path().join("master.cf"),
            format!(
                "127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
            ),
        )
        .unwrap();
        let smtp = Self { folder, port };
        assert!(smtp.postfix("start"), "postfix starts (Debian: postfix): {}", smtp.log());
        await_port(port, "postfix");
        smtp
    }

    fn postfix(&self, command: &str) -> bool {
        let done = Command::new("postfix")
            .arg("-c")
            .arg(self.folder.path())
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.postfix("stop");
    }
}

fn postfix_user() -> u32 {
    let users = fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let line = users.lines().find(|line| line.starts_with("postfix:")).expect("postfix is installed (Debian: postfix)");
    line.split(':').nth(2).unwrap().parse().unwrap()
}
