//! The one function that changes a top-up's state.

use super::event::{Event, Intent, NotFoundRuling, ResolvedAs};
use super::state::{NotFoundSeries, PastAttempt, Phase, TopUp};
use crate::domain::{
    Answer, LookupMeaning, LookupVerdict, NetFault, Now, Reason, SubmitMeaning, SubmitVerdict, ThrottleScope,
    TransactionId, WallTime,
};

/// An event that cannot happen in the state: a fault of the program or of the ledger, never of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a top-up that is {phase:?}")]
pub struct Illegal {
    /// Where it stood.
    pub phase: Phase,
    /// What was to happen.
    pub event: &'static str,
}

impl TopUp {
    /// Applies one event that happened at `at`.
    ///
    /// # Errors
    /// [`Illegal`], with the state unchanged, when the event cannot happen here.
    pub fn apply(&mut self, event: &Event, at: WallTime) -> Result<(), Illegal> {
        let illegal = Illegal { phase: self.phase, event: event.name() };
        match event {
            Event::Intent(intent) => self.intend(intent, at, illegal),
            Event::NotSent { fault } => self.in_phase(&[Phase::Sending], illegal).map(|()| {
                self.submits = self.submits.saturating_sub(1);
                if self.submits == 0 {
                    self.submitted_at = None;
                }
                self.back_to_ready(Reason::Unreachable, format!("{}; nothing was sent", fault.words()));
                // We took it back ourselves: why stands with the halt or the run's end, not with the row.
                if *fault == NetFault::Withdrawn {
                    self.reason = None;
                    self.message.clear();
                }
            }),
            Event::Answered { verdict, can_ask, .. } => {
                self.in_phase(&[Phase::Sending], illegal).map(|()| self.answered(verdict, *can_ask, at))
            }
            Event::NoAnswer { fault, at: now, can_ask, .. } => {
                self.in_phase(&[Phase::Sending], illegal).map(|()| {
                    self.lost(Reason::NoAnswer, fault.words(), *now, *can_ask);
                })
            }
            Event::Interrupted { at: now, can_ask } => self.in_phase(&[Phase::Sending], illegal).map(|()| {
                let words = "the program ended before an answer came";
                self.lost(Reason::Interrupted, words, *now, *can_ask);
            }),
            Event::LookedUp { verdict } => self.looked_up(verdict, at, illegal),
            Event::NotFound { at: now, ruling } => self.not_found(*now, *ruling, at, illegal),
            Event::GraceRestarted { at: now } => {
                self.in_phase(&[Phase::Unknown, Phase::Asking], illegal).map(|()| {
                    self.quiet_since = Some(*now);
                    self.not_found = None;
                })
            }
            Event::SeriesEnded => {
                self.in_phase(&[Phase::Unknown, Phase::Asking], illegal).map(|()| self.not_found = None)
            }
            Event::GaveUp => self.in_phase(&[Phase::Pending, Phase::Unknown], illegal).map(|()| {
                self.phase = Phase::Asking;
                self.reason.get_or_insert(Reason::NoAnswer);
                self.message = "no final answer within the give-up time; ask the provider".to_owned();
            }),
            Event::Judged { reason, message } => self.in_phase(&[Phase::Ready], illegal).map(|()| {
                // A row that reached the provider before, though proved not taken, is no `invalid` one.
                let phase = if self.submits == 0 { Phase::Invalid } else { Phase::Refused };
                self.close(phase, Some(*reason), message.clone(), at);
            }),
            Event::Held { reason, message } => {
                self.in_phase(&[Phase::Ready], illegal).map(|()| self.back_to_ready(*reason, message.clone()))
            }
            Event::Cancelled { note, .. } => self.in_phase(&[Phase::Ready], illegal).map(|()| {
                self.close(Phase::Cancelled, Some(Reason::Cancelled), format!("cancelled: {note}"), at);
            }),
            Event::Resolved { decision, note, user } => self.resolved(*decision, note, user, at, illegal),
            Event::Released => {
                let sendable = self.phase == Phase::Failed && !self.contradicted;
                if sendable { self.reopen() } else { Err(illegal) }
            }
            Event::Readmitted { .. } => {
                let fixable = [Phase::Invalid, Phase::Refused, Phase::Ready].contains(&self.phase);
                let never_sent = self.phase != Phase::Ready || self.submits == 0;
                if fixable && never_sent && !self.contradicted { self.reopen() } else { Err(illegal) }
            }
            Event::Rejudged { reason, message } => {
                let phases = [Phase::Invalid, Phase::Refused, Phase::Ready];
                self.in_phase(&phases, illegal).map(|()| {
                    let phase = if self.submits == 0 { Phase::Invalid } else { Phase::Refused };
                    self.close(phase, Some(*reason), message.clone(), at);
                })
            }
            Event::Contradicted { message } => self.contradicted_by(message, illegal),
        }
    }

    fn in_phase(&self, phases: &[Phase], illegal: Illegal) -> Result<(), Illegal> {
        if phases.contains(&self.phase) { Ok(()) } else { Err(illegal) }
    }

    fn intend(&mut self, intent: &Intent, at: WallTime, illegal: Illegal) -> Result<(), Illegal> {
        self.in_phase(&[Phase::Ready], illegal)?;
        if intent.attempt != self.next_attempt() {
            return Err(illegal);
        }
        let same_id = self.id.as_ref() == Some(&intent.id);
        if let Some(id) = self.id.take().filter(|_| !same_id) {
            self.past.push(PastAttempt { id, provider_ref: self.provider_ref.take() });
        }
        self.phase = Phase::Sending;
        self.attempt = intent.attempt;
        self.id = Some(intent.id.clone());
        self.id_spent = false;
        self.submits = self.submits.saturating_add(1);
        self.reason = Some(Reason::Interrupted);
        self.message = "the request may be under way".to_owned();
        self.operator.clone_from(&intent.operator);
        self.product_id.clone_from(&intent.product_id);
        self.price = intent.price;
        self.cost = None;
        self.quiet_since = Some(intent.at);
        self.not_found = None;
        self.person_only = false;
        self.taken = false;
        self.failed_unless_found = false;
        self.submitted_at = Some(at);
        self.final_at = None;
        Ok(())
    }

    fn answered(&mut self, verdict: &SubmitVerdict, can_ask: bool, at: WallTime) {
        self.note(&verdict.answer);
        // Between intent and answer the process may have stood still and sent late; after the answer nothing
        // of the request leaves any more. Both clocks are moved alike, so that a jump between them still shows.
        if let Some(quiet) = &mut self.quiet_since {
            quiet.tick = quiet.tick.after(at.since(quiet.wall));
            quiet.wall = quiet.wall.max(at);
        }
        let words = describe(&verdict.answer);
        match &verdict.meaning {
            SubmitMeaning::Succeeded => {
                self.close(Phase::Succeeded, None, success_words(&verdict.answer), at)
            }
            SubmitMeaning::Pending => {
                self.phase = Phase::Pending;
                self.taken = true;
                self.reason = None;
                self.message = format!("the provider is working on it: {words}");
            }
            SubmitMeaning::Failed => {
                self.id_spent = true;
                self.close(Phase::Failed, Some(Reason::ProviderFailed), failed_words(&words), at);
            }
            SubmitMeaning::FailedUnlessFound => {
                self.phase = if can_ask { Phase::Unknown } else { Phase::Asking };
                self.failed_unless_found = true;
                self.reason = Some(Reason::ProviderFailed);
                self.message = format!("reported failed, one look-up has to confirm it: {words}");
            }
            SubmitMeaning::Refused(reason) => {
                self.id_spent = true;
                self.close(
                    Phase::Refused,
                    Some(*reason),
                    format!("the provider refused the row: {words}"),
                    at,
                );
            }
            SubmitMeaning::Throttled(scope) => {
                let until = match scope {
                    ThrottleScope::Provider | ThrottleScope::Operator(_) => "send it again later",
                    ThrottleScope::NumberToday => "the number's daily limit; send it again tomorrow",
                };
                self.back_to_ready(Reason::Throttled, format!("not taken, {until}: {words}"));
            }
            SubmitMeaning::Halted(halt) => self.back_to_ready(halt.reason, halt.message.clone()),
            SubmitMeaning::Unclear(unclear) => {
                self.phase = if can_ask && !unclear.person_only { Phase::Unknown } else { Phase::Asking };
                self.person_only = unclear.person_only;
                // Whatever else it said: it gave the order an id of its own.
                self.taken = verdict.answer.provider_ref.is_some();
                self.reason = Some(unclear.reason);
                self.message = self.ask_words(&format!("money may have moved: {words}"));
            }
        }
    }

    fn lost(&mut self, reason: Reason, words: &str, now: Now, can_ask: bool) {
        self.phase = if can_ask { Phase::Unknown } else { Phase::Asking };
        self.reason = Some(reason);
        self.quiet_since = Some(now);
        self.not_found = None;
        self.message = self.ask_words(&format!("money may have moved: {words}"));
    }

    fn looked_up(&mut self, verdict: &LookupVerdict, at: WallTime, illegal: Illegal) -> Result<(), Illegal> {
        let open = [Phase::Pending, Phase::Unknown, Phase::Asking].contains(&self.phase);
        if !open && !self.is_not_received() {
            return Err(illegal);
        }
        let words = describe(&verdict.answer);
        match &verdict.meaning {
            LookupMeaning::Succeeded => {
                self.note(&verdict.answer);
                self.close(Phase::Succeeded, None, success_words(&verdict.answer), at);
            }
            LookupMeaning::Failed => {
                self.note(&verdict.answer);
                self.id_spent = true;
                self.close(Phase::Failed, Some(Reason::ProviderFailed), failed_words(&words), at);
            }
            LookupMeaning::Pending => {
                self.note(&verdict.answer);
                self.phase = Phase::Pending;
                self.taken = true;
                self.reason = None;
                self.final_at = None;
                self.not_found = None;
                self.failed_unless_found = false;
                self.message = format!("the provider is working on it: {words}");
            }
            LookupMeaning::Conflict(what) => {
                self.phase = Phase::Asking;
                self.taken = true;
                self.final_at = None;
                self.not_found = None;
                self.reason = Some(Reason::Conflict);
                self.message =
                    self.ask_words(&format!("the provider knows the id for another order: {what}"));
            }
            // 21140 was already the provider's word for failed; an intact answer that does not show the
            // order alive confirms it.
            LookupMeaning::NotFound | LookupMeaning::Unchanged { intact: true, .. }
                if self.failed_unless_found =>
            {
                self.id_spent = true;
                self.close(Phase::Failed, Some(Reason::ProviderFailed), failed_words(&words), at);
            }
            LookupMeaning::NotFound | LookupMeaning::Unchanged { .. } => return Err(illegal),
        }
        Ok(())
    }

    fn not_found(
        &mut self,
        now: Now,
        ruling: NotFoundRuling,
        at: WallTime,
        illegal: Illegal,
    ) -> Result<(), Illegal> {
        self.in_phase(&[Phase::Unknown, Phase::Asking], illegal)?;
        let count = self.not_found.map_or(0, |series| series.count).saturating_add(1);
        self.not_found = Some(NotFoundSeries { count, last: now });
        match ruling {
            NotFoundRuling::Counted => {}
            NotFoundRuling::Proved => {
                let message =
                    format!("the provider does not know the order ({count} answers): nothing was charged");
                self.close(Phase::Failed, Some(Reason::NotReceived), message, at);
            }
            NotFoundRuling::Untrusted => {
                self.phase = Phase::Asking;
                self.message = self.ask_words(&format!(
                    "the provider says it does not know the order ({count} answers), which is no proof"
                ));
            }
        }
        Ok(())
    }

    fn resolved(
        &mut self,
        decision: ResolvedAs,
        note: &str,
        user: &str,
        at: WallTime,
        illegal: Illegal,
    ) -> Result<(), Illegal> {
        self.in_phase(&[Phase::Sending, Phase::Unknown, Phase::Asking], illegal)?;
        let phase = match decision {
            ResolvedAs::Succeeded => Phase::Succeeded,
            ResolvedAs::Failed => {
                self.id_spent = true;
                Phase::Failed
            }
        };
        self.close(phase, Some(Reason::Resolved), format!("decided by {user}: {note}"), at);
        Ok(())
    }

    fn contradicted_by(&mut self, message: &str, illegal: Illegal) -> Result<(), Illegal> {
        let phases = [Phase::Succeeded, Phase::Failed, Phase::Refused, Phase::Ready];
        self.in_phase(&phases, illegal)?;
        if self.phase == Phase::Ready {
            // An earlier id of a row that was to be sent turned out alive: it must not go out. A ledger that
            // was rolled back may count no submit of it.
            if self.id.is_none() {
                return Err(illegal);
            }
            self.phase = Phase::Failed;
        }
        self.contradicted = true;
        self.reason = Some(Reason::Conflict);
        message.clone_into(&mut self.message);
        Ok(())
    }

    fn back_to_ready(&mut self, reason: Reason, message: String) {
        self.phase = Phase::Ready;
        self.reason = Some(reason);
        self.message = message;
        self.final_at = None;
    }

    fn reopen(&mut self) -> Result<(), Illegal> {
        self.phase = Phase::Ready;
        self.reason = None;
        self.message.clear();
        self.final_at = None;
        self.not_found = None;
        Ok(())
    }

    fn close(&mut self, phase: Phase, reason: Option<Reason>, message: String, at: WallTime) {
        self.phase = phase;
        self.reason = reason;
        self.message = message;
        self.final_at = Some(at);
        self.not_found = None;
        self.failed_unless_found = false;
        self.person_only = false;
    }

    fn note(&mut self, answer: &Answer) {
        if answer.code.is_some() {
            self.code.clone_from(&answer.code);
        }
        if answer.provider_ref.is_some() {
            self.provider_ref.clone_from(&answer.provider_ref);
        }
        if answer.cost.is_some() {
            self.cost = answer.cost;
        }
    }

    /// What a person needs to ask the provider, where only a person can.
    fn ask_words(&self, words: &str) -> String {
        if self.phase != Phase::Asking {
            return words.to_owned();
        }
        let id = self.id.as_ref().map_or("none", TransactionId::as_str);
        let reference = self.provider_ref.as_ref().map(|r| format!(", its id {}", r.as_str()));
        let sent = self.submitted_at.map(|t| format!(", sent {}", t.rfc3339())).unwrap_or_default();
        format!(
            "{words}. Ask the provider about our id {id}{}{sent}, then `resolve`",
            reference.unwrap_or_default()
        )
    }
}

fn describe(answer: &Answer) -> String {
    match (&answer.code, answer.words.is_empty()) {
        (Some(code), true) => format!("code {code}"),
        (Some(code), false) => format!("code {code}, {}", answer.words),
        (None, true) => "no words".to_owned(),
        (None, false) => answer.words.clone(),
    }
}

fn success_words(answer: &Answer) -> String {
    match &answer.warning {
        None => "done".to_owned(),
        Some(warning) => format!("done; {warning}"),
    }
}

fn failed_words(words: &str) -> String {
    format!("the provider reports it failed: {words}")
}
