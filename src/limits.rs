//! Every limit of Larum, in one place, each with its unit and the reason it exists.

use std::time::Duration;

/// Characters in an incident's description (Sentinel's portal limit); intake cuts, it never fails on length.
pub const INCIDENT_DESCRIPTION_CHARS: usize = 5_000;
/// Characters of an incident's or alert's title: a whole subject, [`MAIL_SUBJECT_CHARS`].
pub const INCIDENT_TITLE_CHARS: usize = 2_000;
/// Characters of the remark on a classification; it is shown as the description is.
pub const CLASSIFICATION_COMMENT_CHARS: usize = 5_000;
/// Characters of each of an owner's names and addresses; a mail address has 254 (RFC 5321 §4.5.3.1).
pub const OWNER_CHARS: usize = 500;
/// Tags of one incident: every write of it reads and compares all of them.
pub const TAGS: usize = 200;
/// Characters of one tag; a word or a domain, whose limit is 253.
pub const TAG_CHARS: usize = 256;
/// Incidents that are merged into another at once; all of them are read and written in one transaction.
pub const MERGED: usize = 100;
/// Tasks of one incident: they are listed on one page.
pub const TASKS: usize = 200;
/// Characters of a task's title.
pub const TASK_TITLE_CHARS: usize = 500;
/// Characters of a task's description, as many as a report of a form may have in a field of it.
pub const TASK_DESCRIPTION_CHARS: usize = 10_000;
/// Characters of a bookmark's name.
pub const BOOKMARK_NAME_CHARS: usize = 500;
/// Bytes of a bookmark's properties together: a query, its result and notes.
pub const BOOKMARK_BYTES: usize = 256 * 1024;
/// Bytes of an alert's properties together, its entities not counted.
pub const ALERT_BYTES: usize = 256 * 1024;
/// Bytes of the properties of one entity; each alert that names it writes them.
pub const ENTITY_BYTES: usize = 32 * 1024;
/// Sentinel's limit of a comment.
pub const COMMENT_CHARS: usize = 30_000;
/// Sentinel's limit of an incident's comments.
pub const COMMENTS: u64 = 100;
/// Characters of a team's name: as many as Microsoft Teams takes.
pub const TEAM_NAME_CHARS: usize = 256;
/// Characters of a team's description: as many as Microsoft Teams takes.
pub const TEAM_DESCRIPTION_CHARS: usize = 1_024;
/// Members and groups that a team is made with: more than work on any incident, and an entry of the log that stays small.
pub const TEAM_MEMBERS: usize = 250;
/// The newest incidents whose entities the expansion of a bookmark looks at; it is related to a few.
pub const EXPANDED_INCIDENTS: usize = 100;
/// Sentinel's limit of the alerts related to an incident.
pub const RELATED_ALERTS: u64 = 150;
/// Bytes of a body that stays in its database row; larger ones are files under `blobs/`.
pub const BODY_IN_ROW_BYTES: usize = 64 * 1024;
/// Bytes of an effect's input that is journalled whole; above it the journal keeps its SHA-256.
pub const JOURNALLED_INPUT_BYTES: usize = 1024 * 1024;
/// Bytes of what a run derives from secrets or has in `secure:` fields, and must therefore keep track of as long as it runs.
pub const DERIVED_SECRET_BYTES: usize = 16 * 1024 * 1024;
/// Events in one run's journal.
pub const JOURNAL_EVENTS: u64 = 250_000;
/// How long one run may last.
pub const RUN_DURATION: Duration = Duration::from_secs(90 * 24 * 3600);
/// Events of a tested run after each of which its process dies; in a longer run it dies after every hundredth, because each
/// death reads the whole journal anew.
pub const TEST_CRASHES: usize = 1_000;
/// Pure steps the machine takes before it pauses, so that a cancel can come in.
pub const PURE_STEPS: usize = 10_000;
/// Such pauses that are gone through to tell how a run stood: seconds of computing, for a run in a loop that does not end.
pub const PAST_PAUSES: u32 = 200;
/// What a run that goes on from a failure may keep of the one it repeats, as it is written: it is in memory while the run is
/// opened, and read each time it is folded.
pub const KEPT_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of fetched mails in flight at once.
pub const MAIL_WINDOW_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one mail; a larger one goes to the dead-letter box with its headers.
pub const MAIL_BYTES: usize = 64 * 1024 * 1024;
/// Header fields of one mail.
pub const MAIL_HEADERS: usize = 10_000;
/// MIME parts of one mail.
pub const MAIL_PARTS: usize = 1_000;
/// Depth of nested MIME parts.
pub const MAIL_NESTING: usize = 100;
/// Bytes of one header field that are read; more is kept in the raw message only.
pub const MAIL_FIELD_BYTES: usize = 64 * 1024;
/// Bytes of one part's header fields after each was cut to [`MAIL_FIELD_BYTES`]; every address in them becomes an object.
pub const MAIL_HEADER_BYTES: usize = 1024 * 1024;
/// Bytes of a mail's text, and as many of its HTML, that a playbook sees; the raw message keeps all.
pub const MAIL_BODY_BYTES: usize = 1024 * 1024;
/// Characters of a subject that a playbook sees.
pub const MAIL_SUBJECT_CHARS: usize = 2_000;
/// Addresses of one mail that a playbook sees in each of `to`, `cc`, `bcc` and `replyTo`.
pub const MAIL_ADDRESSES: usize = 1_000;
/// Nesting of HTML that is laid out as text; deeper HTML only loses its tags, because a layout recurses.
pub const HTML_NESTING: usize = 200;
/// Mails taken through the intake door in one commit.
pub const INTAKE_BATCH: usize = 100;
/// How long a mail server may take to accept a connection and to finish TLS and the greeting.
pub const MAIL_CONNECT: Duration = Duration::from_secs(30);
/// How long a mail server may take to answer one command, before the connection counts as dead.
pub const MAIL_ANSWER: Duration = Duration::from_secs(60);
/// The slowest transfer of mails that is waited for, in bytes a second; it lengthens [`MAIL_ANSWER`] by the size fetched.
pub const MAIL_SLOWEST_BYTES_PER_SECOND: usize = 16 * 1024;
/// How long one IDLE lasts. Servers may hang up after 30 minutes (RFC 2177); a half-open connection is noticed at its end.
pub const MAIL_IDLE: Duration = Duration::from_secs(120);
/// The first wait before a mailbox that failed is tried again; it doubles up to [`MAIL_BACKOFF_MOST`].
pub const MAIL_BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait before a mailbox that failed is tried again.
pub const MAIL_BACKOFF_MOST: Duration = Duration::from_secs(120);
/// The longest such wait when it is the data folder that cannot be written.
pub const MAIL_BACKOFF_STORE: Duration = Duration::from_secs(5);
/// Mails listed in one command: the next page is listed while the mails of the last are committed.
pub const MAIL_LISTED: u32 = 1_000;
/// Flags and moves sent in one command; their numbers must fit a line every server takes (RFC 7162 §4: 8,192 bytes).
pub const MAIL_TASKS: usize = 500;
/// Bytes of the header that are kept of a mail over [`MAIL_BYTES`].
pub const MAIL_KEPT_HEADER_BYTES: usize = 256 * 1024;
/// How often a mail that alone breaks its reader is tried before it goes to the dead-letter box.
pub const MAIL_STRIKES: u32 = 3;
/// How often a mailbox's liveness is written down while nothing changes.
pub const MAIL_HEARD_EVERY: Duration = Duration::from_secs(10);
/// How often a maildir is looked through besides what the file system tells, for file systems that tell nothing.
pub const MAILDIR_RESCAN: Duration = Duration::from_secs(10);
/// How long a file in a maildir must stay unchanged when nobody told that it was closed.
pub const MAILDIR_QUIET: Duration = Duration::from_secs(2);
/// The same for a file that was seen being made but not being written: it was linked into place, or nothing of it is there.
pub const MAILDIR_QUIET_AFTER_CREATION: Duration = Duration::from_secs(10);
/// The same for a file that was seen being written. The system tells when it is closed, so this only counts when it did not.
pub const MAILDIR_QUIET_AFTER_WRITING: Duration = Duration::from_secs(300);
/// Automatic mails to one recipient within an hour.
pub const AUTOMATIC_MAILS_PER_HOUR: u32 = 5;
/// Approval mails to one person within an hour. They go to people the playbook names, never to whoever wrote in, so that
/// more is needed and less can go wrong than with other automatic mails.
pub const APPROVAL_MAILS_PER_HOUR: u32 = 100;
/// People one approval asks.
pub const APPROVAL_RECIPIENTS: usize = 50;
/// Answers an approval offers.
pub const APPROVAL_OPTIONS: usize = 20;
/// Characters of one answer that an approval offers.
pub const APPROVAL_OPTION_CHARS: usize = 100;
/// How long an SMTP server may take for one answer; RFC 5321 §4.5.3.2 would allow minutes, a run should not wait so long.
pub const SMTP_ANSWER: Duration = Duration::from_secs(60);
/// Connections kept to one SMTP server at once; providers refuse more than a few.
pub const SMTP_CONNECTIONS: u32 = 4;
/// Bytes of a form submission.
pub const FORM_BYTES: usize = 10 * 1024 * 1024;
/// Form submissions a minute from one client, unless `server.form_posts_per_minute` says otherwise.
pub const FORM_POSTS_PER_MINUTE: u32 = 30;
/// How long a form's thank-you page waits for the incident's number.
pub const FORM_THANKS_WAIT: Duration = Duration::from_secs(2);
/// How long a JSON submission may ask to wait for the incident's number (`Prefer: wait=N`), so that no caller holds a connection for ever.
pub const FORM_PREFERRED_WAIT: Duration = Duration::from_secs(30);
/// How long a form page may stand open before it is sent; afterwards its submission id is refused.
pub const FORM_PAGE_AGE: Duration = Duration::from_secs(24 * 3600);
/// Size of a number in a form: what every program reads back exactly (2^53 - 1).
pub const FORM_NUMBER: f64 = 9_007_199_254_740_991.0;
/// Answers in one submission, and options in one answer, before it is refused unread; no form has as many.
pub const FORM_ANSWERS: usize = 10_000;
/// Characters of an `Idempotency-Key`, since keys are kept for ever.
pub const IDEMPOTENCY_KEY_CHARS: usize = 200;
/// Clients whose submissions are counted at once, so that many addresses cannot fill the memory.
pub const FORM_CLIENTS: usize = 10_000;
/// Bytes of a body sent to an API: room for 30,000 characters of a comment, or an alert with all its entities.
pub const API_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Items of a page of a list, unless `$top` asks for another number.
pub const API_PAGE: usize = 50;
/// Items of a page of a list that `$top` can ask for at most.
pub const API_PAGE_MOST: usize = 1_000;
/// Incidents that a search or a question for related ones finds, unless `limit` asks for another number.
pub const API_FOUND: usize = 20;
/// Incidents that it finds at most: whoever needs more should ask more exactly.
pub const API_FOUND_MOST: usize = 200;
/// Entities of one alert, Sentinel's limit.
pub const ALERT_ENTITIES: usize = 500;
/// Bytes of an API's query, percent-encoded as links to the next page are; a filter is a few hundred. With the token of a
/// page it must fit within [`REQUEST_HEAD_BYTES`].
pub const API_QUERY_BYTES: usize = 48 * 1024;
/// Calls of webhooks a minute from one client, unless `server.hook_calls_per_minute` says otherwise: far more than any
/// sender needs, and too few to fill a disk unseen.
pub const HOOK_CALLS_PER_MINUTE: u32 = 3_000;
/// All other requests a minute from one client, unless `server.api_calls_per_minute` says otherwise: a hundred a second, more
/// than a client that follows every link needs.
pub const API_CALLS_PER_MINUTE: u32 = 6_000;
/// Requests a minute from one client with a token or link that is not good, before it is told to wait. Nobody guesses 32
/// random bytes; this keeps an integration with an old token from filling the log.
pub const REFUSALS_PER_MINUTE: u32 = 30;
/// Callers that wait for a playbook's answer at once; half of [`CONNECTIONS`], so that forms and the rest go on.
pub const REPLIES_WAITED_FOR: usize = 512;
/// Bytes of a webhook's body: the largest that GitHub sends.
pub const HOOK_BYTES: usize = 25 * 1024 * 1024;
/// Values of one JSON text that is read: a webhook's body, an HTTP answer, what `json()` and `parse_json` are given. Each
/// takes many times its bytes in memory.
pub const JSON_VALUES: usize = 500_000;
/// Parts of a multipart body, of a webhook or an HTTP answer.
pub const HOOK_PARTS: usize = 1_000;
/// Characters of the key that a webhook's template makes, since what has no end is no key.
pub const HOOK_KEY_CHARS: usize = 1_000;
/// Faults that a refused body is told of; a long list may hold a million.
pub const SCHEMA_FAULTS: usize = 20;
/// Values of a body of which every fault is looked for; of a larger one only the first is told, because the validator
/// gathers all of them before the first can be read.
pub const SCHEMA_LISTED_VALUES: usize = 10_000;
/// How long the verdict of `/readyz` counts: each look writes to the disk, and anybody may ask.
pub const READY_VERDICT: Duration = Duration::from_secs(1);
/// How far the clock of a webhook's sender may be from ours, unless its connection says otherwise (as Slack and Stripe advise).
pub const HOOK_TIMESTAMP_TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Bytes read and thrown away of a body that is too large, so that its sender gets to read the answer.
pub const DISCARDED_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long a client may take to agree on encryption.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the files of a certificate are looked at.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(30);
/// How long a client may take to send a request's headers, and how long an idle connection is kept.
pub const REQUEST_HEADERS: Duration = Duration::from_secs(15);
/// Bytes of a request's line and headers, which are gathered in memory for each of [`CONNECTIONS`]; more is answered with
/// 431. Bodies are read in pieces of at most this size.
pub const REQUEST_HEAD_BYTES: usize = 64 * 1024;
/// How long a client may take to send a request's body.
pub const REQUEST_BODY: Duration = Duration::from_secs(60);
/// How long a request may take in all: its body may take [`REQUEST_BODY`], and a form may wait [`FORM_PREFERRED_WAIT`].
pub const REQUEST: Duration = Duration::from_secs(120);
/// The same for a call of a webhook, which may wait [`REPLY`] for the playbook's answer.
pub const HOOK_REQUEST: Duration = Duration::from_secs(240);
/// Connections served at once; further ones wait to be accepted.
pub const CONNECTIONS: usize = 1_024;
/// Connections of one client among [`CONNECTIONS`], so that no single one takes all of them. This machine and the trusted
/// proxies speak for many and are not counted.
pub const CONNECTIONS_OF_ONE_CLIENT: usize = 128;
/// How long a client may leave an answer unread before its connection is closed.
pub const ANSWER_UNREAD: Duration = Duration::from_secs(30);
/// Bytes of attachments held in memory at once while they are sent.
pub const ATTACHMENTS_IN_FLIGHT_BYTES: usize = 128 * 1024 * 1024;
/// Mails decoded at once to get at an attachment; each takes up to twice [`MAIL_BYTES`] meanwhile.
pub const MAILS_DECODED: usize = 2;
/// How long a download waits for room before it is told to come again.
pub const DOWNLOAD_WAIT: Duration = Duration::from_secs(30);
/// Bytes of large request bodies (over [`BODY_IN_ROW_BYTES`]) held in memory at once.
pub const BODIES_IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;
/// How long requests under way may take to end when Larum stops.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Missed ticks of one schedule that are looked back at: `run_all` starts at most the newest so many.
pub const MISSED_TICKS: usize = 1_000;
/// How long after its time a tick still counts as on time; the system clock is looked at once a minute.
pub const TICK_DELAY: Duration = Duration::from_secs(90);
/// Elements of one report that `split_on` makes runs of (Logic Apps' limit).
pub const SPLIT_ELEMENTS: usize = 100_000;
/// Runs of one playbook at once that `concurrency` may ask for (Logic Apps' limit).
pub const CONCURRENT_RUNS: u32 = 100;
/// Runs of one playbook that `concurrency` may let wait before it refuses or drops some; each is a row on disk.
pub const WAITING_RUNS: u32 = 100_000;
/// How long to wait before the store is tried again after it could not be written.
pub const STORE_RETRY: Duration = Duration::from_secs(2);
/// Redirects and other hops of one outgoing HTTP call.
pub const HTTP_HOPS: usize = 10;
/// Bytes of an HTTP answer after decompression.
pub const HTTP_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// How long `larum doctor` waits for a service: somebody sits in front of it.
pub const PROBE: Duration = Duration::from_secs(15);
/// One outgoing HTTP call without its retries, as in Logic Apps.
pub const HTTP_CALL: Duration = Duration::from_secs(120);
/// How long an HTTP connection may take to come about; within it nothing was sent, so that repeating is safe.
pub const HTTP_CONNECT: Duration = Duration::from_secs(30);
/// Bytes of an outgoing HTTP body, as in Logic Apps.
pub const HTTP_REQUEST_BYTES: usize = 100 * 1024 * 1024;
/// Parts of an outgoing multipart body.
pub const HTTP_PARTS: usize = 1_000;
/// How long to wait before asking again after what was answered 202, unless `Retry-After` says otherwise, as in Logic Apps.
pub const HTTP_POLL: Duration = Duration::from_secs(20);
/// The least such wait, whatever the server says: each costs three entries of the journal.
pub const HTTP_POLL_LEAST: Duration = Duration::from_secs(1);
/// HTTP clients kept open, one for each set of networks and certificates.
pub const HTTP_CLIENTS: usize = 64;
/// One request for an OAuth token.
pub const OAUTH_REQUEST: Duration = Duration::from_secs(30);
/// Bytes of a token server's answer; a large token with many claims is under 20 KiB.
pub const OAUTH_ANSWER_BYTES: usize = 256 * 1024;
/// How long before its end a token is replaced, or half its life when that is shorter: clocks differ and calls take time.
pub const OAUTH_MARGIN: Duration = Duration::from_secs(5 * 60);
/// How long a token is kept whose server does not say how long it is good.
pub const OAUTH_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Tokens kept, one for each client and purpose.
pub const OAUTH_TOKENS: usize = 256;
/// Characters of a token server's explanation that an error repeats.
pub const OAUTH_REASON_CHARS: usize = 300;
/// Incidents one `list_incidents` gives: each may have thousands of characters, and the run's journal keeps all.
pub const LISTED_INCIDENTS: usize = 1_000;
/// Pages of a list that one action follows, whatever the service says; an empty page may lead to another.
pub const SENTINEL_PAGES: usize = 100;
/// How often a change is made anew on what is there by then, when somebody else's came in between.
pub const SENTINEL_CONFLICTS: u32 = 3;
/// Characters of one expression (Logic Apps' limit).
pub const EXPRESSION_CHARS: usize = 8_192;
/// Nesting of one expression or template, so that no input exhausts the stack.
pub const EXPRESSION_NESTING: usize = 128;
/// Nesting of a value that an expression yields: records wrap values, and serde_json reads 128 levels back.
pub const VALUE_NESTING: usize = 100;
/// Bytes of one format of a date, a time span or a number; a letter that is repeated pads, and padding must end.
pub const FORMAT_BYTES: usize = 1_000;
/// Bytes of one XML that a function reads; its tree takes several times as much.
pub const XML_BYTES: usize = 16 * 1024 * 1024;
/// Nodes of one XML that a function reads, attributes among them; each takes some 200 bytes.
pub const XML_NODES: usize = 250_000;
/// Nesting of one XML's elements: its JSON must fit within [`VALUE_NESTING`], and reading and writing it recurse.
pub const XML_NESTING: usize = 100;
/// Prefixes of namespaces declared around one element; every name is looked up among them.
pub const XML_PREFIXES: usize = 200;
/// Bytes of one XPath; words such as `or` make its evaluation recurse.
pub const XPATH_BYTES: usize = 1_024;
/// Signs such as `+` and `|` in one XPath, by which its evaluation recurses.
pub const XPATH_SIGNS: usize = 100;
/// Brackets inside each other in one XPath, whose parser recurses by them.
pub const XPATH_NESTING: usize = 16;
/// Nodes and lines of text that one XPath may walk over, so that none takes minutes.
pub const XPATH_STEPS: usize = 2_000_000;
/// Characters one string function may return (Logic Apps' limit).
pub const STRING_RESULT_CHARS: usize = 104_857_600;
/// Length of an action's id.
pub const ACTION_ID_CHARS: usize = 80;
/// Bytes of one playbook, test or configuration file.
pub const PLAYBOOK_BYTES: usize = 1024 * 1024;
/// Lists and maps inside each other in one YAML file, so that no input exhausts the stack.
pub const YAML_NESTING: usize = 64;
/// Containers an action may stand in (Logic Apps' limit: levels 0 to 8).
pub const ACTION_NESTING: usize = 8;
/// Variables of one playbook (Logic Apps' limit).
pub const VARIABLES: usize = 250;
/// Parameters of one playbook (Logic Apps' limit).
pub const PARAMETERS: usize = 50;
/// Retries of one action (Logic Apps' limit).
pub const RETRIES: u32 = 90;
/// Shortest wait between two attempts (Logic Apps' limit).
pub const RETRY_INTERVAL_MIN: Duration = Duration::from_secs(5);
/// Longest wait between two attempts (Logic Apps' limit).
pub const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);
/// Fields of one form.
pub const FORM_FIELDS: usize = 100;
/// Characters one answer of a form may have, whatever the field says.
pub const FORM_ANSWER_CHARS: usize = 100_000;
/// Actions of one playbook (Logic Apps' limit).
pub const PLAYBOOK_ACTIONS: usize = 500;
/// Runs kept in memory at once; the others wait on disk.
pub const ACTIVE_RUNS: usize = 512;
/// Bytes of trigger outputs held in memory by runs that wait their turn; further ones are read back from the store.
pub const QUEUED_RUN_BYTES: usize = 16 * 1024 * 1024;
/// Operations taken into one commit at most.
pub const COMMIT_BATCH: usize = 512;
/// How often runs that ended long ago are looked for.
pub const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// Errors of one value that `parse_json` lists, so that a long list of wrong items does not fill the run.
pub const SCHEMA_ERRORS: usize = 100;
/// Compiled schemas of `parse_json` that are kept: more than a set of playbooks in use has.
pub const SCHEMAS_KEPT: usize = 64;
/// Elements a `for_each` may go over: Logic Apps' own limit.
pub const FOR_EACH_ITEMS: usize = 100_000;
/// Iterations of one `for_each` at once: Logic Apps' most, and what it does when nothing is said.
pub const FOR_EACH_CONCURRENCY: u32 = 50;
pub const FOR_EACH_CONCURRENCY_DEFAULT: u32 = 20;
/// Iterations of an `until`: Logic Apps' most, and what it does when nothing is said.
pub const UNTIL_COUNT: u64 = 5_000;
pub const UNTIL_COUNT_DEFAULT: u64 = 60;
/// How long an `until` goes on when nothing is said.
pub const UNTIL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(3_600);
/// Cases of a `switch`: Logic Apps' own limit.
pub const SWITCH_CASES: usize = 25;
/// How long the caller of a webhook waits for the playbook's answer: Logic Apps' own limit.
pub const REPLY: Duration = Duration::from_secs(120);
/// Playbooks that start one another, one inside of the other: a circle of them would never end.
pub const CHILD_DEPTH: u64 = 16;
/// Items of a `for_each` up to which the values of its iterations stay as they are; of a longer loop they are kept as text.
pub const WHOLE_ITERATIONS: usize = 1_000;
/// Iterations of all loops of a run together: each keeps its records in memory until the run has ended.
pub const RUN_ITERATIONS: usize = 500_000;
/// What all runs of a split report together may hold of its headers and queries.
pub const SPLIT_BYTES: usize = 256 * 1024 * 1024;
/// How long a token lets somebody in when nothing is said: long enough for an integration, short enough to be forgotten.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// The longest that can be asked for; `never` says more honestly what a longer one means.
pub const TOKEN_LIFETIME_MOST: Duration = Duration::from_secs(3650 * 24 * 3600);
/// Characters of a token's name.
pub const TOKEN_NAME_CHARS: usize = 100;
/// Characters of an automation rule's display name (Sentinel's limit).
pub const RULE_NAME_CHARS: usize = 500;
/// The largest order of an automation rule (Sentinel's limit).
pub const RULE_ORDER: u32 = 1_000;
/// Conditions of one automation rule (Sentinel's limit).
pub const RULE_CONDITIONS: usize = 50;
/// Conditions that stand in one condition (Sentinel's limit).
pub const RULE_INNER_CONDITIONS: usize = 10;
/// Conditions an automation rule's condition may stand in, itself counted: reading and evaluating recurse by them.
pub const RULE_CONDITION_NESTING: usize = 8;
/// Actions of one automation rule (Sentinel's limit).
pub const RULE_ACTIONS: usize = 20;
/// Playbooks and rules that may lead to one another's start before nothing more is started: a chain this long is a circle
/// that changes its shape, since none of them is started twice.
pub const CAUSES: usize = 8;
/// Playbooks and rules that an incident's changes by other playbooks and rules may start until somebody else changes it:
/// a few that all hear one another would start each other in every order there is.
pub const CAUSED_STARTS: u32 = 64;
/// Incidents whose started playbooks and rules are counted at once, for the sake of memory.
pub const CAUSED_STARTS_INCIDENTS: usize = 10_000;
/// How often the log says again that events of the workspace have to wait.
pub const EVENTS_WAIT_TOLD: Duration = Duration::from_secs(300);
/// Characters of one `$filter` or `$orderby`: some hundred conditions, more than an address can carry to most servers.
pub const FILTER_CHARS: usize = 32_768;
/// Characters of a `$filter` that an error repeats.
pub const FILTER_SHOWN_CHARS: usize = 1_000;
/// Parentheses, functions, `not` and `any` inside each other in one `$filter`, by which reading it recurses.
pub const FILTER_NESTING: usize = 64;
/// `any` inside each other in one `$filter`: each multiplies the work by the length of its list.
pub const FILTER_ANYS: usize = 2;
/// How long a list or a search may take; by then its answer would be a whole table that is read row by row.
pub const QUESTION: Duration = Duration::from_secs(5);
/// Properties that one `$orderby` sorts by.
pub const ORDER_KEYS: usize = 8;
/// Characters of a text that it is sorted by: a page's continuation repeats them, eight such texts at most, and is part of
/// an address.
pub const ORDER_CHARS: usize = 100;
/// Incidents that are looked at along an order before a page is found by an index of the filter instead.
pub const WALKED: usize = 50_000;
/// Characters before the `*` of a search: the beginnings of a shorter one are half of all words there are.
pub const SEARCH_BEGINNING_CHARS: usize = 3;
/// Events of the workspace read at once; each is dealt with in a transaction of its own.
pub const WORKSPACE_EVENTS: usize = 64;
/// Incidents brought into the search index in one transaction: a few milliseconds in which nobody else writes.
pub const INDEX_PORTION: usize = 100;
/// Bytes of text after which a portion ends, however few incidents it has: their words are told apart while nobody else
/// writes, some 20 MB a second.
pub const INDEX_PORTION_BYTES: usize = 256 * 1024;
/// Bytes of one incident that are searched: title, description and owner, of entities the oldest, of comments the newest.
/// A hundred comments of full length would be ten times that.
pub const INDEXED_BYTES: usize = 256 * 1024;
/// How long indexing rests after each portion, in times of what the portion took: new incidents go first.
pub const INDEX_REST: u32 = 9;
/// The same while the writer is busy: a fiftieth of the time is what intake hardly feels.
pub const INDEX_REST_BUSY: u32 = 49;
/// The longest that indexing rests, so that a search learns something new even while the load lasts.
pub const INDEX_REST_MOST: Duration = Duration::from_secs(5);
/// The writer is busy when it worked more than one second in this many.
pub const INDEX_BUSY: u32 = 3;
/// How long indexing waits when nothing is left to do, and the longest that a search misses what was written while there
/// is no load; it is also the shortest rest while the writer is busy.
pub const INDEX_EVERY: Duration = Duration::from_secs(1);
/// Characters of a search.
pub const SEARCH_CHARS: usize = 1_000;
/// Words and phrases of a search; further ones do not count.
pub const SEARCH_TERMS: usize = 32;
