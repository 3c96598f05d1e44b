//! The providers' books: orders, balances and what is still to settle, each change written to the
//! charge log before it counts.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::clock::{self, Micros};
use super::inquiry::{Call, Provider};
use super::log::{Line, Log};
use super::money;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Charged, not settled.
    Open,
    /// Delivered.
    Completed,
    /// Failed; what was charged was given back.
    Failed,
}

/// What a client asks for, judged to be well-formed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub provider: Provider,
    pub call: Call,
    pub id: String,
    pub reference: String,
    pub phone: String,
    /// Minor units.
    pub amount: i64,
    pub product: String,
    pub operator: String,
}

/// An order in the books.
#[derive(Debug, Clone)]
pub struct Order {
    pub wanted: Wanted,
    pub state: State,
    pub charged: bool,
    pub at: Micros,
    settles_at: Micros,
    settles_well: bool,
    reverses_at: Option<Micros>,
    code: String,
}

/// How a charged order goes on.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// How long it stays open.
    pub settle: Duration,
    /// Whether it is completed then.
    pub well: bool,
    /// How long after that it is given back.
    pub reverse: Option<Duration>,
}

/// The end of an order, for whoever tells the client.
#[derive(Debug, Clone)]
pub struct Ended {
    pub provider: Provider,
    pub id: String,
    pub reference: String,
    pub completed: bool,
    pub at: Micros,
}

/// The books of the three providers.
#[derive(Debug)]
pub struct Book {
    log: Log,
    orders: Vec<Order>,
    by_id: HashMap<(Provider, String), usize>,
    by_reference: HashMap<(Provider, String), usize>,
    balances: HashMap<Provider, i64>,
    open: HashMap<(Provider, String), usize>,
    due: BTreeSet<(Micros, usize)>,
    ended: Vec<Ended>,
}

impl Book {
    /// Opens the books with these balances (minor units), takes up the orders of the charge log, and
    /// gives every `request` line of it to `requests`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn open(
        path: Option<&Path>,
        balances: HashMap<Provider, i64>,
        mut requests: impl FnMut(&Line),
    ) -> io::Result<Book> {
        let mut lines = Vec::new();
        let log = Log::open(path, |line| match line.event.as_str() {
            "request" => requests(&line),
            "charge" | "complete" | "fail" | "reverse" => lines.push(line),
            _ => {}
        })?;
        let mut book = Book {
            log,
            orders: Vec::new(),
            by_id: HashMap::new(),
            by_reference: HashMap::new(),
            balances,
            open: HashMap::new(),
            due: BTreeSet::new(),
            ended: Vec::new(),
        };
        for line in &lines {
            book.take_up(line).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("charge log: a {} line lacks a value", line.event),
                )
            })?;
        }
        book.ended.clear();
        Ok(book)
    }

    fn take_up(&mut self, line: &Line) -> Option<()> {
        let provider = Provider::named(&line.provider)?;
        let at = clock::read(&line.at)?;
        let known = self.by_reference.get(&(provider, line.reference.clone())).copied();
        if let (Some(place), true) = (known, line.event == "reverse") {
            self.give_back(place);
            return Some(());
        }
        if let (Some(place), true) = (known, line.event != "charge") {
            self.end(place, line.event == "complete", at);
            return Some(());
        }
        let charged = line.event == "charge";
        let wanted = Wanted {
            provider,
            call: Call::submit_of(provider),
            id: line.id.clone(),
            reference: line.reference.clone(),
            phone: line.phone.clone(),
            amount: money::minor(&line.amount, provider.currency().1)?,
            product: line.product.clone(),
            operator: line.operator.clone(),
        };
        let settles_at = if charged { clock::read(line.settles_at.as_deref()?)? } else { at };
        let settles_well = line.settles_as.as_deref() == Some("complete");
        let reverses_at = line.reverses_at.as_deref().and_then(clock::read);
        let state = if charged { State::Open } else { State::Failed };
        let code = line.code.clone();
        self.enter(Order { wanted, state, charged, at, settles_at, settles_well, reverses_at, code });
        Some(())
    }

    /// The order under this client id, the latest if it was charged again.
    pub fn by_id(&self, provider: Provider, id: &str) -> Option<&Order> {
        self.orders.get(*self.by_id.get(&(provider, id.to_owned()))?)
    }

    /// The order under this reference of the provider.
    pub fn by_reference(&self, provider: Provider, reference: &str) -> Option<&Order> {
        self.orders.get(*self.by_reference.get(&(provider, reference.to_owned()))?)
    }

    /// Whether an order for this number is open.
    pub fn is_busy(&self, provider: Provider, phone: &str) -> bool {
        self.open.get(&(provider, phone.to_owned())).is_some_and(|count| *count > 0)
    }

    /// What the account holds, in minor units.
    pub fn balance(&self, provider: Provider) -> i64 {
        self.balances.get(&provider).copied().unwrap_or(0)
    }

    /// Every order that was charged, in the order of their charges.
    pub fn charged(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(|order| order.charged)
    }

    /// When the next open order settles.
    pub fn next_due(&self) -> Option<Micros> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The orders that ended since this was last asked.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Writes a line that changes no order.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn note(&mut self, provider: Provider, mut line: Line) -> io::Result<()> {
        provider.name().clone_into(&mut line.provider);
        provider.currency().0.clone_into(&mut line.currency);
        line.balance = money::shown(self.balance(provider), provider.currency().1);
        self.log.write(&line)
    }

    /// Writes that a well-formed submit was refused.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn refuse(&mut self, wanted: &Wanted, code: &str, now: Micros) -> io::Result<()> {
        let line = Line { reference: String::new(), ..line_of(wanted, "refuse", code, now) };
        self.note(wanted.provider, line)
    }

    /// Charges an order, to settle in a while (at once for zero).
    ///
    /// # Errors
    /// The log cannot be written; then nothing was charged, or the order is open.
    pub fn charge(&mut self, wanted: &Wanted, code: &str, now: Micros, fate: Fate) -> io::Result<()> {
        let settles_well = fate.well;
        let settles_at = clock::later(now, fate.settle);
        let reverses_at = fate.reverse.map(|wait| clock::later(settles_at, wait));
        let rest = self.balance(wanted.provider).saturating_sub(wanted.amount);
        let line = Line {
            settles_at: Some(clock::written(settles_at)),
            settles_as: Some(if settles_well { "complete" } else { "fail" }.to_owned()),
            reverses_at: reverses_at.map(clock::written),
            balance: money::shown(rest, wanted.provider.currency().1),
            ..line_of(wanted, "charge", code, now)
        };
        self.log.write(&line)?;
        let order = Order {
            wanted: wanted.clone(),
            state: State::Open,
            charged: true,
            at: now,
            settles_at,
            settles_well,
            reverses_at,
            code: code.to_owned(),
        };
        self.enter(order);
        self.settle_due(now)
    }

    /// Takes an order that fails at once, uncharged.
    ///
    /// # Errors
    /// The log cannot be written; then the order was not taken.
    pub fn fail_at_once(&mut self, wanted: &Wanted, code: &str, now: Micros) -> io::Result<()> {
        self.note(wanted.provider, line_of(wanted, "fail", code, now))?;
        self.enter(Order {
            wanted: wanted.clone(),
            state: State::Failed,
            charged: false,
            at: now,
            settles_at: now,
            settles_well: false,
            reverses_at: None,
            code: code.to_owned(),
        });
        self.tell(wanted, false, now);
        Ok(())
    }

    /// Settles every open order whose time has come.
    ///
    /// # Errors
    /// The log cannot be written; what is not written is not settled.
    pub fn settle_due(&mut self, now: Micros) -> io::Result<()> {
        while let Some((at, place)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            let Some(order) = self.orders.get(place) else {
                self.due.remove(&(at, place));
                continue;
            };
            let provider = order.wanted.provider;
            let reversal = order.state == State::Completed;
            let well = order.settles_well && !reversal;
            let refund = if well { 0 } else { order.wanted.amount };
            let rest = self.balance(provider).saturating_add(refund);
            let event = match (reversal, well) {
                (true, _) => "reverse",
                (false, true) => "complete",
                (false, false) => "fail",
            };
            let mut line = line_of(&order.wanted, event, &order.code, now);
            line.balance = money::shown(rest, provider.currency().1);
            self.log.write(&line)?;
            if reversal {
                self.give_back(place);
            } else {
                self.end(place, well, now);
            }
        }
        Ok(())
    }

    fn enter(&mut self, order: Order) {
        let place = self.orders.len();
        let provider = order.wanted.provider;
        self.by_id.insert((provider, order.wanted.id.clone()), place);
        self.by_reference.insert((provider, order.wanted.reference.clone()), place);
        if order.charged {
            let rest = self.balance(provider).saturating_sub(order.wanted.amount);
            self.balances.insert(provider, rest);
            self.due.insert((order.settles_at, place));
            let open = self.open.entry((provider, order.wanted.phone.clone())).or_default();
            *open = open.saturating_add(1);
        }
        self.orders.push(order);
    }

    fn end(&mut self, place: usize, well: bool, now: Micros) {
        let Some(order) = self.orders.get_mut(place).filter(|order| order.state == State::Open) else {
            return;
        };
        order.state = if well { State::Completed } else { State::Failed };
        self.due.remove(&(order.settles_at, place));
        if let Some(at) = order.reverses_at.filter(|_| well) {
            self.due.insert((at, place));
        }
        let wanted = order.wanted.clone();
        if !well {
            let rest = self.balance(wanted.provider).saturating_add(wanted.amount);
            self.balances.insert(wanted.provider, rest);
        }
        let phone = (wanted.provider, wanted.phone.clone());
        let open = self.open.get(&phone).copied().unwrap_or(0).saturating_sub(1);
        if open == 0 {
            self.open.remove(&phone);
        } else {
            self.open.insert(phone, open);
        }
        self.tell(&wanted, well, now);
    }

    /// A completed order is given back. Nobody calls back about it.
    fn give_back(&mut self, place: usize) {
        let Some(order) = self.orders.get_mut(place).filter(|order| order.state == State::Completed) else {
            return;
        };
        order.state = State::Failed;
        if let Some(at) = order.reverses_at {
            self.due.remove(&(at, place));
        }
        let (provider, amount) = (order.wanted.provider, order.wanted.amount);
        let rest = self.balance(provider).saturating_add(amount);
        self.balances.insert(provider, rest);
    }

    fn tell(&mut self, wanted: &Wanted, completed: bool, at: Micros) {
        self.ended.push(Ended {
            provider: wanted.provider,
            id: wanted.id.clone(),
            reference: wanted.reference.clone(),
            completed,
            at,
        });
    }
}

fn line_of(wanted: &Wanted, event: &str, code: &str, now: Micros) -> Line {
    let (currency, scale) = wanted.provider.currency();
    Line {
        at: clock::written(now),
        provider: wanted.provider.name().to_owned(),
        event: event.to_owned(),
        call: wanted.call.name().to_owned(),
        id: wanted.id.clone(),
        reference: wanted.reference.clone(),
        phone: wanted.phone.clone(),
        amount: money::shown(wanted.amount, scale),
        currency: currency.to_owned(),
        product: wanted.product.clone(),
        operator: wanted.operator.clone(),
        code: code.to_owned(),
        ..Line::default()
    }
}
