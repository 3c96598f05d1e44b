//! The books of `reconcile`: a statement taken in line by line, held against the rows of a batch, and told.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use crate::domain::{Currency, neutralise};
use crate::intake::{StatementRow, StatementSource};
use crate::job::Stop;
use crate::ledger::{BatchInfo, BatchProvider, Ledger, Owner, Scratch, Several};
use crate::numbering::PhonePlan;
use crate::report::{Class, Finding, Group, Stated, SumTooLarge, Tally};

mod told;

pub use told::tell;

/// A comparison in the making. What it keeps of the lines is in a temporary database on disk.
pub struct Books<'a> {
    ledger: &'a Ledger,
    /// The batch.
    pub batch: &'a BatchInfo,
    /// Whose statement it is.
    pub provider: &'a BatchProvider,
    plan: &'a PhonePlan,
    /// Currency that the amount's title names.
    named: Option<Currency>,
    keep_all: bool,
    scratch: Scratch,
    /// Counts and sums.
    pub tally: Tally,
    /// Lines of the statement.
    pub lines: u64,
    /// The provider's ids of all orders were read.
    refs_known: bool,
}

impl<'a> Books<'a> {
    /// Empty ones. `keep_all`: matched rows are to be listed too.
    ///
    /// # Errors
    /// [`Stop`] when no temporary file can be made.
    pub fn new(
        ledger: &'a Ledger,
        batch: &'a BatchInfo,
        provider: &'a BatchProvider,
        plan: &'a PhonePlan,
        named: Option<Currency>,
        keep_all: bool,
    ) -> Result<Self, Stop> {
        let scratch = Scratch::new(&provider.account)?;
        let tally = Tally::default();
        Ok(Self {
            ledger,
            batch,
            provider,
            plan,
            named,
            keep_all,
            scratch,
            tally,
            lines: 0,
            refs_known: false,
        })
    }

    /// Takes in every line: finds the row it is about, through our ids first, then through the provider's.
    ///
    /// # Errors
    /// [`Stop`]: the statement cannot be read on, or the ledger failed.
    pub fn take_statement(
        &mut self,
        mut source: StatementSource,
        stated: impl Fn(&StatementRow) -> Stated,
    ) -> Result<(), Stop> {
        let mut row = StatementRow::default();
        while source.next_row(&mut row)? {
            self.lines += 1;
            let line = stated(&row);
            match &row.raw.broken {
                Some(broken) => self.unreadable(&line, &broken.to_string())?,
                None => self.take(&line)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &Stated) -> Result<(), Stop> {
        let ids: Vec<&str> = [&line.transaction_id, &line.provider_ref]
            .into_iter()
            .map(String::as_str)
            .filter(|id| !id.is_empty())
            .collect();
        let Some(name) = ids.first() else {
            return self.unreadable(line, "the line has neither our id nor the provider's");
        };
        match self.owner(&ids)? {
            Err(Several) => self.unreadable(
                line,
                "several orders of the ledger have this id of the provider; the statement needs our id",
            ),
            Ok(None) if ids.iter().all(|id| lost_digits(id)) => self.unreadable(
                line,
                "the id is in E notation, so a spreadsheet dropped digits of it; take the statement as the provider \
                 gave it, or format the column as Text",
            ),
            Ok(None) => Ok(self.scratch.keep(None, name, line)?),
            Ok(Some(owner)) if owner.batch == self.batch.id && owner.provider == self.provider.name => {
                Ok(self.scratch.keep(Some(owner.row), "", line)?)
            }
            Ok(Some(owner)) if owner.batch != self.batch.id && owner.tag == self.provider.account.tag() => {
                self.tally.count(Class::OtherBatch, 0, 1);
                if self.keep_all {
                    let batch = self.ledger.batch(owner.batch)?.name;
                    let finding = self.alone(line, Class::OtherBatch, &format!("row {} of {batch}", owner.row))?;
                    self.scratch.keep_finding(&finding)?;
                }
                Ok(())
            }
            Ok(Some(owner)) => self.misplaced(line, &owner),
        }
    }

    /// Whose the line is. Either id column may hold either kind of id: titles differ between providers.
    fn owner(&mut self, ids: &[&str]) -> Result<Result<Option<Owner>, Several>, Stop> {
        for id in ids {
            if let Some(owner) = self.ledger.owner_of(&id.to_ascii_uppercase())? {
                return Ok(Ok(Some(owner)));
            }
        }
        if !self.refs_known {
            // Once, and only if a line needs it: it reads every row of the account.
            self.scratch.index_refs(self.ledger, &self.provider.account)?;
            self.refs_known = true;
        }
        for id in ids.iter().rev() {
            match self.scratch.owner_of_ref(id)? {
                Ok(None) => {}
                found => return Ok(found),
            }
        }
        Ok(Ok(None))
    }

    /// A line that names no order.
    fn unreadable(&mut self, line: &Stated, why: &str) -> Result<(), Stop> {
        let mut finding = self.alone(line, Class::Unreadable, &format!("line {}: {why}", line.line))?;
        "look at the line: is it a sum, or an order without an id? Ask the provider about an order"
            .clone_into(&mut finding.next);
        self.found(&finding)
    }

    /// A line about an order of ours that is not of this account's statement.
    fn misplaced(&mut self, line: &Stated, owner: &Owner) -> Result<(), Stop> {
        let batch = self.ledger.batch(owner.batch)?.name;
        let what = format!("it is row {} of {batch}, which was sent through {}", owner.row, owner.provider);
        let mut finding = self.alone(line, Class::ExtraThere, &what)?;
        "ask the provider how this order came into this statement".clone_into(&mut finding.next);
        self.found(&finding)
    }

    /// A line by itself. Only one that is somebody's charge has a part in the sums.
    fn alone(&self, line: &Stated, class: Class, what: &str) -> Result<Finding, Stop> {
        let mut group = Group::of_nobody(self.plan, self.named);
        group.add(line).map_err(sums)?;
        let mut finding = group.finish();
        if class != Class::ExtraThere {
            finding.sum_there = rust_decimal::Decimal::ZERO;
        }
        (finding.class, finding.what, finding.next) = (class, what.to_owned(), String::new());
        Ok(finding)
    }

    fn found(&mut self, finding: &Finding) -> Result<(), Stop> {
        self.tally.add(finding).map_err(sums)?;
        if self.keep_all || finding.class.is_difference() {
            self.scratch.keep_finding(finding)?;
        }
        Ok(())
    }

    /// Holds every row against its lines, then looks at the lines that are nobody's.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn compare(&mut self) -> Result<(), Stop> {
        /// Rows read at once.
        const PAGE: u32 = 1000;
        let mut currencies = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.ledger.named_page(self.batch.id, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.row);
            for row in page {
                if row.order.as_ref().is_none_or(|order| order.provider != self.provider.name) {
                    continue;
                }
                currencies.extend(row.asked().and_then(|(_, currency)| currency));
                let mut group = Group::of_row(&row, self.plan, self.named);
                self.scratch.lines_of::<Stop>(row.row, |line| group.add(&line).map_err(sums))?;
                let finding = group.finish();
                // An id that never reached the provider has no place in its statement.
                if row.state.submits > 0 || finding.lines > 0 {
                    self.found(&finding)?;
                }
            }
        }
        let only = currencies.pop_first().filter(|_| currencies.is_empty());
        self.strangers(self.named.or(only))?;
        let (_, counted) = self.tally.totals();
        if counted != self.lines {
            return Err(Stop::internal(format!(
                "the statement has {} lines, {counted} were compared: a fault of the program",
                self.lines
            )));
        }
        Ok(())
    }

    /// Lines about orders that nobody here knows, those of one id together.
    fn strangers(&mut self, currency: Option<Currency>) -> Result<(), Stop> {
        let Self { scratch, tally, plan, .. } = self;
        let mut current: Option<(String, Group<'_>)> = None;
        let mut finish = |group: Group<'_>| -> Result<(), Stop> {
            let finding = group.finish();
            tally.add(&finding).map_err(sums)?;
            Ok(scratch.keep_finding(&finding)?)
        };
        scratch.strangers::<Stop>(|name, line| {
            if current.as_ref().is_none_or(|(of, _)| of != name)
                && let Some((_, group)) = current.replace((name.to_owned(), Group::of_nobody(plan, currency)))
            {
                finish(group)?;
            }
            current.as_mut().map_or(Ok(()), |(_, group)| group.add(&line).map_err(sums))
        })?;
        current.map_or(Ok(()), |(_, group)| finish(group))
    }

    /// The findings, the worst first, as long as `each` wants more.
    ///
    /// # Errors
    /// [`Stop`] when the temporary database fails.
    pub fn findings(&self, each: impl FnMut(Finding) -> Result<bool, Stop>) -> Result<(), Stop> {
        self.scratch.findings(each)
    }

    /// Writes every finding to a new CSV file for this user alone, which stands at its path only when it is whole.
    ///
    /// # Errors
    /// [`Stop`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Stop> {
        let trouble =
            |e: std::io::Error| Stop::internal(format!("{} cannot be written: {e}", path.display()));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file =
            tempfile::Builder::new().prefix(".bulk-topup-").tempfile_in(folder).map_err(trouble)?;
        let mut out = std::io::BufWriter::new(file.as_file_mut());
        out.write_all("\u{feff}".as_bytes()).map_err(trouble)?;
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let record = |e: csv::Error| trouble(e.into());
        writer.write_record(told::COLUMNS).map_err(record)?;
        self.findings(|finding| {
            let cells = told::cells(&finding, &self.batch.name);
            writer.write_record(cells.iter().map(|cell| neutralise(cell).into_owned())).map_err(record)?;
            Ok(true)
        })?;
        writer.flush().map_err(trouble)?;
        drop(writer);
        file.as_file().sync_all().map_err(trouble)?;
        file.persist_noclobber(path).map(drop).map_err(|e| trouble(e.error))
    }
}

fn sums(error: SumTooLarge) -> Stop {
    Stop::internal(error.to_string())
}

/// Digits, a point and an exponent: a long id that went through a spreadsheet.
fn lost_digits(id: &str) -> bool {
    let Some((mantissa, power)) = id.split_once(['e', 'E']) else { return false };
    let power = power.strip_prefix('+').unwrap_or(power);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(power) && power.len() <= 3 && digits(&mantissa.replacen(['.', ','], "", 1))
}
