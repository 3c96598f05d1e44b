//! What has to hold at every instant: whenever a request leaves, an order is taken, or something is said of a
//! row.

use std::collections::HashMap;

use bulk_topup::domain::{Goods, ProviderKind, RowNumber};
use bulk_topup::engine::{LaneConfig, Mode, Rate};
use bulk_topup::lifecycle::{Entry, Phase};

use crate::model::price_of;
use crate::plan::SECOND;
use crate::process::LaneLife;
use crate::wire::{Asked, Standing, Submitted};
use crate::world::{Broken, Happening, World};

macro_rules! promise {
    ($holds:expr, $($words:tt)+) => { if !$holds { return Err(format!($($words)+)); } };
}

pub(crate) use promise;

impl World {
    /// What has to hold whenever a request leaves.
    pub fn check_call(
        &mut self,
        life: &mut LaneLife,
        lane: usize,
        asked: &Asked,
        mode: Mode,
    ) -> Result<RowNumber, Broken> {
        self.learn_intents();
        let config = self.plan.lanes[lane].config.clone();
        let width = config.max_in_flight as usize;
        let Asked::Submit(submitted) = asked else {
            life.looks_out += 1;
            promise!(life.looks_out <= width, "{} look-ups at once", life.looks_out);
            life.queries.push(self.t);
            check_window(&life.queries, config.query_rate, "look-ups")?;
            return Ok(RowNumber(0));
        };
        self.submits += 1;
        promise!(mode == Mode::Send, "a submit in a run that only looks");
        let Some(row) = self.ids.get(&submitted.id).copied() else {
            return Err(format!("write-ahead: id {} was sent, no committed intent names it", submitted.id));
        };
        let sent = self.submits_of.entry(submitted.id.clone()).or_default();
        *sent += 1;
        let intents = self.intents_of.get(&submitted.id).copied().unwrap_or(0);
        promise!(*sent <= intents, "id {} was sent {sent} times with {intents} intents", submitted.id);
        life.submits_out += 1;
        promise!(life.submits_out <= width, "{} submits at once", life.submits_out);
        promise!(life.answered || life.submits_out <= 1, "the first submit did not go alone");
        promise!(!life.halted, "a submit after the halt of its provider");
        let operator = submitted.operator.as_ref();
        promise!(
            operator.is_none_or(|operator| !life.operators_halted.contains(operator)),
            "a submit after the halt of its operator"
        );
        self.left[lane].push((self.t, row.0));
        let times: Vec<u64> = self.left[lane].iter().map(|(at, _)| *at).collect();
        check_window(&times, config.submit_rate, "submits")?;
        self.check_order(row, submitted)?;
        self.check_number(row, &config)?;
        self.last_call.insert(row, (self.t, self.life));
        Ok(row)
    }

    /// What is said of a row is true when it is said.
    pub fn check_truth(&self, entry: &Entry) -> Result<(), Broken> {
        let (row, phase) = (entry.row, entry.state.phase);
        let mine = |id: &str| self.row_of(id) == Some(row);
        let orders = || self.models.iter().flat_map(|model| &model.orders).filter(|o| mine(&o.submitted.id));
        match phase {
            Phase::Ready | Phase::Failed | Phase::Refused | Phase::Invalid => {
                let alive = orders().find(|order| order.is_live(self.t) && !order.is_a_lie());
                promise!(alive.is_none(), "row {row} becomes {phase:?}, but {alive:?} is alive");
                let coming = self.queue.values().any(|happening| match happening {
                    Happening::Arrive { asked: Asked::Submit(submitted), .. } => mine(&submitted.id),
                    _ => false,
                });
                promise!(!coming, "row {row} becomes {phase:?} while a submit of it is on its way");
            }
            Phase::Succeeded => {
                let done = orders().any(|order| order.standing(self.t) == Standing::Done);
                promise!(done, "row {row} becomes {phase:?}, but nothing was completed");
            }
            Phase::Sending | Phase::Pending | Phase::Unknown | Phase::Asking | Phase::Cancelled => {}
        }
        Ok(())
    }

    /// The request says what its row says.
    fn check_order(&self, row: RowNumber, submitted: &Submitted) -> Result<(), Broken> {
        let (Some(order), Some(topup)) = (self.ledger.order(row), self.ledger.latest(row)) else {
            return Err(format!("row {row} is unknown"));
        };
        promise!(topup.phase == Phase::Sending, "row {row} was sent while {:?}", topup.phase);
        promise!(order.phone.national() == submitted.phone, "row {row} went to another number");
        let asked = match order.account.kind {
            ProviderKind::Tutom => {
                let product = submitted.product.clone().unwrap_or_default();
                let price = price_of(&product);
                promise!(order.amount.is_none_or(|most| price <= most), "row {row} costs more than it may");
                promise!(
                    topup.price.map(|price| price.amount) == Some(price),
                    "row {row} records another price"
                );
                match &order.goods {
                    Goods::DataProduct(id) => *id == product,
                    _ => product == "23",
                }
            }
            _ => order.amount == submitted.amount && topup.price.map(|price| price.amount) == order.amount,
        };
        promise!(asked, "row {row} asked for something else: {submitted:?}");
        promise!(
            topup.operator == submitted.operator || submitted.operator.is_none(),
            "row {row} named another operator"
        );
        Ok(())
    }

    /// Never two open orders for one number, and never too soon after another.
    fn check_number(&self, row: RowNumber, config: &LaneConfig) -> Result<(), Broken> {
        let Some(order) = self.ledger.order(row) else { return Ok(()) };
        let busy = self.plan.lanes.iter().any(|lane| {
            lane.config.name == order.provider
                && lane.busy_elsewhere.iter().any(|b| b == order.phone.digits())
        });
        promise!(!busy, "row {row} was sent though another batch has an order open for its number");
        for (other, _) in self.ledger.rows() {
            if other.row == row || other.phone != order.phone || other.provider != order.provider {
                continue;
            }
            let phase = self.ledger.latest(other.row).map_or(Phase::Ready, |topup| topup.phase);
            promise!(!phase.is_open(), "rows {row} and {} are open for one number", other.row);
            let Some((at, life)) = self.last_call.get(&other.row).copied() else { continue };
            let spacing = config.phone_spacing.as_micros() as u64;
            let known = if life == self.life { spacing } else { spacing.saturating_sub(5 * SECOND) };
            promise!(
                matches!(phase, Phase::Ready | Phase::Cancelled) || self.t >= at + known,
                "rows {row} and {} went to one number {} s apart",
                other.row,
                (self.t - at) / SECOND
            );
        }
        Ok(())
    }

    /// What has to hold whenever a provider takes an order.
    pub fn check_placed(&self, lane: usize, place: usize) -> Result<(), Broken> {
        let model = &self.models[lane];
        let placed = &model.orders[place];
        let Some(row) = self.row_of(&placed.submitted.id) else {
            return Err(format!(
                "write-ahead: the provider took {}, which no ledger names",
                placed.submitted.id
            ));
        };
        for (index, other) in model.orders.iter().enumerate() {
            if index == place || other.is_a_lie() || !other.is_live(self.t) {
                continue;
            }
            promise!(
                self.row_of(&other.submitted.id) != Some(row),
                "row {row} was charged twice: {} and {}",
                other.submitted.id,
                placed.submitted.id
            );
            let at_work = other.standing(self.t) == Standing::Working && placed.is_live(self.t);
            promise!(
                !at_work || other.submitted.phone != placed.submitted.phone,
                "the provider works on two orders for one number"
            );
        }
        Ok(())
    }

    /// Whether it is the first time in a run that one of the rows concerned asks this.
    pub fn is_first(&self, asked: &Asked, before: &mut HashMap<String, usize>) -> bool {
        let rows = match asked {
            Asked::LookById(id) => {
                let row = self.ids.get(id);
                let phase = row.and_then(|row| self.ledger.latest(*row)).map(|topup| topup.phase);
                usize::from(matches!(phase, Some(Phase::Ready | Phase::Failed)))
            }
            Asked::ProductsOf(phone) | Asked::OperatorOf(phone) => {
                self.ledger.rows().filter(|(order, _)| order.phone.national() == phone).count()
            }
            Asked::LookByRef(_) | Asked::Catalogue | Asked::Balance => 1,
            Asked::Submit(_) => 0,
        };
        let times = before.entry(asked.key()).or_default();
        *times += 1;
        *times <= rows
    }
}

/// No window of the stated length holds more than the stated number.
fn check_window(times: &[u64], rate: Rate, what: &str) -> Result<(), Broken> {
    let (count, window) = (rate.count as usize, rate.window.as_micros() as u64);
    if let (Some(last), Some(first)) = (times.last(), times.len().checked_sub(count + 1).map(|i| times[i])) {
        promise!(last - first >= window, "{} {what} within {} ms", count + 1, (last - first) / 1000);
    }
    Ok(())
}
