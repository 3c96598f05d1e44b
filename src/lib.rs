//! Bulk mobile top-ups from a file: judged before a cent is spent, submitted under each provider's limits,
//! followed until final, never paid twice. `README.md` tells how to use the program; this page tells how it is
//! built and what it promises.
//!
//! # The promise
//!
//! For every row of the file at most one accepted charge, and for every row one word that is true: `succeeded`,
//! `failed`, `invalid`, `pending`, `unknown` or `not_sent`. A crash, a lost reply, a kill or a power cut at any
//! moment changes neither.
//!
//! # How
//!
//! **A pure core decides, a thin shell acts.** The core (floors 0 to 2) never awaits, reads a clock, draws
//! randomness, opens a file or prints: time, replies and commits come in as values, commands come out as values.
//! So a whole batch with crashes, lost replies and 48 hours of waiting is played in a test in milliseconds.
//!
//! **Record, then act.** A submit is built from a [`lifecycle::Receipt`], a value that only a ledger makes, after
//! it has committed the intent. The compiler keeps the order, not care.
//!
//! **A submit has three answers, never two**: taken (follow it), refused (surely no money moved), unclear (it may
//! have moved: look it up, never send it again blindly). What a provider's words mean is data, a table for each
//! provider and each of its calls ([`protocol`]); a word that no table lists is unclear.
//!
//! **One function changes a state**: [`lifecycle::TopUp::apply`], whether the program runs live, recovers, verifies
//! its ledger or writes a report.
//!
//! ```
//! use bulk_topup::domain::{AccountId, Attempt, BatchName, NetFault, Now, ProviderKind, RowNumber, Status, TransactionId};
//! use bulk_topup::lifecycle::{Event, Intent, ResolvedAs, TopUp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (account, batch) = (AccountId::new(ProviderKind::ConnectTopup, "demo"), BatchName::parse("payroll-3f9a2c1d")?);
//! let (row, attempt, now) = (RowNumber(1), Attempt(1), Now::default());
//! let id = TransactionId::derive(&account, &batch, row, attempt);
//!
//! // The intent is on record before the request leaves; then the connection breaks.
//! let mut topup = TopUp::ready();
//! let intent = Intent { attempt, id: id.clone(), at: now, operator: None, product_id: None, price: None };
//! topup.apply(&Event::Intent(intent.clone()), now.wall)?;
//! let lost = Event::NoAnswer { fault: NetFault::Broken, sent_at: now.wall, at: now, can_ask: true };
//! topup.apply(&lost, now.wall)?;
//!
//! // Money may have moved: it is not failed, and no event sends it again.
//! assert_eq!(topup.status(), Status::Unknown);
//! assert!(topup.apply(&Event::Released, now.wall).is_err());
//! assert!(topup.apply(&Event::Intent(intent), now.wall).is_err());
//!
//! // The provider told a person that the order does not exist: `retry` may send the row, under a new id.
//! let (decision, note, user) = (ResolvedAs::Failed, "ticket 4711".to_owned(), "lan".to_owned());
//! topup.apply(&Event::Resolved { decision, note, user }, now.wall)?;
//! topup.apply(&Event::Released, now.wall)?;
//! assert_eq!(topup.next_attempt(), Attempt(2));
//! # Ok(())
//! # }
//! ```
//!
//! **Stopped following is not failed.** A row that was given up keeps its own word, and a late answer still lands.
//!
//! # A front end of your own
//!
//! [`job`] does all that the command line does, without a screen: whoever calls it shows what it returns, and asks
//! the person. The providers here are a [`sandbox`]; [`settings::Settings::load`] reads a configuration.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use bulk_topup::domain::{BatchName, Now, Status};
//! use bulk_topup::engine::{CallEnd, LaneStats, Mode, Notice};
//! use bulk_topup::intake::Overrides;
//! use bulk_topup::job::{
//!     self, Admission, Amounts, Exit, Front, InputFile, JudgeOptions, Judging, Preflights, Session, Terms,
//!     Work,
//! };
//! use bulk_topup::ledger::{Ledger, LedgerLock};
//! use bulk_topup::lifecycle::Entry;
//! use bulk_topup::run::{Clock, Observer};
//! use bulk_topup::sandbox;
//! use bulk_topup::settings::LedgerLocation;
//!
//! /// A window, a log, a web page: it is told what happens.
//! struct Window;
//!
//! impl Observer for Window {
//!     fn notice(&mut self, _notice: &Notice, _now: Now) {}
//!     fn progress(&mut self, lanes: &[LaneStats], _now: Now) {
//!         let _bars: Vec<(usize, usize)> = lanes.iter().map(|lane| (lane.in_flight, lane.following)).collect();
//!     }
//!     fn recorded(&mut self, _entries: &[Entry], _now: Now) {}
//!     fn called(&mut self, _end: &CallEnd, _took: Duration, _now: Now) {}
//!     fn stopping(&mut self, _signals: u32, _under_way: usize) {}
//! }
//!
//! impl Front for Window {
//!     fn begin(&mut self, _batch: &BatchName, _mode: Mode, work: Vec<Work>) {
//!         let _rows: u64 = work.iter().map(|provider| provider.to_send).sum();
//!     }
//!     fn end(&mut self) {}
//!     fn goes_on(&mut self, first: &BTreeMap<Status, u64>, _left: u64) -> bool {
//!         first.keys().all(|status| *status == Status::Succeeded)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let options = sandbox::Options { addr: "127.0.0.1:0".parse()?, log: None, seed: 1, faults: Default::default() };
//! let file = folder.path().join("payroll.csv");
//! std::fs::write(&file, "phone,amount\n0912345601,20000\n0987654321,50000\n09123,10000\n")?;
//! let ledger_path = folder.path().join("ledger.db");
//! let providers = sandbox::start(options).await?;
//! let settings = job::sandbox_settings(&providers, LedgerLocation::Sqlite(ledger_path.clone()))?;
//!
//! // One process sends from a ledger at a time.
//! let lock = LedgerLock::acquire(&ledger_path)?;
//! let mut ledger = Ledger::open(lock.ledger())?;
//! let clock = Clock::new();
//!
//! // Judge; this spends nothing.
//! let input = InputFile::open(file.clone(), "payroll.csv".into(), "payroll".into(), Overrides::default())?;
//! let mut judging = Judging::new(&settings, &ledger, clock, &input, JudgeOptions::default())?;
//! let mut preflights = Preflights::default();
//! let survey = judging.survey()?;
//! let survey = judging.ask(survey, &mut preflights).await?;
//! judging.hold(&survey)?;
//! assert_eq!((survey.totals.ready, survey.totals.invalid_rows()), (2, 1));
//!
//! // Here a person sees `survey` and consents to these amounts.
//! let amounts = Amounts::of(&survey);
//! assert_eq!(job::sums_line(&amounts.sums), "70,000 VND");
//!
//! // From here on the rows are in the ledger, whatever happens to this process.
//! let results = folder.path().join("payroll.results.csv");
//! let admission = Admission { source: file, results: results.clone(), sandbox: true };
//! let batch = judging.admit(&mut ledger, &survey, admission)?;
//! drop(judging);
//!
//! let mut session = Session::new(lock, ledger, batch, clock)?;
//! session.begin(&settings, "run").await?;
//! let settle_for = Duration::from_secs(60);
//! let terms = Terms { amounts, expect_total: vec![], all_or_nothing: false, first: None, settle_for, retry: None };
//! let sent = job::send(&mut session, &settings, &preflights, &terms, &mut Window).await;
//! let (also, reason) = job::ending(&sent);
//! let finished = session.finish(also, reason, &results).await?;
//! sent?;
//!
//! assert_eq!(finished.exit, Exit::SomeFailed); // the row with the short number
//! assert_eq!((finished.standing.counts.succeeded, finished.standing.counts.invalid), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # The floors
//!
//! Imports go down only, never up and never sideways; `tests/floors.rs` reads the sources and fails on one that
//! does not.
//!
//! | floor | module | what it is |
//! |---|---|---|
//! | 6 | [`cli`] | arguments, one file for each command, screens |
//! | 5 | [`job`] | the job without a screen: what any front end calls to judge, admit, send, follow and write |
//! | 4 | [`run`] | joins engine, ledger, network and signals; the only clock |
//! | 4 | [`callbacks`] | receives callbacks: a hint to look, never a verdict |
//! | 4 | [`settings`] | the configuration file, the environment and the secrets, resolved |
//! | 4 | [`sandbox`] | the three providers on a local port, written from their documents alone: imports nothing of ours |
//! | 3 | [`ledger`] | SQLite: admission, intents, outcomes, the results file, verification |
//! | 3 | [`net`] | one request in, one reply out, or "not sent", or "may have been sent"; no retries of its own |
//! | 2 | [`admission`] | a row becomes an order or a named problem: duplicates, repeats, caps, goods |
//! | 2 | [`engine`] | the whole batch as one machine: a lane for each provider, its limits, halts and look-ups |
//! | 2 | [`report`] | ledger rows become result rows, totals, the summary and the report page |
//! | 1 | [`intake`] | bytes become rows: encoding, dialect, header, workbook |
//! | 1 | [`numbering`] | phone numbers by country: prefixes, operators, repairs |
//! | 1 | [`protocol`] | one folder for each provider: requests, replies, and what its codes mean |
//! | 1 | [`lifecycle`] | what may happen to one top-up |
//! | 0 | [`domain`] | the nouns: money, phone number, ids, order, outcome, time as a value, secret |
//!
//! A row's way: `intake` → `admission` → `ledger` (admitted) → `engine` (look-ups that spend nothing; room in
//! the lane) → `ledger` (intent, **commit**) → receipt → `protocol` → `net` → `protocol` → `lifecycle` → `ledger`
//! (outcome) → look-ups until final → results, written from the ledger and not from memory.
//!
//! # The invariants
//!
//! Each can be judged from outside, from the input file, the provider's charges, the results file and the exit
//! code.
//!
//! 1. **Never twice.** At most one accepted charge for a row, even if the provider does not refuse duplicates,
//!    as long as no request arrives later than `not_found_grace` and no committed record vanishes.
//! 2. **Nothing invented.** Every charge belongs to one accepted row: same phone, amount, product, provider.
//! 3. **Nothing lost.** One results line for each row, in order, with its own cells.
//! 4. **Truth.** `succeeded`: one completed charge of the same values. `failed`, `invalid`, `not_sent`: none.
//! 5. **Completeness.** When all is quiet, every completed charge is `succeeded`, or `unknown` where the provider
//!    offers no way to ask.
//! 6. **No evidence, no verdict.** Only an intact answer that a table lists leads to a final state.
//! 7. **Write-ahead.** The ids a provider has seen are among those in the ledger, at any instant. A failed commit
//!    stops submitting at once.
//! 8. **Final is final.** A later contradiction is kept and reported; only `not_received` gives way to an order
//!    that turns up.
//! 9. **Conservation.** Exact decimals: the sum of `succeeded` is the sum of the completed charges.
//! 10. **One id for each attempt**, a new one only after the provider or a person said that the old one failed.
//! 11. **Rate.** In no window more submits than configured, never more under way than `max_in_flight`, across
//!     restarts too.
//! 12. **Running again is free.** A finished batch: no submit. A resumed one ends as if it had never stopped.
//! 13. **One submitter** on a ledger; readers and the callback listener work beside it.
//! 14. **Judged before spent.** A wrong file sends nothing, a wrong row sends nothing of that row.
//! 15. **No secret and no whole phone number** on a screen or in a log; no secret in a ledger, a result or an error.
//! 16. **Private and atomic.** Files are for the user alone; a results file is absent, the old one or the new one.
//! 17. **Callbacks only hint.** With any callbacks, forged ones too, the outcome is that without them.
//! 18. **Bounded.** Memory does not grow with the file; replies, queues, waits and retries have limits.
//! 19. **An honest end.** Exit 0 means that every row succeeded, and nothing hangs past its deadline.
//! 20. **One request on the wire for each recorded submit**, whatever the connection does.

pub mod admission;
pub mod callbacks;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod intake;
pub mod job;
pub mod ledger;
pub mod lifecycle;
pub mod net;
pub mod numbering;
pub mod protocol;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod settings;
