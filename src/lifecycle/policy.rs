//! When to look, and what a look that found nothing proves.

use std::time::Duration;

use super::event::{Event, NotFoundRuling};
use super::state::{Phase, TopUp};
use crate::domain::{LookupMeaning, LookupVerdict, Now, Reason};

/// How open orders of one provider are followed (`contract.md` 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowPolicy {
    /// Wait before the first look-up.
    pub first_check: Duration,
    /// Longest wait between two look-ups.
    pub max_check: Duration,
    /// After this long without a final answer a person has to ask.
    pub give_up: Duration,
    /// "No such order" counts only this long after the last submit of the id.
    pub not_found_grace: Duration,
    /// It counts out after so many in succession, `first_check` apart.
    pub not_found_times: u32,
    /// Whether a counted-out "no such order" proves that the order does not exist.
    pub trust_not_found: bool,
}

impl FollowPolicy {
    /// Wait before look-up number `looks` (0 is the first): doubling from `first_check` to `max_check`, plus
    /// up to a tenth chosen by `salt`, so that rows sent together are not asked about together.
    pub fn wait(&self, looks: u32, salt: u64) -> Duration {
        let doubled = self.first_check.saturating_mul(1 << looks.min(20));
        let base = doubled.min(self.max_check.max(self.first_check));
        let tenth = u64::try_from(base.as_micros() / 10).unwrap_or(0);
        base.saturating_add(Duration::from_micros(scatter(salt, looks) % tenth.saturating_add(1)))
    }

    /// Whether the give-up time of an open order has passed.
    pub fn has_given_up(&self, topup: &TopUp, now: Now) -> bool {
        let waiting = matches!(topup.phase, Phase::Pending | Phase::Unknown);
        waiting && topup.submitted_at.is_some_and(|sent| now.wall.since(sent) >= self.give_up)
    }

    /// What an answer to a look-up of the current id changes. Only an intact answer that the provider's table
    /// lists changes anything; "no such order" counts as the contract says.
    pub fn judge_look(&self, topup: &TopUp, verdict: &LookupVerdict, now: Now) -> Option<Event> {
        let looked_up = || Some(Event::LookedUp { verdict: verdict.clone() });
        let known_conflict = topup.phase == Phase::Asking && topup.reason == Some(Reason::Conflict);
        match &verdict.meaning {
            LookupMeaning::Conflict(_) if known_conflict => None,
            LookupMeaning::Succeeded | LookupMeaning::Failed | LookupMeaning::Conflict(_) => looked_up(),
            LookupMeaning::Pending if topup.phase == Phase::Pending => None,
            LookupMeaning::Pending => looked_up(),
            LookupMeaning::NotFound | LookupMeaning::Unchanged { intact: true, .. }
                if topup.failed_unless_found =>
            {
                looked_up()
            }
            LookupMeaning::NotFound => self.judge_not_found(topup, now),
            LookupMeaning::Unchanged { intact: true, .. } if topup.not_found.is_some() => {
                Some(Event::SeriesEnded)
            }
            LookupMeaning::Unchanged { .. } => None,
        }
    }

    fn judge_not_found(&self, topup: &TopUp, now: Now) -> Option<Event> {
        // An order the provider took cannot be unknown to it: no verdict, not even after giving up. An order
        // that only a person closes stays. A row already asked for stays too, unless its series is still to be
        // counted out.
        let open = matches!(topup.phase, Phase::Unknown | Phase::Asking);
        let countable = open && !topup.person_only && !topup.taken;
        let counted_out = topup.not_found.is_some_and(|series| series.count >= self.not_found_times);
        // Whoever said that our id is used already has seen an order under it (4009, -308): that it then
        // cannot be found proves nothing.
        let trusted = self.trust_not_found && topup.reason != Some(Reason::Conflict);
        if !countable || (counted_out && !trusted) {
            return None;
        }
        let Some(quiet) = topup.quiet_since.and_then(|since| now.elapsed_since(since)) else {
            return Some(Event::GraceRestarted { at: now });
        };
        if quiet < self.not_found_grace {
            return None;
        }
        let count = match topup.not_found {
            None => 1,
            Some(series) => match now.elapsed_since(series.last) {
                None => return Some(Event::GraceRestarted { at: now }),
                Some(gap) if gap < self.first_check => return None,
                Some(_) => series.count.saturating_add(1),
            },
        };
        let ruling = if count < self.not_found_times {
            NotFoundRuling::Counted
        } else if trusted {
            NotFoundRuling::Proved
        } else {
            NotFoundRuling::Untrusted
        };
        Some(Event::NotFound { at: now, ruling })
    }
}

/// A well-mixed number of the two (SplitMix64).
pub(crate) fn scatter(salt: u64, count: u32) -> u64 {
    let mut z = salt.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(count).wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
