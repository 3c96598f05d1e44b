//! A file's rows read ahead: a thread of its own reads, decodes and cuts the file and reads each row by itself,
//! while the caller judges the rows beside each other. The caller sees the same rows in the same order, and the
//! same fault behind the same row, as if it read the file itself.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::admission::{ReadRow, RowReader};
use crate::intake::{Digest, FileFault, RawRow, Source};

use super::stop::Stop;

/// Rows handed over at once: enough that waking the other side costs little per row, few enough that they stay
/// in the cache between the two.
const BATCH_ROWS: usize = 512;

/// Bytes of cells handed over at once: large rows make small batches.
const BATCH_BYTES: usize = 256 << 10;

/// Batches that wait to be judged; one more is being filled and one judged. Memory is bounded by them.
const WAITING_MAX: usize = 2;

/// Buffers of a row that are kept for the next one.
const KEPT_BYTES: usize = 1 << 10;

/// A row of the file, and what it is by itself.
#[derive(Default)]
pub struct Slot {
    /// As it stands in the file.
    pub row: RawRow,
    /// As it was read.
    pub read: ReadRow,
}

/// Some rows in a row, and what came behind the last of them.
#[derive(Default)]
struct Batch {
    /// Those beyond `rows` are left from earlier batches, for their buffers.
    slots: Vec<Slot>,
    rows: usize,
    end: Option<Result<Digest, FileFault>>,
}

/// The rows of a file, one after the other.
pub struct Ahead {
    filled: Receiver<Batch>,
    spent: Sender<Batch>,
    batch: Batch,
    /// Rows of the batch that were handed out.
    taken: usize,
}

impl Ahead {
    /// Begins to read. The thread ends with the file, at its first fault, or when this value goes.
    ///
    /// # Errors
    /// [`Stop`] when the system has no thread to give.
    pub fn start(source: Source, reader: RowReader) -> Result<Self, Stop> {
        let (to_judge, filled) = sync_channel(WAITING_MAX);
        let (spent, returned) = channel();
        std::thread::Builder::new()
            .name("rows".to_owned())
            .spawn(move || Filler { source, reader, to_judge, returned }.run())
            .map_err(|e| Stop::internal(format!("no thread could be started to read the file: {e}")))?;
        Ok(Self { filled, spent, batch: Batch::default(), taken: 0 })
    }

    /// Goes on to the next row; false at the end of the file.
    ///
    /// # Errors
    /// [`Stop`]: the file is damaged beyond one row, cannot be read, or changed.
    pub fn advance(&mut self) -> Result<bool, Stop> {
        while self.taken >= self.batch.rows {
            match &self.batch.end {
                Some(Ok(_)) => return Ok(false),
                Some(Err(fault)) => return Err(fault.clone().into()),
                None => {}
            }
            let next = self
                .filled
                .recv()
                .map_err(|_| Stop::internal("reading the file ended in the middle of it"))?;
            // The thread may be gone already: then nobody needs the buffers.
            let _gone = self.spent.send(std::mem::replace(&mut self.batch, next));
            self.taken = 0;
        }
        self.taken += 1;
        Ok(true)
    }

    /// The row that was reached; none before the first.
    pub fn current(&mut self) -> Option<&mut Slot> {
        self.batch.slots.get_mut(self.taken.checked_sub(1)?)
    }

    /// As [`Ahead::current`], to look at.
    pub fn shown(&self) -> Option<&Slot> {
        self.batch.slots.get(self.taken.checked_sub(1)?)
    }

    /// The rows that came in with this one, at the first of them.
    pub fn just_come(&self) -> Option<&[Slot]> {
        if self.taken == 1 { self.batch.slots.get(..self.batch.rows) } else { None }
    }

    /// What the file was, at its end.
    pub fn digest(&self) -> Option<Digest> {
        self.batch.end.as_ref().and_then(|end| end.as_ref().ok()).copied()
    }
}

/// The other side.
struct Filler {
    source: Source,
    reader: RowReader,
    to_judge: SyncSender<Batch>,
    returned: Receiver<Batch>,
}

impl Filler {
    fn run(mut self) {
        let columns = self.source.columns().clone();
        loop {
            let mut batch = self.returned.try_recv().unwrap_or_default();
            (batch.rows, batch.end) = (0, None);
            let mut bytes = 0;
            while batch.rows < BATCH_ROWS && bytes < BATCH_BYTES && batch.end.is_none() {
                if batch.rows == batch.slots.len() {
                    batch.slots.push(Slot::default());
                }
                let Some(Slot { row, read }) = batch.slots.get_mut(batch.rows) else { return };
                row.cells.shed(KEPT_BYTES);
                match self.source.next_row(row) {
                    Ok(true) => {
                        self.reader.read(&columns, row, read);
                        bytes += row.cells.bytes();
                        batch.rows += 1;
                    }
                    Ok(false) => batch.end = Some(self.source.digest()),
                    Err(fault) => batch.end = Some(Err(fault)),
                }
            }
            if bytes >= BATCH_BYTES {
                batch.slots.truncate(batch.rows);
            }
            let ended = batch.end.is_some();
            // Nobody to take it: the caller stopped early.
            if self.to_judge.send(batch).is_err() || ended {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};
    use std::sync::Arc;

    use super::*;
    use crate::admission::{Caps, Judge, Policy, ProviderRule};
    use crate::domain::{AccountId, Country, Currency, ProviderKind};
    use crate::intake::Overrides;
    use crate::protocol::rules;

    fn judge() -> Judge {
        let rule = ProviderRule {
            name: "vietnam".to_owned(),
            account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
            countries: vec![Country::VN],
            sells: None,
        };
        let max_number = [(Currency::VND, 90_000.into())].into_iter().collect();
        let policy = Policy {
            providers: vec![rule],
            default_country: Some(Country::VN),
            thousands: None,
            caps: Caps { max_number, ..Caps::default() },
            allow_duplicates: false,
            operator_code: rules::operator_code,
            judge_offline: rules::judge_offline,
        };
        Judge::new(policy).unwrap().spill_to(tempfile::tempfile)
    }

    /// Good, wrong, repeated, ragged, quoted, blank, giant: several batches of every kind, in turn.
    fn lines(count: u64) -> String {
        let mut text = "phone,amount,operator,reference\n".to_owned();
        for n in 0..count {
            text.push_str(&match n % 17 {
                3 => format!("09123456{:02},20000,,\n", n % 100),
                5 => format!("+84 91-{:07},20000,Viettel,R{n}\n", n * 7_919 % 10_000_000),
                7 => "912345678,20001,,\n".to_owned(),
                9 => "\n , , ,\n".to_owned(),
                11 => format!("\"0912345678\",50000,,\"two\nlines {n}\"\n"),
                13 => format!("0912345678,10000,,{}\n", "x".repeat(usize::try_from(n % 40).unwrap() * 1_000)),
                15 => "0912345678,20000\n".to_owned(),
                _ => format!("032{:07},50000,,R{}\n", n * 31 % 10_000_000, n / 2),
            });
        }
        text
    }

    fn source(bytes: &[u8]) -> Source {
        Source::from_stream("t.csv", Box::new(Cursor::new(bytes.to_vec())), &Overrides::default()).unwrap()
    }

    /// Every row with its verdict, and how it ended, read by one thread.
    fn plain(bytes: &[u8]) -> (Vec<String>, String) {
        let (mut source, mut judge) = (source(bytes), judge());
        let (mut row, mut rows) = (RawRow::default(), Vec::new());
        let columns = source.columns().clone();
        let end = loop {
            match source.next_row(&mut row) {
                Ok(true) => rows.push(format!("{row:?} {:?}", judge.row(&columns, &row))),
                Ok(false) => break format!("{:?} {:?}", source.digest().unwrap(), judge.totals()),
                Err(fault) => break fault.to_string(),
            }
        };
        (rows, end)
    }

    fn threaded(bytes: &[u8]) -> (Vec<String>, String) {
        let source = source(bytes);
        let columns = source.columns().clone();
        let (reader, mut memory) = judge().halves();
        let mut ahead = Ahead::start(source, reader).unwrap();
        let mut rows = Vec::new();
        let end = loop {
            match ahead.advance() {
                Ok(true) => {
                    if let Some(slots) = ahead.just_come() {
                        memory.expect(slots.iter().map(|slot| &slot.read));
                    }
                    let Slot { row, read } = ahead.current().unwrap();
                    memory.decide(&columns, row, read, &mut |_| Ok(None));
                    let Slot { row, read } = ahead.shown().unwrap();
                    rows.push(format!("{row:?} {:?}", read.judged()));
                }
                Ok(false) => break format!("{:?} {:?}", ahead.digest().unwrap(), memory.totals()),
                Err(stop) => break stop.message,
            }
        };
        (rows, end)
    }

    #[test]
    fn rows_read_ahead_are_those_of_one_thread_in_their_order() {
        for count in [0, 1, 511, 512, 513, 6_000] {
            let text = lines(count);
            let (rows, end) = plain(text.as_bytes());
            assert_eq!(threaded(text.as_bytes()), (rows, end), "{count}");
        }
    }

    #[test]
    fn a_fault_late_in_the_file_comes_behind_the_same_row() {
        let mut bad_bytes = lines(6_000).into_bytes();
        let place = bad_bytes.len() - 500;
        bad_bytes[place] = 0xFF;
        let open_quote = lines(6_000) + "0912345678,\"20000,,\n" + &lines(100);
        let nul = lines(6_000) + "09\0,20000,,\n";
        for (bytes, word) in
            [(bad_bytes, "no UTF-8 text"), (open_quote.into_bytes(), "quote"), (nul.into_bytes(), "NUL")]
        {
            let (rows, end) = plain(&bytes);
            assert!(rows.len() > 5_000 && end.contains(word), "{} {end}", rows.len());
            assert_eq!(threaded(&bytes), (rows, end));
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused_at_its_end() {
        let mut file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
        file.write_all(lines(60_000).as_bytes()).unwrap();
        let source = Source::open(file.path(), &Overrides::default()).unwrap();
        let mut ahead = Ahead::start(source, judge().halves().0).unwrap();
        assert!(ahead.advance().unwrap());
        file.write_all(b"0912345678,20000,,\n").unwrap();
        let end = loop {
            match ahead.advance() {
                Ok(true) => {}
                Ok(false) => panic!("nobody noticed"),
                Err(stop) => break stop.message,
            }
        };
        assert!(end.contains("the file changed while it was read"), "{end}");
        assert_eq!(ahead.advance().unwrap_err().message, end);
        assert_eq!(ahead.digest(), None);
    }

    /// Rows without an end; holds a mark as long as it is read from.
    struct Endless {
        _mark: Arc<()>,
        rows: Cursor<Vec<u8>>,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.rows.read(buffer)? {
                0 => {
                    self.rows = Cursor::new(b"0912345678,20000,,\n".repeat(1_000));
                    self.rows.read(buffer)
                }
                count => Ok(count),
            }
        }
    }

    #[test]
    fn nobody_reads_on_for_a_caller_that_stopped() {
        let mark = Arc::new(());
        let stream = Endless { _mark: Arc::clone(&mark), rows: Cursor::new(lines(10).into_bytes()) };
        let source = Source::from_stream("t.csv", Box::new(stream), &Overrides::default()).unwrap();
        let mut ahead = Ahead::start(source, judge().halves().0).unwrap();
        for _ in 0..3_000 {
            assert!(ahead.advance().unwrap());
        }
        drop(ahead);
        for _ in 0..1_000 {
            if Arc::strong_count(&mark) == 1 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the file is still read");
    }
}
