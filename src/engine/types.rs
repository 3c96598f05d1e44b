//! What goes into the engine and what comes out: plain values.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{
    BatchName, Catalogue, Currency, Delivery, Halt, HttpRequest, Money, Now, Order, RowNumber, TransactionId,
};
use crate::lifecycle::{Entry, FollowPolicy, Receipt, TopUp};
use crate::protocol::Codec;

/// At most `count` requests in *every* window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub count: u32,
    /// Length of the window.
    pub window: Duration,
}

/// A provider's place in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub usize);

/// One request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One write to the ledger under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

/// One provider entry of the configuration, as the engine needs it (`contract.md` 7).
#[derive(Clone, Debug)]
pub struct LaneConfig {
    /// Name of the entry.
    pub name: String,
    /// Its language.
    pub codec: Codec,
    /// Submits.
    pub submit_rate: Rate,
    /// Look-ups, those before a submit included.
    pub query_rate: Rate,
    /// Submits under way at once; look-ups have the same bound, apart.
    pub max_in_flight: u32,
    /// Least time between two orders for one number.
    pub phone_spacing: Duration,
    /// How open orders are followed.
    pub follow: FollowPolicy,
    /// Pause after a throttle code, before jitter.
    pub throttle_pause: Duration,
    /// Nothing gets through for this long: halt.
    pub unreachable_for: Duration,
    /// So many submits in succession ended unclear: halt.
    pub halt_after_unclear: u32,
}

/// What is known about a provider when a run starts.
#[derive(Clone, Debug, Default)]
pub struct LaneStart {
    /// The read-only call before the first submit was answered intact: what it told.
    pub preflight: Option<Catalogue>,
    /// It told that submits would be refused.
    pub halt: Option<Halt>,
    /// Numbers with an order open in another batch.
    pub open_numbers: Vec<String>,
    /// Last submits of numbers, for the spacing.
    pub spaced_numbers: Vec<(String, Now)>,
    /// Submits whose intents are of the last rate window or of five seconds before it, for the limiter (a submit
    /// leaves at most five seconds after its intent); those that nobody can say it of as if they were of now.
    pub recent_submits: Vec<PastSubmit>,
    /// Whether look-ups were made until now, under the same limit: by an earlier run, or by a process that died. The
    /// next one then keeps its distance to the last.
    pub looked_before: bool,
}

/// A submit of an earlier process or of an earlier run, as far as is known when it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastSubmit {
    /// How long ago its intent was recorded: it left after that.
    pub intended: Duration,
    /// How long ago it was put down what came of it: it left before that. None: it may have left until now.
    pub over: Option<Duration>,
}

/// What a run is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Submit what is ready, follow what is open.
    Send,
    /// Only follow what is open.
    Follow,
    /// Only make the look-ups before the submit, for every ready row.
    Look,
    /// Only ask again about orders that succeeded: those come as the rows that are read.
    Recheck,
}

/// One run.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The batch; part of every derived id.
    pub batch: BatchName,
    /// What to do.
    pub mode: Mode,
    /// How long to follow after the last submit.
    pub settle_for: Duration,
    /// Cap per row, by currency: prices told by a look-up are judged by it.
    pub max_row: BTreeMap<Currency, Decimal>,
    /// Spreads waiting times; no verdict depends on it.
    pub seed: u64,
}

/// What a look-up before the submit settled about a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clearance {
    /// Operator or gateway to name.
    pub operator: Option<String>,
    /// Data: productid to buy.
    pub product_id: Option<String>,
    /// What it costs at most: price of the product, or face value.
    pub price: Option<Money>,
}

/// A row from the ledger.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The order.
    pub order: Order,
    /// Where it stands.
    pub topup: TopUp,
    /// Look up every earlier id before it is submitted again (`contract.md` 5).
    pub verify: bool,
    /// Look up the ids of so many coming attempts too: what is known of the row came from a results file, and a
    /// later one may have been used since.
    pub ahead: u32,
}

/// Everything that can happen to the engine.
#[derive(Debug)]
pub enum Input {
    /// Rows that were asked for with [`Command::NeedRows`].
    Rows {
        /// For this provider.
        lane: LaneId,
        /// Open rows or ready rows, as asked for.
        open: bool,
        /// In row order.
        rows: Vec<Loaded>,
        /// Whether the ledger may hold more behind them.
        more: bool,
    },
    /// A record is durable.
    Committed {
        /// Which.
        record: RecordId,
        /// One for each intent in it.
        receipts: Vec<Receipt>,
    },
    /// A request came to its end.
    Delivered {
        /// Which.
        call: CallId,
        /// How.
        delivery: Delivery,
    },
    /// A callback named this id: worth a look, never a verdict.
    Hint(TransactionId),
    /// Time passed.
    Tick,
    /// Submit nothing more; finish what is under way.
    Drain,
}

/// What the shell has to do.
#[derive(Debug)]
pub enum Command {
    /// Make these durable, in this order, then say [`Input::Committed`].
    Record {
        /// Names the commit.
        record: RecordId,
        /// What to write.
        entries: Vec<Entry>,
    },
    /// Send this and say [`Input::Delivered`].
    Call {
        /// Names the request.
        call: CallId,
        /// Whose connection settings to use.
        lane: LaneId,
        /// The request.
        request: HttpRequest,
    },
    /// Read rows of a provider and say [`Input::Rows`].
    NeedRows {
        /// Which provider.
        lane: LaneId,
        /// Open rows (sending, pending, unknown, asking), or ready ones.
        open: bool,
        /// Only rows behind this one.
        after: Option<RowNumber>,
        /// At most so many.
        limit: usize,
    },
    /// Tell whoever watches.
    Notice(Notice),
}

/// Something a person wants to know while it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// New submits stop; goes into the ledger too.
    Halted {
        /// Name of the provider entry.
        provider: String,
        /// Why and how far.
        halt: Halt,
    },
    /// New submits wait.
    Paused {
        /// Name of the provider entry.
        provider: String,
        /// Only for this operator.
        operator: Option<String>,
        /// How long.
        wait: Duration,
        /// The provider's words.
        why: String,
    },
    /// A submit left.
    Sent {
        /// The row.
        row: RowNumber,
    },
    /// A row's state changed.
    Changed {
        /// The row.
        row: RowNumber,
        /// Where it stood.
        from: crate::domain::Status,
        /// Where it stands.
        to: crate::domain::Status,
    },
    /// A fault of the program: an event that cannot happen. The run must stop.
    Fault(String),
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// The read-only question before a provider's first submit.
    Preflight,
    /// A look-up before a submit.
    Check,
    /// A submit.
    Submit,
    /// A look-up of an open order.
    LookUp,
}

impl CallKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Preflight, Self::Check, Self::Submit, Self::LookUp];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Check => "check",
            Self::Submit => "submit",
            Self::LookUp => "lookup",
        }
    }
}

/// A request that came to its end, for whoever watches: the engine decides nothing by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// To which provider.
    pub lane: LaneId,
    /// What for.
    pub kind: CallKind,
    /// For which row; none for a question about the provider.
    pub row: Option<RowNumber>,
    /// The row's id at that time.
    pub id: Option<TransactionId>,
    /// What came of it, in one stable word: `not_sent`, `no_answer`, or what the answer means.
    pub meaning: &'static str,
    /// The provider's code.
    pub code: Option<String>,
}

/// The rules about money, each of which can be broken to prove that a test would notice. No setting, flag or
/// variable reaches this type; only [`Rules::default`] is used outside tests.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// As promised.
    #[default]
    Sound,
    /// Broken: a time-out is a failure.
    TimeoutIsFailed,
    /// Broken: a row found interrupted is sent again under a new id.
    NewIdOnResume,
    /// Broken: the first "no such order" is a failure.
    NotFoundIsFailed,
    /// Broken: "id used already" is a failure.
    DuplicateIdIsFailed,
    /// Broken: a lost answer is sent again.
    BlindResend,
    /// Broken: the ledger hands out receipts before the commit (acted on by the test's ledger).
    SkipWriteAhead,
}

/// Counts of one provider, for progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Submits that left in this run.
    pub sent: u64,
    /// Submits under way.
    pub in_flight: usize,
    /// Open rows that are followed.
    pub following: usize,
    /// Halts in force.
    pub halts: Vec<Halt>,
    /// Ends of pauses in force, as waits from now.
    pub paused_for: Option<Duration>,
    /// Rows that this run took in and that are succeeded, failed or invalid now.
    pub settled: u64,
    /// Rows that this run took in and that are pending or unknown now, beside those whose submit is under way.
    pub open: u64,
    /// Of them unknown.
    pub unknown: u64,
}

/// Clearances by row, from a [`Mode::Look`] run to the run that sends.
pub type Clearances = HashMap<RowNumber, Clearance>;
