//! A provider that keeps its own charges. What befalls an order is drawn by its id and by how often it was
//! asked about, never by what the engine thinks.

use std::collections::{HashMap, HashSet};

use bulk_topup::domain::ProviderKind;
use rust_decimal::Decimal;

use crate::dice::Dice;
use crate::plan::{Chaos, LanePlan, MINUTE, SECOND};
use crate::wire::{self, Asked, Standing, Submitted};

/// What becomes of an order that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Completed from then on.
    Done(u64),
    /// Failed from then on.
    Fails(u64),
    /// Reported failed until then, then completed: the provider erred.
    Reversed(u64),
    /// Never ends.
    Never,
}

/// An order the provider took.
#[derive(Clone, Debug)]
pub struct Placed {
    pub submitted: Submitted,
    pub reference: String,
    pub at: u64,
    /// Look-ups say "no such order" before.
    pub visible_at: u64,
    pub fate: Fate,
    /// Answers name another amount than was asked for.
    pub other_amount: bool,
    /// The answer to its submit reported it failed, which it was not.
    pub called_failed: bool,
    /// Look-ups did not show it for longer than any bound allows.
    pub buried: bool,
    /// We were told that it is being worked on.
    pub told: bool,
    pub cost: Decimal,
}

impl Placed {
    pub fn standing(&self, t: u64) -> Standing {
        match self.fate {
            Fate::Done(at) if t >= at => Standing::Done,
            Fate::Fails(at) if t >= at => Standing::Failed,
            Fate::Reversed(at) if t >= at => Standing::Done,
            Fate::Reversed(_) => Standing::Failed,
            Fate::Done(_) | Fate::Fails(_) | Fate::Never => Standing::Working,
        }
    }

    /// Money has moved or still may.
    pub fn is_live(&self, t: u64) -> bool {
        match self.fate {
            Fate::Done(_) | Fate::Reversed(_) | Fate::Never => true,
            Fate::Fails(at) => t < at,
        }
    }

    pub fn is_a_lie(&self) -> bool {
        self.called_failed || self.buried || matches!(self.fate, Fate::Reversed(_))
    }
}

pub fn price_of(product: &str) -> Decimal {
    if product == "23" { Decimal::new(460_000, 4) } else { Decimal::new(1050, 2) }
}

/// How a reply reads, once the provider has acted.
#[derive(Debug)]
pub struct Reply {
    pub body: String,
    /// Place of the order that this very submit created.
    pub placed: Option<usize>,
}

#[derive(Debug)]
pub struct Model {
    pub plan: LanePlan,
    seed: u64,
    pub orders: Vec<Placed>,
    by_id: HashMap<String, Vec<usize>>,
    burned: HashSet<String>,
    /// Every id a submit named.
    pub seen: HashSet<String>,
    times: HashMap<String, u64>,
}

impl Model {
    pub fn new(plan: LanePlan, seed: u64) -> Self {
        Self {
            plan,
            seed,
            orders: Vec::new(),
            by_id: HashMap::new(),
            burned: HashSet::new(),
            seen: HashSet::new(),
            times: HashMap::new(),
        }
    }

    pub fn orders_of(&self, id: &str) -> impl Iterator<Item = &Placed> {
        self.by_id.get(id).into_iter().flatten().map(|place| &self.orders[*place])
    }

    /// Our ledger knows that the order was taken.
    pub fn tell(&mut self, id: &str) {
        for place in self.by_id.get(id).into_iter().flatten() {
            self.orders[*place].told = true;
        }
    }

    fn dice(&mut self, asked: &Asked) -> (Dice, u64) {
        let key = asked.key();
        let nth = self.times.entry(key.clone()).or_default();
        *nth += 1;
        (Dice::keyed(self.seed, "provider", &key, *nth), *nth)
    }

    /// Acts on a request that arrived at `t`; nothing of it may stay hidden after `hidden_until_max`.
    pub fn act(&mut self, asked: &Asked, t: u64, hidden_until_max: u64, chaos: &Chaos) -> Reply {
        let (mut dice, _) = self.dice(asked);
        let kind = self.plan.kind;
        let body = match asked {
            Asked::Submit(submitted) => {
                return self.submitted(submitted, t, hidden_until_max, chaos, &mut dice);
            }
            Asked::LookById(id) => {
                if kind == ProviderKind::ConnectTopup && !self.plan.recheck_by_own_id {
                    panic!("asked by our own id though the settings forbid it");
                }
                let found = self.by_id.get(id).and_then(|places| places.first()).copied();
                self.looked(found, t, chaos, &mut dice)
            }
            Asked::LookByRef(reference) => {
                let found = self.orders.iter().position(|placed| placed.reference == *reference);
                self.looked(found, t, chaos, &mut dice)
            }
            Asked::Catalogue | Asked::Balance | Asked::ProductsOf(_) | Asked::OperatorOf(_) => {
                self.told(asked, t, chaos, &mut dice)
            }
        };
        Reply { body, placed: None }
    }

    fn secret(&self) -> Option<&str> {
        self.plan.merchant_secret.as_deref()
    }

    fn code(&self, dice: &mut Dice, codes: &[&str]) -> String {
        let code = dice.pick(codes);
        let words = if code == "4027" { "Please activate the product function" } else { "words" };
        wire::code(self.plan.kind, self.secret(), code, words)
    }

    fn place(&mut self, submitted: &Submitted, t: u64, visible_at: u64, fate: Fate, other: bool) -> usize {
        let place = self.orders.len();
        let cost = match self.plan.kind {
            ProviderKind::Tutom => price_of(submitted.product.as_deref().unwrap_or_default()),
            ProviderKind::ConnectTopup | ProviderKind::Paynicorn => submitted.amount.unwrap_or_default(),
        };
        self.orders.push(Placed {
            submitted: submitted.clone(),
            // Above 2^53: no float may touch it.
            reference: format!("{}", 90_071_992_547_409_930_u64 + place as u64),
            at: t,
            visible_at,
            fate,
            other_amount: other,
            called_failed: false,
            buried: false,
            told: false,
            cost,
        });
        self.by_id.entry(submitted.id.clone()).or_default().push(place);
        place
    }

    /// An honest answer about an order.
    fn say(&self, place: usize, t: u64) -> String {
        let order = &self.orders[place];
        let first = t == order.at;
        let amount = if order.other_amount && (!first || order.at.is_multiple_of(3)) {
            Some(Decimal::from(7))
        } else if order.at.is_multiple_of(2) {
            order.submitted.amount
        } else {
            None
        };
        let new = t == order.at;
        wire::order(
            self.plan.kind,
            self.secret(),
            &order.submitted,
            &order.reference,
            order.standing(t),
            amount,
            new,
        )
    }

    fn submitted(
        &mut self,
        submitted: &Submitted,
        t: u64,
        hidden_until_max: u64,
        chaos: &Chaos,
        dice: &mut Dice,
    ) -> Reply {
        let kind = self.plan.kind;
        self.seen.insert(submitted.id.clone());
        let taken = self.by_id.contains_key(&submitted.id);
        let burned = self.plan.habits.burns_ids && self.burned.contains(&submitted.id);
        self.burned.insert(submitted.id.clone());
        let refused = |body| Reply { body, placed: None };
        if self.plan.habits.refuses_duplicates && (taken || burned) {
            let codes: &[&str] = match kind {
                ProviderKind::Tutom => &["21107"],
                ProviderKind::ConnectTopup => &["-308"],
                ProviderKind::Paynicorn => &["4009"],
            };
            return refused(self.code(dice, codes));
        }
        if dice.chance(chaos.lies) && kind != ProviderKind::ConnectTopup {
            let place = self.place(
                submitted,
                t,
                t,
                Fate::Reversed(t + dice.span(SECOND, MINUTE + 30 * SECOND)),
                false,
            );
            let body = if dice.chance(500) { self.refusal(dice) } else { self.say(place, t) };
            return Reply { body, placed: Some(place) };
        }
        if dice.chance(chaos.fails) {
            if kind == ProviderKind::Tutom && dice.chance(500) {
                return refused(self.code(dice, &["21140"]));
            }
            let place = self.place(submitted, t, t, Fate::Fails(t), false);
            let bare = kind == ProviderKind::ConnectTopup && dice.chance(300);
            let body = if bare { "61".to_owned() } else { self.say(place, t) };
            return Reply { body, placed: Some(place) };
        }
        if dice.chance(chaos.refuses) {
            return refused(self.refusal(dice));
        }
        if dice.chance(chaos.halts) {
            return refused(self.halt(dice));
        }
        if dice.chance(chaos.throttles) && kind == ProviderKind::Paynicorn {
            return refused(self.code(dice, &["4014", "4033", "4015"]));
        }
        if dice.chance(chaos.unclear) {
            return refused(self.unclear(dice));
        }
        self.take(submitted, t, hidden_until_max, chaos, dice)
    }

    fn take(
        &mut self,
        submitted: &Submitted,
        t: u64,
        hidden_until_max: u64,
        chaos: &Chaos,
        dice: &mut Dice,
    ) -> Reply {
        let kind = self.plan.kind;
        let habits = self.plan.habits.clone();
        let visible_at = if dice.chance(chaos.hides) { dice.span(t, hidden_until_max.max(t)) } else { t };
        let fate = if !dice.chance(chaos.pends) {
            Fate::Done(t)
        } else if dice.chance(habits.never) {
            Fate::Never
        } else {
            let end = t + dice.span(SECOND, habits.pends_us_max);
            if dice.chance(250) { Fate::Fails(end) } else { Fate::Done(end) }
        };
        let other = kind == ProviderKind::Paynicorn && dice.chance(chaos.other_values);
        let place = self.place(submitted, t, visible_at, fate, other);
        if habits.refuses_duplicates && dice.chance(chaos.buries) {
            self.orders[place].buried = true;
            self.orders[place].visible_at = t + dice.span(20 * MINUTE, 90 * MINUTE);
        }
        let reference = self.orders[place].reference.clone();
        let body = if !dice.chance(chaos.taken_but_unclear) {
            self.say(place, t)
        } else {
            match kind {
                ProviderKind::Tutom => {
                    let code = dice.pick(&["21140", "21107", "21108", "99999", "0"]);
                    if code == "21140" {
                        self.orders[place].called_failed = true;
                        self.orders[place].visible_at = t;
                    }
                    wire::code(kind, self.secret(), code, "words")
                }
                ProviderKind::ConnectTopup => {
                    let code = dice.pick(&["0", "-1", "-99", "-5", "99", "-3", "5"]);
                    // Without an order's id -3 and 5 would be a refusal, which it is not.
                    let named = dice.chance(600) || ["-3", "5"].contains(&code);
                    if named { format!("{code};{reference}") } else { code.to_owned() }
                }
                ProviderKind::Paynicorn => self.code(dice, &["4025", "4026", "4029", "1200", "205999"]),
            }
        };
        Reply { body, placed: Some(place) }
    }

    fn refusal(&self, dice: &mut Dice) -> String {
        self.code(
            dice,
            match self.plan.kind {
                ProviderKind::Tutom => &["21104", "21120", "21121"],
                ProviderKind::ConnectTopup => &["5", "6"],
                ProviderKind::Paynicorn => &["4004", "4006", "4011", "4030", "4032"],
            },
        )
    }

    fn halt(&self, dice: &mut Dice) -> String {
        self.code(
            dice,
            match self.plan.kind {
                ProviderKind::Tutom => &["21102", "21105", "11003", "11005", "11007"],
                ProviderKind::ConnectTopup => &["-2", "-3", "-4", "-302", "-304"],
                ProviderKind::Paynicorn => &["4013", "4028", "4016", "4027", "4021", "204005", "204006"],
            },
        )
    }

    /// Nothing was taken, but the answer does not say so.
    fn unclear(&self, dice: &mut Dice) -> String {
        self.code(
            dice,
            match self.plan.kind {
                ProviderKind::Tutom => &["21103", "21106", "21107", "21108", "77"],
                ProviderKind::ConnectTopup => &["0", "-1", "-99", "-5", "99", "busy"],
                ProviderKind::Paynicorn => &["4025", "4026", "4029", "9999", "205999"],
            },
        )
    }

    /// An order that we were told about is not shown any more.
    pub fn is_forgotten(&self, order: &Placed, t: u64) -> bool {
        order.told && self.plan.habits.forgets && t > order.at + 20 * MINUTE
    }

    fn looked(&self, found: Option<usize>, t: u64, chaos: &Chaos, dice: &mut Dice) -> String {
        let kind = self.plan.kind;
        if dice.chance(chaos.look_halts) {
            return self.halt(dice);
        }
        if dice.chance(chaos.blind_looks) {
            let codes: &[&str] = match kind {
                ProviderKind::Tutom => &["21107", "21108", "21103", "88", "0"],
                ProviderKind::ConnectTopup => &["0", "-1", "-302", "99", "oops"],
                ProviderKind::Paynicorn => &["4008", "4029", "1200", "205999"],
            };
            return self.code(dice, codes);
        }
        let shown = |place: &usize| {
            let order = &self.orders[*place];
            order.visible_at <= t && !self.is_forgotten(order, t)
        };
        match found.filter(shown) {
            Some(place) => self.say(place, t),
            None => {
                let codes: &[&str] = match kind {
                    ProviderKind::Tutom => &["21106"],
                    ProviderKind::ConnectTopup => &["-302", "0"],
                    ProviderKind::Paynicorn => &["4007"],
                };
                self.code(dice, codes)
            }
        }
    }

    fn told(&self, asked: &Asked, t: u64, chaos: &Chaos, dice: &mut Dice) -> String {
        let kind = self.plan.kind;
        if dice.chance(chaos.halts / 5) {
            return match kind {
                ProviderKind::ConnectTopup => self.code(dice, &["-6", "-302"]),
                ProviderKind::Tutom | ProviderKind::Paynicorn => self.halt(dice),
            };
        }
        let preflight = matches!(asked, Asked::Balance | Asked::Catalogue);
        if dice.chance(if preflight { chaos.bad_questions / 4 } else { chaos.bad_questions }) {
            return match kind {
                ProviderKind::Tutom => self.code(dice, &["21107", "21103", "12"]),
                ProviderKind::ConnectTopup => self.code(dice, &["-99", "soon", "-4"]),
                ProviderKind::Paynicorn => self.code(dice, &["4029", "4010", "1200", "205999"]),
            };
        }
        let odd = |phone: &str| phone.bytes().last().is_some_and(|digit| digit == b'7');
        match asked {
            Asked::Balance => "12345000".to_owned(),
            Asked::Catalogue if kind == ProviderKind::Tutom => wire::products(&["23", "24"], "China Unicom"),
            Asked::Catalogue => wire::goods(self.secret()),
            Asked::ProductsOf(phone) => {
                let pending = self
                    .orders
                    .iter()
                    .any(|order| order.submitted.phone == *phone && order.standing(t) == Standing::Working);
                if pending && dice.chance(500) {
                    return self.code(dice, &["21103"]);
                }
                wire::products(if odd(phone) { &["24"] } else { &["23", "24"] }, "China Unicom")
            }
            Asked::OperatorOf(phone) => {
                let names = ["NG_MTN", "NG_AIRTEL", "NG_GLOMOBILE", "NG_MTN"];
                let last = phone.bytes().last().map_or(0, |digit| usize::from(digit - b'0'));
                let name = if odd(phone) { "NG_9MOBILE" } else { names[last % 4] };
                wire::operator(self.secret(), name)
            }
            Asked::Submit(_) | Asked::LookById(_) | Asked::LookByRef(_) => panic!("no question"),
        }
    }
}
