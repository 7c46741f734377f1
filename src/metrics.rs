//! What Larum counts, in the OpenMetrics text format that `/metrics` serves.
//!
//! Names and labels are an interface: dashboards and alerts are built on them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// One mailbox: its connection and folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MailboxLabels {
    pub connection: String,
    pub folder: String,
}

impl MailboxLabels {
    /// The labels of one verdict's counter.
    #[must_use]
    pub fn with(self, verdict: &'static str) -> MailboxReportLabels {
        MailboxReportLabels { connection: self.connection, folder: self.folder, verdict }
    }
}

/// What became of a mailbox's mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MailboxReportLabels {
    pub connection: String,
    pub folder: String,
    /// `accepted`, `duplicate`, `skipped` or `dead`.
    pub verdict: &'static str,
}

/// What became of a report at the intake door.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct IntakeLabels {
    /// `mailbox`, `form`, `webhook`, `schedule` or `manual`.
    pub trigger: &'static str,
    /// `accepted`, `duplicate`, `skipped` or `dead`; of a form or webhook also `refused` and `unavailable`.
    pub verdict: &'static str,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RunLabels {
    pub playbook: String,
    pub status: &'static str,
}

/// An effect that was performed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EffectLabels {
    pub action: &'static str,
    pub status: &'static str,
}

/// Every metric; cheap to clone, shared by all services.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Reports by trigger and verdict.
    pub intake: Family<IntakeLabels, Counter>,
    /// Runs that ended.
    pub runs: Family<RunLabels, Counter>,
    /// Runs in memory now.
    pub active_runs: Gauge,
    /// Attempts of effects.
    pub effects: Family<EffectLabels, Counter>,
    /// Incidents made.
    pub incidents: Counter,
    /// When the oldest event of the workspace happened that still waits to start playbooks and rules, in seconds since
    /// 1970; 0 when none waits.
    pub oldest_event: Gauge,
    /// 1 while the mailbox answers, 0 while it does not.
    pub mailbox_up: Family<MailboxLabels, Gauge>,
    /// When the mailbox last answered, in seconds since 1970.
    pub mailbox_heard: Family<MailboxLabels, Gauge>,
    /// Faults met while reading the mailbox.
    pub mailbox_faults: Family<MailboxLabels, Counter>,
    /// Mails of a mailbox by verdict.
    pub mailbox_reports: Family<MailboxReportLabels, Counter>,
    /// Mails that went to the dead-letter box.
    pub dead_letters: Family<MailboxLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("larum");
        let mut metrics = Self {
            registry: Arc::default(),
            intake: Family::default(),
            runs: Family::default(),
            active_runs: Gauge::default(),
            effects: Family::default(),
            incidents: Counter::default(),
            oldest_event: Gauge::default(),
            mailbox_up: Family::default(),
            mailbox_heard: Family::default(),
            mailbox_faults: Family::default(),
            mailbox_reports: Family::default(),
            dead_letters: Family::default(),
        };
        registry.register("reports", "Reports by trigger and verdict", metrics.intake.clone());
        registry.register("runs", "Runs that ended, by playbook and status", metrics.runs.clone());
        registry.register("active_runs", "Runs in memory now", metrics.active_runs.clone());
        registry.register("effects", "Attempts of effects, by action and status", metrics.effects.clone());
        registry.register("incidents", "Incidents made", metrics.incidents.clone());
        registry.register(
            "workspace_oldest_event_timestamp_seconds",
            "When the oldest event that waits to start playbooks and rules happened, 0 for none",
            metrics.oldest_event.clone(),
        );
        registry.register("mailbox_up", "1 while the mailbox answers", metrics.mailbox_up.clone());
        registry.register(
            "mailbox_last_heard_timestamp_seconds",
            "When the mailbox last answered",
            metrics.mailbox_heard.clone(),
        );
        registry.register("mailbox_faults", "Faults met while reading the mailbox", metrics.mailbox_faults.clone());
        registry.register("mailbox_reports", "Mails of the mailbox by verdict", metrics.mailbox_reports.clone());
        registry.register("dead_letters", "Mails that went to the dead-letter box", metrics.dead_letters.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }
}

impl Metrics {
    /// The text that `/metrics` serves.
    ///
    /// # Errors
    /// Only when the text cannot be put together, which no input causes.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
