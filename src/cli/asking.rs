//! `check --online`: what the providers say of every row, without spending. Rows keep their order, look-ups keep
//! to the query limits, and a provider that does not answer leaves its rows as the file alone shows them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::context::Context;
use super::problems::Listing;
use crate::admission::{Judged, problem_of};
use crate::domain::{AirtimeProduct, Currency, Order, ProviderKind, Refusal, Tick};
use crate::engine::{Clearance, Heard, judge_told, question_about};
use crate::intake::RawRow;
use crate::job::{Preflights, RowProblem, Stop, Survey, Surveyor};
use crate::net::Client;
use crate::protocol::Codec;
use crate::run::{Asked, Clock, ask_once};
use crate::settings::ProviderSettings;

/// Rows read ahead of the oldest one that waits for its answer.
const AHEAD_MAX: usize = 1024;

/// Waits before each try of a question; then the row stays without an answer.
const WAITS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// Silences in succession after which a provider is not asked any more.
const SILENCES_MAX: u32 = 8;

/// How often a person is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One provider that is asked about each number.
struct Lane {
    codec: Codec,
    client: Client,
    clock: Clock,
    airtime: Vec<AirtimeProduct>,
    max_row: BTreeMap<Currency, Decimal>,
    /// Least time between two questions.
    spacing: Duration,
    /// When the next question may go.
    next: tokio::sync::Mutex<Tick>,
    width: Semaphore,
    mood: Mutex<Mood>,
}

#[derive(Default)]
struct Mood {
    silences: u32,
    /// Why it is not asked any more.
    stopped: Option<String>,
}

/// What came of asking about a row.
enum Answer {
    Cleared(Clearance),
    Wrong(Refusal),
    None,
}

/// What the providers were asked.
pub struct Asking {
    lanes: BTreeMap<String, Arc<Lane>>,
    unanswered: HashMap<String, u64>,
}

impl Asking {
    /// Prepares to ask the named providers whose first call has been made.
    ///
    /// # Errors
    /// [`Stop`] when a client cannot be made.
    pub fn new(context: &Context, names: &[String], preflights: &Preflights) -> Result<Self, Stop> {
        let settings = context.settings()?;
        let mut lanes = BTreeMap::new();
        for entry in settings.providers.iter().filter(|entry| names.contains(&entry.name)) {
            if entry.kind == ProviderKind::ConnectTopup {
                // It can be asked for its balance alone.
                continue;
            }
            let lane = Lane::new(entry, &settings.limits.max_row, preflights, context.clock)?;
            lanes.insert(entry.name.clone(), Arc::new(lane));
        }
        Ok(Self { lanes, unanswered: HashMap::new() })
    }

    /// Judges every row of a file with the answers.
    ///
    /// # Errors
    /// [`Stop`]: the file or the ledger cannot be read, or the list of problems cannot be written.
    pub async fn survey(
        &mut self,
        context: &Context,
        mut surveyor: Surveyor<'_>,
        listing: &mut Listing,
    ) -> Result<Survey, Stop> {
        let mut waiting = VecDeque::new();
        let (mut rows, mut told) = (0_u64, context.clock.now().tick);
        while let Some(judged) = surveyor.judge_uncounted()? {
            let lane = judged.verdict.as_ref().ok().and_then(|order| {
                self.lanes.get(&order.provider).map(|lane| (Arc::clone(lane), order.clone()))
            });
            let answer = lane.map(|(lane, order)| tokio::spawn(lane.ask(order)));
            waiting.push_back(Waiting { row: surveyor.row().clone(), judged, answer });
            while waiting.len() >= AHEAD_MAX {
                self.settle(&mut surveyor, listing, waiting.pop_front()).await?;
                rows += 1;
            }
            let now = context.clock.now().tick;
            if now.since(told) >= TELL_EVERY {
                told = now;
                context.terminal.say(&format!("  asked about {rows} rows"));
            }
        }
        while let Some(next) = waiting.pop_front() {
            self.settle(&mut surveyor, listing, Some(next)).await?;
        }
        surveyor.finish()
    }

    /// Gives a row its last verdict and counts it.
    async fn settle(
        &mut self,
        surveyor: &mut Surveyor<'_>,
        listing: &mut Listing,
        waiting: Option<Waiting>,
    ) -> Result<(), Stop> {
        let Some(Waiting { row, mut judged, answer }) = waiting else { return Ok(()) };
        let answer = match answer {
            Some(task) => Some(task.await.unwrap_or(Answer::None)),
            None => None,
        };
        match (answer, &mut judged.verdict) {
            (Some(Answer::Cleared(clearance)), Ok(order)) => {
                order.operator = clearance.operator.or(order.operator.take());
                judged.price = clearance.price.or(judged.price);
            }
            (Some(Answer::Wrong(refusal)), verdict) => {
                *verdict = Err(problem_of(surveyor.columns(), &row, refusal));
            }
            (Some(Answer::None), Ok(order)) => {
                *self.unanswered.entry(order.provider.clone()).or_insert(0) += 1;
            }
            (Some(Answer::Cleared(_) | Answer::None) | None, _) => {}
        }
        if let Err(problem) = &judged.verdict {
            listing.add(&RowProblem::of(&row, problem))?;
        }
        surveyor.count(&row, &judged);
        Ok(())
    }

    /// Rows that no answer came for, by provider, with the reason where one is known.
    pub fn silent(&self) -> Vec<String> {
        let told = self.lanes.iter().filter_map(|(name, lane)| {
            let rows = self.unanswered.get(name)?;
            let why = lane.mood().stopped.clone().unwrap_or_else(|| "it gave no clear answer".to_owned());
            Some(format!("{name} told nothing about {}: {why}", super::plan::counted(*rows)))
        });
        told.collect()
    }
}

/// A row on its way.
struct Waiting {
    row: RawRow,
    judged: Judged,
    answer: Option<JoinHandle<Answer>>,
}

impl Lane {
    fn new(
        entry: &ProviderSettings,
        max_row: &BTreeMap<Currency, Decimal>,
        preflights: &Preflights,
        clock: Clock,
    ) -> Result<Self, Stop> {
        let catalogue = preflights.catalogue(&entry.name);
        let trouble = preflights.asked.get(&entry.name).map(Asked::trouble).unwrap_or_default();
        let stopped = catalogue.is_none().then_some(trouble);
        let rate = entry.query_rate;
        // Rounded up, and a little more: no window sees more than the limit, the ends of it included.
        let spacing = rate.window / rate.count.max(1) + Duration::from_micros(10);
        Ok(Self {
            codec: entry.codec.clone(),
            client: Client::new(entry.net_options())?,
            clock,
            airtime: catalogue.map(|catalogue| catalogue.airtime.clone()).unwrap_or_default(),
            max_row: max_row.clone(),
            spacing,
            // The first call counts, too.
            next: tokio::sync::Mutex::new(clock.now().tick.after(spacing)),
            width: Semaphore::new(usize::try_from(entry.max_in_flight).unwrap_or(1).max(1)),
            mood: Mutex::new(Mood { silences: 0, stopped }),
        })
    }

    fn mood(&self) -> std::sync::MutexGuard<'_, Mood> {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks about one order until something clear is told.
    async fn ask(self: Arc<Self>, order: Order) -> Answer {
        let Ok(_one) = self.width.acquire().await else { return Answer::None };
        let question = question_about(&order);
        for wait in WAITS {
            self.clock.wait(wait).await;
            self.take_turn().await;
            if self.mood().stopped.is_some() {
                return Answer::None;
            }
            match ask_once(&self.codec, &self.client, &question).await {
                Asked::Told(told) => {
                    self.mood().silences = 0;
                    match judge_told(&order, &self.airtime, told, &self.max_row) {
                        Heard::Cleared(clearance) => return Answer::Cleared(clearance),
                        Heard::Wrong(refusal) => return Answer::Wrong(refusal),
                        Heard::Halted(halt) => self.mood().stopped = Some(halt.message),
                        Heard::Busy | Heard::Nothing => {}
                    }
                }
                Asked::Silent(fault) => {
                    let mut mood = self.mood();
                    mood.silences += 1;
                    if mood.silences >= SILENCES_MAX {
                        mood.stopped = Some(fault.words().to_owned());
                    }
                }
                Asked::NoSuchCall => return Answer::None,
            }
        }
        Answer::None
    }

    /// Waits until the next question may go.
    async fn take_turn(&self) {
        let mut next = self.next.lock().await;
        if self.mood().stopped.is_some() {
            return;
        }
        self.clock.wait_until(*next).await;
        *next = self.clock.now().tick.after(self.spacing);
    }
}
