//! The figures of the page: money by state, the course over time, times to the final state, the reconciliation.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::charts::{self, Kind};
use super::chronicle::Chronicle;
use super::gather::Gatherer;
use super::spans::CLASSES;
use super::timeline::{Level, Limit};
use super::view::Facts;
use crate::domain::Currency;
use crate::report::text::{amount, clean, clock, count, moment, rows, share, took};
use crate::report::totals::Total;

/// Further runs whose beginning is told with a course.
const MARKS_TOLD: usize = 6;

/// A bar with what its parts say.
pub(super) struct MoneyBar {
    pub(super) title: String,
    pub(super) svg: String,
    /// Swatch, word, amount, share.
    pub(super) parts: Vec<[String; 4]>,
}

/// Bars under each other: word, picture, value.
pub(super) struct Figure {
    pub(super) note: String,
    pub(super) bars: Vec<(String, String, String)>,
}

/// The course over time.
pub(super) struct Course {
    pub(super) svg: String,
    pub(super) top: String,
    pub(super) axis: [String; 2],
    pub(super) note: String,
    pub(super) rates: Vec<Rate>,
}

/// One provider's rate.
pub(super) struct Rate {
    pub(super) provider: String,
    pub(super) words: String,
    pub(super) svg: String,
}

/// A line of the reconciliation: what, the sum, whether it holds.
pub(super) struct Line {
    pub(super) what: String,
    pub(super) sum: String,
    pub(super) difference: String,
    pub(super) holds: bool,
}

/// What went in against what came out.
pub(super) struct Reconciliation {
    pub(super) lines: Vec<Line>,
    pub(super) charged: Vec<Line>,
    pub(super) differences: Vec<[String; 3]>,
    pub(super) notes: Vec<String>,
}

/// Sums of all providers in one currency.
struct Sums {
    asked: Decimal,
    parts: [(Kind, &'static str, Decimal); 4],
}

fn by_currency(gathered: &Gatherer) -> BTreeMap<Option<Currency>, Sums> {
    let mut all: BTreeMap<Option<Currency>, Sums> = BTreeMap::new();
    for Total { currency, asked, succeeded, failed, open, not_sent, .. } in gathered.sums() {
        let sums = all.entry(currency).or_insert_with(|| Sums {
            asked: Decimal::ZERO,
            parts: [
                (Kind::Succeeded, "succeeded", Decimal::ZERO),
                (Kind::Failed, "failed", Decimal::ZERO),
                (Kind::Open, "open", Decimal::ZERO),
                (Kind::NotSent, "not sent", Decimal::ZERO),
            ],
        });
        // One provider's sums fit an exact decimal; where all of them do not, the page would say so by a difference.
        sums.asked = sums.asked.saturating_add(asked);
        for (slot, more) in sums.parts.iter_mut().zip([succeeded, failed, open, not_sent]) {
            slot.2 = slot.2.saturating_add(more);
        }
    }
    all
}

fn named(currency: Option<Currency>) -> String {
    currency.map_or_else(|| "price not known yet".to_owned(), |currency| currency.to_string())
}

/// What succeeded, by currency.
pub(super) fn succeeded(gathered: &Gatherer) -> Vec<String> {
    let sums = by_currency(gathered);
    let parts = sums.iter().filter_map(|(currency, sums)| {
        let [(_, _, succeeded), ..] = sums.parts;
        (!succeeded.is_zero()).then(|| format!("{} {}", amount(succeeded), named(*currency)))
    });
    parts.collect()
}

/// Parts per million, for pictures and shares; amounts are never drawn as more than they are.
fn ppm(part: Decimal, whole: Decimal) -> u64 {
    let share = part.checked_div(whole).and_then(|share| share.checked_mul(Decimal::from(1_000_000)));
    let ppm = share.and_then(|share| u64::try_from(share.trunc()).ok()).unwrap_or(0);
    if part.is_zero() { 0 } else { ppm.max(1) }
}

/// Money by state, one bar for each currency.
pub(super) fn money(gathered: &Gatherer) -> Vec<MoneyBar> {
    let bar = |(currency, sums): (Option<Currency>, Sums)| {
        let parts: Vec<(Kind, u64)> =
            sums.parts.iter().map(|(kind, _, part)| (*kind, ppm(*part, sums.asked))).collect();
        let told = sums.parts.iter().zip(&parts).filter(|((_, _, part), _)| !part.is_zero());
        MoneyBar {
            title: format!("{} {} asked", amount(sums.asked), named(currency)),
            svg: charts::stacked(&parts, "Money by state; the numbers stand below"),
            parts: told
                .map(|((kind, word, part), (_, ppm))| {
                    [charts::swatch(*kind), (*word).to_owned(), amount(*part), share(*ppm, 1_000_000)]
                })
                .collect(),
        }
    };
    by_currency(gathered).into_iter().map(bar).collect()
}

/// What the patterns mean.
pub(super) fn legend() -> Vec<(String, &'static str)> {
    [(Kind::Succeeded, "succeeded"), (Kind::Failed, "failed"), (Kind::Open, "open (pending or unknown)")]
        .map(|(kind, word)| (charts::swatch(kind), word))
        .into()
}

/// Rows over time, and each provider's rate against its limit; none while nothing was submitted.
pub(super) fn course(chronicle: &Chronicle, gathered: &Gatherer) -> Option<Course> {
    let counts = gathered.counts;
    let open = counts.pending.saturating_add(counts.unknown);
    let timeline = &gathered.timeline;
    let levels = timeline.levels(Level { succeeded: counts.succeeded, failed: counts.failed, open });
    let most = levels.iter().map(|level| level.total()).max().filter(|most| *most > 0)?;
    let parts = timeline.parts();
    let (first, last) = (parts.first()?, parts.last()?);
    let starts: Vec<usize> = parts.iter().skip(1).map(|part| part.first).collect();
    let day = |at| moment(at).split_once(' ').map(|(day, _)| day.to_owned()).unwrap_or_default();
    let one_day = day(first.stretch.start) == day(last.stretch.end);
    let shown = |at| if one_day { clock(at) } else { moment(at) };
    let axis = [shown(first.stretch.start), shown(last.stretch.end)];
    let mut note = format!(
        "Rows that were submitted, by where they stood; one column is {}. Times are UTC{}.",
        took(timeline.width()),
        if one_day { format!(", {}", day(first.stretch.start)) } else { String::new() }
    );
    if !starts.is_empty() {
        let begun: Vec<String> =
            parts.iter().skip(1).take(MARKS_TOLD).map(|part| shown(part.stretch.start)).collect();
        let more = if starts.len() > MARKS_TOLD { " and so on" } else { "" };
        note.push_str(&format!(
            " The time between two runs is left out: an upright line stands where the next one begins ({}{more}).",
            begun.join(", ")
        ));
    }
    let rates = timeline.providers().map(|provider| {
        let setting = chronicle.setting(&format!("providers.{provider}.submit_rate"));
        let course = timeline.rate(provider, setting.and_then(Limit::parse));
        let busiest = course.slots.iter().map(|(_, _, sent)| *sent).max().unwrap_or(0);
        let limit = match (course.allowed, setting) {
            (Some(allowed), Some(setting)) => {
                format!(", {} allowed (limit {})", count(allowed), clean(setting))
            }
            (_, Some(setting)) => format!(" (limit {})", clean(setting)),
            (_, None) => ", limit not recorded".to_owned(),
        };
        Rate {
            provider: clean(provider),
            words: format!("busiest {}: {} sent{limit}", took(course.slot), count(busiest)),
            svg: charts::rate(&course, levels.len(), &starts, "Submits over time against the limit"),
        }
    });
    Some(Course {
        svg: charts::course(&levels, &starts, "Rows over time by where they stood"),
        top: rows(most),
        axis,
        note,
        rates: rates.collect(),
    })
}

/// Times from the last submit to the final state.
pub(super) fn spans(gathered: &Gatherer) -> Figure {
    let spans = &gathered.spans;
    let most = spans.classes().iter().copied().max().unwrap_or(0);
    let bars = CLASSES.iter().zip(spans.classes()).map(|((word, _), rows)| {
        let words = format!("{} ({})", count(*rows), share(*rows, spans.rows()));
        ((*word).to_owned(), charts::bar(Kind::Plain, *rows, most, "rows"), words)
    });
    let told = |time: Option<Duration>| time.map_or_else(|| "–".to_owned(), took);
    let mut note = format!(
        "From a row's last submit to its final state: {}, mean {}, median {}, 95 % within {}. Medians and 95 % come from \
         logarithmic buckets, at most a thirty-second too high.",
        rows(spans.rows()),
        told(spans.mean()),
        told(spans.percentile(50)),
        told(spans.percentile(95))
    );
    if gathered.closed_by_people > 0 {
        note.push_str(&format!(" {} closed by a person not counted.", rows(gathered.closed_by_people)));
    }
    Figure { note, bars: bars.collect() }
}

/// What went in against what came out.
pub(super) fn reconciliation(facts: &Facts, gathered: &Gatherer) -> Reconciliation {
    let counts = gathered.counts;
    let difference = i128::from(facts.rows) - i128::from(counts.rows());
    let mut lines = vec![Line {
        what: format!("Rows of the file: {}", count(facts.rows)),
        sum: format!(
            "{} succeeded + {} failed + {} invalid + {} pending + {} unknown + {} not sent",
            count(counts.succeeded),
            count(counts.failed),
            count(counts.invalid),
            count(counts.pending),
            count(counts.unknown),
            count(counts.not_sent)
        ),
        difference: difference.to_string(),
        holds: difference == 0,
    }];
    for (currency, Sums { asked, parts }) in by_currency(gathered) {
        let sum = parts.iter().map(|(_, _, part)| *part).fold(Decimal::ZERO, Decimal::saturating_add);
        let difference = asked.saturating_sub(sum);
        let told: Vec<String> =
            parts.iter().map(|(_, word, part)| format!("{} {word}", amount(*part))).collect();
        lines.push(Line {
            what: format!("Asked: {} {}", amount(asked), named(currency)),
            sum: told.join(" + "),
            difference: amount(difference),
            holds: difference.is_zero(),
        });
    }
    let charged = gathered.charges.iter().map(|(currency, charged)| {
        let difference = charged.charged.saturating_sub(charged.asked);
        let elsewhere = match charged.elsewhere {
            0 => String::new(),
            more => format!("; {} asked in another currency or without a price", rows(more)),
        };
        Line {
            what: format!("Charged: {} {currency}", amount(charged.charged)),
            sum: format!(
                "told by the providers for {}; asked for these {} {currency}{elsewhere}",
                rows(charged.rows),
                amount(charged.asked)
            ),
            difference: amount(difference),
            holds: difference.is_zero(),
        }
    });
    let charged: Vec<Line> = charged.collect();
    let differences: Vec<[String; 3]> = gathered
        .charge_differences
        .items()
        .iter()
        .map(|line| {
            let cost = format!("{} {}", amount(line.charged.amount), line.charged.currency);
            [count(line.row), line.asked.clone(), cost]
        })
        .collect();
    Reconciliation { lines, charged, differences, notes: notes(gathered) }
}

fn notes(gathered: &Gatherer) -> Vec<String> {
    let told: u64 = gathered.charges.values().map(|charged| charged.rows).sum();
    let silent = gathered.counts.succeeded.saturating_sub(told);
    let mut notes = Vec::new();
    if silent > 0 {
        notes.push(format!(
            "For {} that succeeded the provider does not say what it charged: compare with its statement \
             (bulk-topup reconcile).",
            rows(silent)
        ));
    }
    if gathered.unpriced > 0 {
        notes.push(format!("{} without a price yet count as rows, not as money.", rows(gathered.unpriced)));
    }
    let more = gathered.charge_differences.more();
    if more > 0 {
        notes.push(format!("{} more were charged at another amount than asked: see topup_cost.", rows(more)));
    }
    notes
}
