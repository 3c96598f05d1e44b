//! What a run writes into the log: every request, every change of a row, every halt and pause. No secret reaches
//! this place, and whole numbers only if they are to be shown.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::cli::logging::masked;
use crate::domain::{NetFault, Next, Status};
use crate::engine::{CallEnd, CallKind, LaneId, Notice};
use crate::lifecycle::{Entry, Event};

/// Writes a run into the log.
#[derive(Clone, Debug)]
pub struct RunLog {
    /// Names of the provider entries, in the order of the lanes.
    names: Vec<String>,
    batch: String,
    show_phones: bool,
}

impl RunLog {
    /// For a batch and these provider entries.
    pub fn new(batch: &str, names: Vec<String>, show_phones: bool) -> Self {
        Self { names, batch: batch.to_owned(), show_phones }
    }

    /// The name of a provider entry.
    pub fn provider(&self, lane: LaneId) -> Option<&str> {
        self.names.get(lane.0).map(String::as_str)
    }

    /// A request came to its end.
    pub fn called(&self, end: &CallEnd, took: Duration) {
        let provider = self.provider(end.lane).unwrap_or_default();
        let (batch, row) = (self.batch.as_str(), end.row.map(|row| row.0));
        let id = end.id.as_ref().map(crate::domain::TransactionId::as_str);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (code, meaning) = (end.code.as_deref(), end.meaning);
        match end.kind {
            CallKind::Submit => debug!(batch, provider, row, id, code, meaning, ms, "submit"),
            CallKind::LookUp => debug!(batch, provider, row, id, code, meaning, ms, "look-up"),
            CallKind::Check => {
                debug!(batch, provider, row, id, code, meaning, ms, "look-up before the submit")
            }
            CallKind::Preflight => {
                debug!(batch, provider, code, meaning, ms, "question before the first submit")
            }
        }
    }

    /// Something happened that a person wants to know.
    pub fn notice(&self, notice: &Notice) {
        let batch = self.batch.as_str();
        match notice {
            Notice::Halted { provider, halt } => {
                let (reason, code) = (halt.reason.as_str(), halt.code.as_str());
                let operator = halt.operator.as_deref();
                let why = masked(&halt.message, self.show_phones);
                warn!(batch, provider, operator, reason, code, why, "halted");
            }
            Notice::Paused { provider, operator, wait, why } => {
                let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                let why = masked(why, self.show_phones);
                warn!(batch, provider, operator = operator.as_deref(), ms, why, "paused");
            }
            Notice::Fault(fault) => {
                let fault = masked(fault, self.show_phones);
                error!(batch, fault, "fault of the program");
            }
            // Each has a line of its own, with more in it.
            Notice::Sent { .. } | Notice::Changed { .. } => {}
        }
    }

    /// Events of rows, on their way to the ledger.
    pub fn recorded(&self, entries: &[Entry]) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        for entry in entries {
            self.entry(entry);
        }
    }

    fn entry(&self, entry: &Entry) {
        let (batch, row, event) = (self.batch.as_str(), entry.row.0, entry.event.name());
        let state = &entry.state;
        let id = state.id.as_ref().map(crate::domain::TransactionId::as_str);
        if let Event::Intent(intent) = &entry.event {
            let attempt = intent.attempt.0;
            debug!(batch, row, id, event, attempt, "row is about to be sent");
            return;
        }
        let (status, next) = (state.status().as_str(), state.next().as_str());
        let reason = state.reason.map(crate::domain::Reason::as_str);
        let said = said(&entry.event).map(|words| masked(&words, self.show_phones));
        let code = state.code.as_deref();
        let provider_ref = state.provider_ref.as_ref().map(crate::domain::ProviderRef::as_str);
        // A row that needs somebody stands out; the rest is for whoever wants everything.
        let trouble = match state.status() {
            Status::Failed | Status::Invalid => true,
            Status::Unknown => state.next() == Next::Ask,
            Status::Succeeded | Status::Pending | Status::NotSent => false,
        };
        if trouble {
            info!(batch, row, id, event, status, next, reason, code, provider_ref, said, "row");
        } else {
            debug!(batch, row, id, event, status, next, reason, code, provider_ref, said, "row");
        }
    }
}

/// Words that came with an event: the provider's, or those of a fault.
fn said(event: &Event) -> Option<String> {
    let fault = |fault: &NetFault| Some(fault.words().to_owned());
    match event {
        Event::Answered { verdict, .. } => Some(verdict.answer.words.clone()),
        Event::LookedUp { verdict } => Some(verdict.answer.words.clone()),
        Event::NotSent { fault: why } | Event::NoAnswer { fault: why, .. } => fault(why),
        Event::Judged { message, .. }
        | Event::Held { message, .. }
        | Event::Rejudged { message, .. }
        | Event::Contradicted { message } => Some(message.clone()),
        // A person's note may hold anything; it stands in the ledger.
        Event::Intent(_)
        | Event::Interrupted { .. }
        | Event::NotFound { .. }
        | Event::GraceRestarted { .. }
        | Event::SeriesEnded
        | Event::GaveUp
        | Event::Cancelled { .. }
        | Event::Resolved { .. }
        | Event::Released
        | Event::Readmitted { .. } => None,
    }
    .filter(|words| !words.is_empty())
}
