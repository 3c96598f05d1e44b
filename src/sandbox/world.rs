//! One world of three providers: counts requests, draws their fate, and carries out what a protocol
//! has judged to be a well-formed submit. It waits for nothing; the time comes in.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::book::{Book, Fate, Wanted};
use super::clock::{self, Micros};
use super::dice::Dice;
use super::faults::{ByProvider, Faults, Rate};
use super::inquiry::{Call, Inquiry, Provider};
use super::log::Line;
use super::{connect_topup, money, paynicorn, tutom};

/// What an HTTP client is told, if the connection lives.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// The scenario loses the answer.
    pub lost: bool,
    /// The scenario waits before the answer.
    pub wait: Duration,
}

impl Reply {
    /// A whole answer with HTTP 200.
    pub fn ok(content_type: &'static str, body: String) -> Reply {
        Reply { status: 200, content_type, body, lost: false, wait: Duration::ZERO }
    }

    /// Another HTTP status with a page of HTML.
    pub fn page(status: u16, text: &str) -> Reply {
        let body = format!("<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>\r\n");
        Reply { status, ..Reply::ok("text/html", body) }
    }
}

/// How an order goes that is well-formed: by the last four digits of its number, else by the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Charged and completed at once.
    Done,
    /// Charged, settles in a while, well or not.
    Slow(bool),
    /// Taken and failed at once.
    Failed,
    /// Refused for its number.
    BadNumber,
    /// Refused for now.
    Throttled,
    /// Answered unclearly; the order is charged, or it is not.
    Unclear(bool),
}

impl Course {
    /// This course, or another where the protocol has no word for "later".
    pub fn or_if_throttled(self, other: Course) -> Course {
        if self == Course::Throttled { other } else { self }
    }
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was carried out.
    Taken,
    /// The account does not hold enough.
    Insufficient,
}

/// What one request meets on its way in.
#[derive(Debug)]
pub struct Arrival {
    pub dice: Dice,
    pub nth: u64,
    pub fault: Option<&'static str>,
    pub close: bool,
    pub over_rate: bool,
}

#[derive(Debug, Default)]
struct Gauge {
    in_flight: u64,
    in_flight_most: u64,
    recent: VecDeque<Micros>,
    submits: u64,
    lookups: u64,
}

/// The state of the sandbox.
#[derive(Debug)]
pub struct World {
    pub book: Book,
    pub faults: Faults,
    pub malformed: Vec<String>,
    pub stopped: bool,
    seed: u64,
    seen: HashMap<(Call, String), u64>,
    gauges: HashMap<Provider, Gauge>,
    wire: u64,
}

/// Complaints kept in memory; the log keeps all of them.
const COMPLAINTS_MOST: usize = 10_000;

impl World {
    /// Opens the books.
    ///
    /// # Errors
    /// The charge log cannot be read or written.
    pub fn open(path: Option<&Path>, seed: u64, faults: Faults) -> io::Result<World> {
        let mut balances = HashMap::new();
        for provider in Provider::ALL {
            let standard = match provider {
                Provider::Tutom => "100000.0000",
                Provider::ConnectTopup => "500000000",
                Provider::Paynicorn => "50000000",
            };
            let text = settings(&faults, provider).balance.as_deref().unwrap_or(standard);
            balances.insert(provider, money::minor(text, provider.currency().1).unwrap_or(0));
        }
        let mut seen: HashMap<(Call, String), u64> = HashMap::new();
        let book = Book::open(path, balances, |line| {
            if let Some(provider) = Provider::named(&line.provider) {
                let key = if line.id.is_empty() { line.phone.clone() } else { line.id.clone() };
                let count = seen.entry((Call::submit_of(provider), key)).or_default();
                *count = count.saturating_add(1);
            }
        })?;
        let (gauges, malformed) = (HashMap::new(), Vec::new());
        Ok(World { book, faults, malformed, stopped: false, seed, seen, gauges, wire: 0 })
    }

    /// Counts a request in and draws what it meets; a submit is written to the log.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn arrive(&mut self, inquiry: &Inquiry, now: Micros) -> io::Result<Arrival> {
        let call = inquiry.call;
        let key: String = inquiry.key().chars().take(64).collect();
        let nth = self.seen.entry((call, key.clone())).or_default();
        *nth = nth.saturating_add(1);
        let nth = *nth;
        self.wire = self.wire.saturating_add(1);
        let dice = Dice::new(self.seed, call.path(), &key, nth);
        let fault = self.transport_fault(call, &dice);
        let close = dice.hit("close_after", self.faults.close_after);
        let mut arrival = Arrival { dice, nth, fault, close, over_rate: false };
        let limit = self.faults.rate;
        let gauge = self.gauges.entry(call.provider()).or_default();
        if call.is_lookup() {
            gauge.lookups = gauge.lookups.saturating_add(1);
        }
        if !call.is_submit() {
            return Ok(arrival);
        }
        gauge.submits = gauge.submits.saturating_add(1);
        gauge.in_flight = gauge.in_flight.saturating_add(1);
        gauge.in_flight_most = gauge.in_flight_most.max(gauge.in_flight);
        let in_flight = gauge.in_flight;
        if let Some((most, window)) = limit {
            while gauge.recent.front().is_some_and(|at| clock::later(*at, window) <= now) {
                gauge.recent.pop_front();
            }
            gauge.recent.push_back(now);
            arrival.over_rate = u64::try_from(gauge.recent.len()).unwrap_or(u64::MAX) > most;
        }
        let short = |names: &[&str]| -> String {
            let text =
                names.iter().map(|name| inquiry.get(name)).find(|text| !text.is_empty()).unwrap_or_default();
            text.chars().take(64).collect()
        };
        let line = Line {
            at: clock::written(now),
            event: "request".to_owned(),
            call: call.name().to_owned(),
            id: short(&["orderid", "transidclient", "transId"]),
            phone: short(&["mdn", "phone", "benefitNo"]),
            amount: short(&["sotien", "amount"]),
            product: short(&["productid"]),
            operator: short(&["gateway", "operatorCode"]),
            fault: fault.or(close.then_some("close_after")).map(str::to_owned),
            in_flight: Some(in_flight),
            nth: Some(nth),
            over_rate: arrival.over_rate,
            ..Line::default()
        };
        self.book.note(call.provider(), line)?;
        Ok(arrival)
    }

    /// Counts a submit out again.
    pub fn leave(&mut self, call: Call) {
        if call.is_submit() {
            let gauge = self.gauges.entry(call.provider()).or_default();
            gauge.in_flight = gauge.in_flight.saturating_sub(1);
        }
    }

    /// The most submits that were under way at once.
    pub fn in_flight_most(&self, provider: Provider) -> u64 {
        self.gauges.get(&provider).map_or(0, |gauge| gauge.in_flight_most)
    }

    fn transport_fault(&self, call: Call, dice: &Dice) -> Option<&'static str> {
        let faults = &self.faults;
        let submit: &[(&'static str, Rate)] = &[
            ("drop_before", faults.drop_before),
            ("drop_after", faults.drop_after),
            ("http502_before", faults.http502_before),
            ("http502_after", faults.http502_after),
            ("http429", faults.http429),
            ("html", faults.html),
            ("truncate", faults.truncate),
            ("late", faults.late),
        ];
        let other: &[(&'static str, Rate)] = &[
            ("lookup_drop", faults.lookup_drop),
            ("lookup_502", faults.lookup_502),
            ("lookup_truncate", faults.lookup_truncate),
        ];
        let table = if call.is_submit() { submit } else { other };
        table.iter().find(|(name, rate)| dice.hit(name, *rate)).map(|(name, _)| *name)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// The log cannot be written; what could not be written did not happen.
    pub fn answer(&mut self, inquiry: &Inquiry, arrival: &Arrival, now: Micros) -> io::Result<Reply> {
        self.book.settle_due(now)?;
        let mut reply = match inquiry.call {
            Call::Tutom(call) => tutom::answer(self, call, inquiry, arrival, now),
            Call::Connect(call) => connect_topup::answer(self, call, inquiry, arrival, now),
            Call::Paynicorn(call) => paynicorn::answer(self, call, inquiry, arrival, now),
        }?;
        if inquiry.call.is_submit() && reply.status == 200 {
            let phone =
                ["mdn", "phone", "benefitNo"].iter().map(|name| inquiry.get(name)).collect::<String>();
            // A repeat of the same id is told what it did.
            reply.lost = phone.ends_with("0007") && arrival.nth == 1;
            reply.wait = if phone.ends_with("0009") { Duration::from_secs(3) } else { Duration::ZERO };
        }
        Ok(reply)
    }

    /// The code that the fault profile wants as the answer to this call, if any.
    pub fn forced_code(&self, call: Call) -> Option<String> {
        let gauge = self.gauges.get(&call.provider())?;
        let settings = settings(&self.faults, call.provider());
        let (code, count) = if call.is_submit() {
            (settings.submit_code.as_ref(), gauge.submits)
        } else if call.is_lookup() {
            (settings.lookup_code.as_ref(), gauge.lookups)
        } else {
            (None, 0)
        };
        let past = count.checked_sub(self.faults.code_from)?;
        code.filter(|_| past < self.faults.code_count).cloned()
    }

    /// How an order for this number goes.
    pub fn course(&self, phone: &str, arrival: &Arrival) -> Course {
        let tail = phone.len().checked_sub(4).and_then(|start| phone.get(start..)).unwrap_or_default();
        let (dice, faults) = (&arrival.dice, &self.faults);
        match tail {
            "0001" => Course::Slow(true),
            "0002" => Course::Slow(false),
            "0003" => Course::Failed,
            "0004" => Course::BadNumber,
            "0005" if arrival.nth == 1 => Course::Throttled,
            "0006" => Course::Unclear(true),
            "0008" => Course::Unclear(false),
            "0005" | "0007" | "0009" => Course::Done,
            _ if dice.hit("throttle", faults.throttle) => Course::Throttled,
            _ if dice.hit("ambiguous", faults.ambiguous) => Course::Unclear(dice.below("charged", 2) == 0),
            _ if dice.hit("failed", faults.failed) => Course::Failed,
            _ if dice.hit("pending", faults.pending) => {
                Course::Slow(!dice.hit("pending_fail", faults.pending_fail))
            }
            _ => Course::Done,
        }
    }

    /// Whether the unclear answer comes from a scenario number rather than from chance.
    pub fn is_scenario(phone: &str) -> bool {
        ["0006", "0008"].iter().any(|tail| phone.ends_with(tail))
    }

    /// Carries out an order that is answered with this code. An unclear one that is not charged is
    /// kept as a failed order if `kept`, else forgotten.
    ///
    /// # Errors
    /// The log cannot be written; what could not be written did not happen.
    pub fn carry_out(
        &mut self,
        wanted: &Wanted,
        course: Course,
        code: &str,
        kept: bool,
        now: Micros,
    ) -> io::Result<Done> {
        let settle = match course {
            Course::Done | Course::Unclear(true) => (Duration::ZERO, true),
            Course::Slow(well) => (self.faults.settle, well),
            Course::Failed => return self.book.fail_at_once(wanted, code, now).map(|()| Done::Taken),
            Course::Unclear(false) if kept => {
                return self.book.fail_at_once(wanted, code, now).map(|()| Done::Taken);
            }
            Course::Unclear(false) | Course::BadNumber | Course::Throttled => {
                return self.book.refuse(wanted, code, now).map(|()| Done::Taken);
            }
        };
        if self.book.balance(wanted.provider) < wanted.amount {
            return Ok(Done::Insufficient);
        }
        let dice = Dice::new(self.seed, "reverse", &wanted.reference, 1);
        let reverse = dice.hit("reverse", self.faults.reverse).then_some(self.faults.reverse_after);
        let fate = Fate { settle: settle.0, well: settle.1, reverse };
        self.book.charge(wanted, code, now, fate).map(|()| Done::Taken)
    }

    /// Writes down a request that breaks the document.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn complain(&mut self, inquiry: &Inquiry, code: &str, why: &str, now: Micros) -> io::Result<()> {
        let provider = inquiry.call.provider();
        if self.malformed.len() < COMPLAINTS_MOST {
            self.malformed.push(format!("{} {}: {why}", provider.name(), inquiry.call.name()));
        }
        let line = Line {
            at: clock::written(now),
            event: "malformed".to_owned(),
            call: inquiry.call.name().to_owned(),
            id: inquiry.key().chars().take(64).collect(),
            code: code.to_owned(),
            malformed: Some(why.to_owned()),
            ..Line::default()
        };
        self.book.note(provider, line)
    }

    /// Whether look-ups know an order that was charged then.
    pub fn is_visible(&self, charged_at: Micros, now: Micros) -> bool {
        clock::later(charged_at, self.faults.not_found_for) <= now
    }

    /// A reference of the provider's own for a new order. Without an id of the client's the count of
    /// requests tells them apart; a repeated id has its own by its count.
    pub fn reference(&self, arrival: &Arrival, id: &str) -> u64 {
        if id.is_empty() {
            arrival.dice.roll(&format!("reference {}", self.wire))
        } else {
            arrival.dice.roll("reference")
        }
    }
}

/// A provider's part of the fault profile.
pub fn settings(faults: &Faults, provider: Provider) -> &ByProvider {
    match provider {
        Provider::Tutom => &faults.tutom,
        Provider::ConnectTopup => &faults.connect,
        Provider::Paynicorn => &faults.paynicorn,
    }
}
