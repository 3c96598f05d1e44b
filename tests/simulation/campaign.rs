//! One seed from file to rest: runs, crashes, a person's commands, then quiet; and what must be true then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bulk_topup::domain::{ProviderKind, Reason, RowNumber, Status};
use bulk_topup::engine::{Clearances, Mode, Rules};
use bulk_topup::ledger::memory::Step;
use bulk_topup::lifecycle::{Event, Phase, ResolvedAs};
use rust_decimal::Decimal;

use crate::dice::Dice;
use crate::model::Placed;
use crate::plan::{MINUTE, Plan, SECOND, order};
use crate::process::{Ended, Run};
use crate::wire::Standing;
use crate::world::{Broken, World};

/// What a seed that kept every promise went through.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub steps: Vec<Step>,
    pub work: u64,
    pub succeeded: usize,
    pub runs: u64,
    pub crashes: u64,
}

/// Plays a whole plan; the error says which promise was broken.
pub fn play(plan: Plan, rules: Rules, trace: bool) -> Result<Told, Broken> {
    let mut dice = Dice::keyed(plan.seed, "campaign", "", 0);
    let rounds = plan.rounds;
    let mut world = World::new(plan, rules, trace);
    for _ in 0..rounds {
        round(&mut world, &mut dice)?;
    }
    quiet(&mut world)?;
    judge(&world)?;
    // Once more, by a person who sends all that is left.
    if dice.chance(500) {
        ask_and_resolve(&mut world, &mut dice, 800)?;
        retry(&mut world, &mut dice, true)?;
        quiet(&mut world)?;
        judge(&world)?;
    }
    free_of_charge(&mut world)?;
    let outcomes = world.statuses();
    let succeeded = outcomes.values().filter(|status| **status == Status::Succeeded).count();
    Ok(Told {
        steps: world.ledger.steps().to_vec(),
        work: world.steps,
        succeeded,
        runs: world.runs,
        crashes: world.crashes,
    })
}

/// One run without a person or a crash, then quiet: only what the providers do decides.
pub fn settle_once(plan: Plan, flood: bool, trace: bool) -> Result<BTreeMap<RowNumber, Status>, Broken> {
    let mut world = World::new(plan, Rules::Sound, trace);
    world.flood = flood;
    world.run(Run::send(Duration::from_secs(2 * 3600)))?;
    quiet(&mut world)?;
    judge(&world)?;
    Ok(world.statuses())
}

/// One run while things go wrong, and what happens between it and the next.
fn round(world: &mut World, dice: &mut Dice) -> Result<(), Broken> {
    if dice.chance(150) {
        let clearances = look(world)?;
        send(world, dice, clearances)?;
    } else if dice.chance(100) {
        follow(world, dice.pick(&[0, 30, 600]))?;
    } else if dice.chance(200) {
        retry(world, dice, false)?;
    } else {
        send(world, dice, Clearances::new())?;
    }
    world.rest(dice.pick(&[0, SECOND, 2 * MINUTE, 20 * MINUTE]))?;
    if dice.chance(200) {
        ask_and_resolve(world, dice, 500)?;
    }
    if dice.chance(30) {
        cancel(world, dice)?;
    }
    if dice.chance(60) {
        reconcile(world)?;
    }
    Ok(())
}

fn send(world: &mut World, dice: &mut Dice, clearances: Clearances) -> Result<(), Broken> {
    let settle_for = Duration::from_secs(dice.pick(&[0, 30, 600, 600, 3600, 3600]));
    let mut run = Run { clearances, ..Run::send(settle_for) };
    crash_or_drain(world, dice, &mut run);
    finish(world, dice, run).map(drop)
}

fn crash_or_drain(world: &World, dice: &mut Dice, run: &mut Run) {
    if dice.chance(world.chaos.crashes) {
        run.crash_after = Some(dice.pick(&[8, 25, 50, 100, 300])).map(|most| dice.span(0, most));
    }
    if dice.chance(world.chaos.freezes) {
        let span = dice.pick(&[3 * SECOND, MINUTE, 20 * MINUTE, 2 * 3600 * SECOND]);
        let at_a_submit = dice.chance(500);
        run.freeze_after = Some((if at_a_submit { 0 } else { dice.span(1, 50) }, span));
    }
    if dice.chance(world.chaos.drains) {
        run.drain_after = Some(dice.pick(&[10, 40, 100])).map(|most| dice.span(0, most));
    }
}

fn finish(world: &mut World, dice: &mut Dice, run: Run) -> Result<Clearances, Broken> {
    match world.run(run)? {
        Ended::Over(clearances) => Ok(clearances),
        Ended::Crashed => {
            world.rest(dice.pick(&[SECOND / 10, 10 * SECOND, 5 * MINUTE]))?;
            if dice.chance(200) {
                world.reboot();
            }
            Ok(Clearances::new())
        }
    }
}

fn look(world: &mut World) -> Result<Clearances, Broken> {
    let run = Run { mode: Mode::Look, ..Run::send(Duration::from_secs(20)) };
    match world.run(run)? {
        Ended::Over(clearances) => Ok(clearances),
        Ended::Crashed => Ok(Clearances::new()),
    }
}

fn follow(world: &mut World, seconds: u64) -> Result<(), Broken> {
    let before = world.submits;
    let run = Run { mode: Mode::Follow, ..Run::send(Duration::from_secs(seconds)) };
    world.run(run)?;
    if world.submits != before { Err("a run that only follows submitted".to_owned()) } else { Ok(()) }
}

/// `retry`: rows proved unspent go again, corrected ones are judged anew.
fn retry(world: &mut World, dice: &mut Dice, calm: bool) -> Result<(), Broken> {
    // A provider that erred has come to its senses by then.
    world.rest(2 * MINUTE)?;
    let rows: Vec<(RowNumber, Phase, u32, bool)> = world
        .ledger
        .rows()
        .map(|(order, topup)| (order.row, topup.phase, topup.submits, topup.contradicted))
        .collect();
    for (row, phase, submits, contradicted) in rows {
        let fixable = match phase {
            Phase::Invalid | Phase::Refused => true,
            Phase::Ready => submits == 0 && dice.chance(200),
            Phase::Sending | Phase::Pending | Phase::Unknown | Phase::Asking => false,
            Phase::Succeeded | Phase::Failed | Phase::Cancelled => false,
        };
        if !fixable || contradicted || dice.chance(200) {
            continue;
        }
        if dice.chance(300) {
            let event = Event::Rejudged { reason: Reason::BadAmount, message: "still wrong".to_owned() };
            world.decide(row, event)?;
            continue;
        }
        let Some(old) = world.ledger.order(row).cloned() else { continue };
        let lane = world.plan.lanes.iter().find(|lane| lane.config.name == old.provider).cloned();
        let Some(lane) = lane else { continue };
        let corrected = bulk_topup::domain::Order { phone: old.phone, ..order(row, &lane, dice) };
        world.decide(row, Event::Readmitted { order: Box::new(corrected) })?;
    }
    let settle_for = Duration::from_secs(if calm { 3 * 3600 } else { dice.pick(&[0, 30, 600]) });
    let mut run = Run { retry: true, ..Run::send(settle_for) };
    if !calm {
        crash_or_drain(world, dice, &mut run);
    }
    finish(world, dice, run).map(drop)
}

/// A person asks the provider about rows that only a person can settle, and is told the truth.
fn ask_and_resolve(world: &mut World, dice: &mut Dice, permille: u64) -> Result<(), Broken> {
    let open: Vec<(RowNumber, Option<String>)> = world
        .ledger
        .rows()
        .filter(|(_, topup)| matches!(topup.phase, Phase::Sending | Phase::Unknown | Phase::Asking))
        .map(|(order, topup)| (order.row, topup.id.as_ref().map(|id| id.as_str().to_owned())))
        .collect();
    for (row, id) in open {
        let Some(id) = id else { continue };
        if !dice.chance(permille) || world.has_on_the_way(&BTreeSet::from([id.clone()])) {
            continue;
        }
        let standings: Vec<Standing> = world
            .models
            .iter()
            .flat_map(|model| model.orders_of(&id))
            .map(|order| if order.is_a_lie() { Standing::Working } else { order.standing(world.t) })
            .collect();
        let decision = if standings.contains(&Standing::Working) {
            continue;
        } else if standings.contains(&Standing::Done) {
            ResolvedAs::Succeeded
        } else {
            ResolvedAs::Failed
        };
        let (note, user) = ("asked".to_owned(), "ann".to_owned());
        world.decide(row, Event::Resolved { decision, note, user })?;
    }
    Ok(())
}

fn cancel(world: &mut World, dice: &mut Dice) -> Result<(), Broken> {
    let ready: Vec<RowNumber> = world
        .ledger
        .rows()
        .filter(|(_, topup)| topup.phase == Phase::Ready)
        .map(|(order, _)| order.row)
        .collect();
    for row in ready {
        if dice.chance(500) {
            let (note, user) = ("not now".to_owned(), "ann".to_owned());
            world.decide(row, Event::Cancelled { note, user })?;
        }
    }
    Ok(())
}

/// A statement that contradicts final rows: kept, changes no verdict.
fn reconcile(world: &mut World) -> Result<(), Broken> {
    let last = world
        .ledger
        .rows()
        .filter(|(_, topup)| matches!(topup.phase, Phase::Succeeded | Phase::Failed | Phase::Refused))
        .map(|(order, topup)| (order.row, topup.status()))
        .last();
    let Some((row, status)) = last else { return Ok(()) };
    world.decide(row, Event::Contradicted { message: "the statement says otherwise".to_owned() })?;
    let after = world.ledger.topup(row).map(|topup| topup.status());
    if after == Some(status) {
        Ok(())
    } else {
        Err(format!("row {row}: a contradiction changed its verdict"))
    }
}

/// Nothing goes wrong any more, for long enough.
fn quiet(world: &mut World) -> Result<(), Broken> {
    world.rest_until_quiet()?;
    world.calm_down();
    for _ in 0..2 {
        let run = Run::send(Duration::from_secs(3 * 3600));
        world.run(run)?;
    }
    world.rest(2 * 3600 * SECOND)?;
    follow(world, 3 * 3600)?;
    world.rest_until_quiet()
}

/// What must be true when all is quiet.
fn judge(world: &World) -> Result<(), Broken> {
    let mut told: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut charged: BTreeMap<String, Decimal> = BTreeMap::new();
    for (order, topup) in world.ledger.rows() {
        let row = order.row;
        let place = world.plan.lanes.iter().position(|lane| lane.config.name == order.provider);
        let place = place.ok_or_else(|| format!("row {row} has no provider"))?;
        let (lane, model) = (&world.plan.lanes[place], &world.models[place]);
        let mine = || model.orders.iter().filter(|o| world.row_of(&o.submitted.id) == Some(row));
        let live: Vec<_> = mine().filter(|o| o.is_live(world.t) && !o.is_a_lie()).collect();
        let lied = mine().any(|o| o.is_a_lie());
        if live.len() > 1 {
            return Err(format!("row {row} was charged {} times", live.len()));
        }
        let done = mine().find(|o| o.standing(world.t) == Standing::Done);
        let says = format!("row {row} is {:?} ({:?}: {})", topup.phase, topup.reason, topup.message);
        if let Some(done) = done.filter(|done| !done.is_a_lie()) {
            *charged.entry(lane.config.name.clone()).or_default() += done.cost;
        }
        match topup.status() {
            Status::Succeeded => {
                let Some(done) = done else { return Err(format!("{says}, but nothing was completed")) };
                if done.submitted.phone != order.phone.national() {
                    return Err(format!("{says}, for another number"));
                }
                if topup.price.map(|price| price.amount) != Some(done.cost) {
                    return Err(format!("{says}, at another price than {}", done.cost));
                }
                if !done.is_a_lie() {
                    *told.entry(lane.config.name.clone()).or_default() += done.cost;
                }
            }
            Status::Failed | Status::Invalid | Status::NotSent => {
                if let Some(order) = live.first() {
                    return Err(format!("{says}, but {order:?} is alive"));
                }
                if topup.status() == Status::Invalid && mine().next().is_some() {
                    return Err(format!("{says}, but it was submitted"));
                }
            }
            Status::Pending | Status::Unknown => {
                if topup.phase == Phase::Sending {
                    return Err(format!("{says} when all is quiet"));
                }
                let askable = match lane.kind {
                    ProviderKind::Tutom | ProviderKind::Paynicorn => true,
                    ProviderKind::ConnectTopup => lane.recheck_by_own_id || topup.provider_ref.is_some(),
                };
                let shown = |done: &&Placed| askable && !model.is_forgotten(done, world.t);
                if let Some(done) = done.filter(|done| shown(done) && !done.other_amount && !lied) {
                    return Err(format!("{says}, but {done:?} is completed"));
                }
                if let Some(done) = done.filter(|done| !done.is_a_lie()) {
                    *charged.entry(lane.config.name.clone()).or_default() -= done.cost;
                }
            }
        }
    }
    told.retain(|_, sum| !sum.is_zero());
    charged.retain(|_, sum| !sum.is_zero());
    if told == charged { Ok(()) } else { Err(format!("sums differ: told {told:?}, charged {charged:?}")) }
}

/// A batch with nothing left to send costs nothing when it is run again.
fn free_of_charge(world: &mut World) -> Result<(), Broken> {
    if world.ledger.rows().any(|(_, topup)| topup.phase == Phase::Ready) {
        return Ok(());
    }
    let before = world.submits;
    world.run(Run::send(Duration::ZERO))?;
    if world.submits == before { Ok(()) } else { Err("a finished batch submitted again".to_owned()) }
}
