//! Whole files: every dialect is read, every damage is refused by its name and place.

use std::io::Write;
use std::path::{Path, PathBuf};

use bulk_topup::intake::{
    Broken, Column, Dialect, Fault, FileFault, LINE_BYTES_MAX, LineEnd, Overrides, RawRow, ResultsRow,
    ResultsSource, Source, TopupColumn,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files")
}

fn temporary(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open(path: &Path) -> Result<Source, FileFault> {
    Source::open(path, &Overrides::default())
}

/// All rows of a source.
fn rows(source: &mut Source) -> Result<Vec<RawRow>, FileFault> {
    let (mut row, mut all) = (RawRow::default(), Vec::new());
    while source.next_row(&mut row)? {
        all.push(row.clone());
    }
    Ok(all)
}

fn read(bytes: &[u8]) -> Result<Vec<RawRow>, FileFault> {
    rows(&mut open(temporary(bytes).path())?)
}

fn describe(path: &Path) -> Result<String, FileFault> {
    let mut source = open(path)?;
    let all = rows(&mut source)?;
    assert!(all.iter().all(|row| row.broken.is_none()), "{path:?} {all:?}");
    let phone = source.columns().place(Column::Phone).unwrap();
    let first = all.first().and_then(|row| row.cells.get(phone)).unwrap_or_default();
    let last = all.first().and_then(|row| row.cells.iter().last()).unwrap_or_default();
    let Dialect { encoding, bom, delimiter, line_end, .. } = source.dialect();
    let delimiter = match delimiter {
        ',' => "comma",
        ';' => "semicolon",
        '\t' => "tab",
        _ => "bar",
    };
    let mark = if *bom { "bom" } else { "plain" };
    let last: String = unicode_normalization::UnicodeNormalization::nfc(last).collect();
    let last = last.replace('\r', "\\r").replace('\n', "\\n");
    Ok(format!("{encoding}|{delimiter}|{line_end:?}|{mark}|{}|{first}|{last}", all.len()))
}

#[test]
fn every_file_of_the_folder_is_read_or_refused_as_the_table_says() {
    let mut reader = csv::Reader::from_reader(include_str!("files.csv").as_bytes());
    let (mut wrong, mut count) = (Vec::new(), 0);
    for record in reader.records() {
        let record = record.unwrap();
        let (name, expect) = (&record[0], &record[1]);
        count += 1;
        match describe(&folder().join(name)) {
            Ok(got) if got == expect => {}
            Ok(got) => wrong.push(format!("{name}: {got} instead of {expect}")),
            Err(fault) => {
                let debug = format!("{:?}", fault.what);
                let words = fault.to_string();
                let (variant, rest) = expect.split_once(' ').unwrap_or((expect, ""));
                let parts: Vec<&str> =
                    if rest.starts_with("line 2 line") { rest.split(" line").collect() } else { vec![rest] };
                let named = parts.iter().all(|part| words.contains(part.trim()));
                let same = debug.starts_with(variant) && named && words.contains(name);
                if !same || expect.contains('|') {
                    wrong.push(format!("{name}: {fault} ({debug}) instead of {expect}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "the table lost files: {count}");
}

#[test]
fn every_file_of_the_folder_is_in_the_table() {
    let table = include_str!("files.csv");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let other_test = [".xlsx", ".xls", ".ods", ".gitattributes"].iter().any(|end| name.ends_with(end));
        assert!(other_test || table.contains(&format!("\n{name},")), "{name}");
    }
}

#[test]
fn a_broken_line_is_a_bad_row_and_the_rows_after_it_are_whole() {
    let long_cell = "x".repeat(40_000);
    let long_line = format!("\"{}\"\"{}\n\"", "y".repeat(LINE_BYTES_MAX), "z".repeat(300_000));
    let text = format!(
        "phone,note\n0911111111\n0922222222,a,b\n\"0933333333\"x,c\n0944444444,{long_cell}\n0955555555,{long_line}\n0966666666,d\n"
    );
    let all = read(text.as_bytes()).unwrap();
    let broken: Vec<_> = all.iter().map(|row| row.broken.clone()).collect();
    assert_eq!(
        broken,
        [
            Some(Broken::Ragged { found: 1, expected: 2 }),
            Some(Broken::Ragged { found: 3, expected: 2 }),
            Some(Broken::StrayQuote(1)),
            Some(Broken::CellTooLong(2)),
            Some(Broken::LineTooLong),
            None
        ]
    );
    let last = all.last().unwrap();
    assert_eq!((last.row.0, last.line, last.cells.get(0)), (6, 8, Some("0966666666")));
}

#[test]
fn an_endless_quoted_cell_is_refused_by_the_line_of_its_quote() {
    let text = format!("phone,note\n0911111111,a\n0922222222,\"{}", "0933333333,b\n".repeat(200_000));
    assert_eq!(read(text.as_bytes()).unwrap_err().what, Fault::OpenQuote(3));
}

#[test]
fn damage_far_down_a_file_is_refused_by_its_place() {
    let good = "0912345678,20000\n".repeat(40_000);
    let with = |bytes: &[u8]| {
        let mut file = format!("phone,amount\n{good}").into_bytes();
        file.extend_from_slice(b"0912345678,");
        file.extend_from_slice(bytes);
        file
    };
    assert_eq!(read(&with(b"2\x00\n")).unwrap_err().what, Fault::Nul { line: 40_002, column: 13 });
    let mut forced = Source::open(
        temporary(&with(b"2\xFF\xFE\n")).path(),
        &Overrides { encoding: Some("utf-8".to_owned()), ..Overrides::default() },
    )
    .unwrap();
    let fault = rows(&mut forced).unwrap_err().what;
    assert_eq!(fault, Fault::BadBytes { line: 40_002, column: 13, encoding: "UTF-8".to_owned() });
}

#[test]
fn a_name_in_a_legacy_encoding_far_down_is_read_right() {
    let mut file = format!("phone,name\n{}", "0912345678,An\n".repeat(40_000)).into_bytes();
    for name in ["Jos\u{e9} Mu\u{f1}oz", "Fran\u{e7}ois Lef\u{e8}vre", "Zo\u{eb} Bront\u{eb}"] {
        file.extend_from_slice(b"07031234567,");
        file.extend(name.chars().map(|c| u8::try_from(u32::from(c)).unwrap()));
        file.push(b'\n');
    }
    let temporary = temporary(&file);
    let mut source = open(temporary.path()).unwrap();
    assert_eq!(source.dialect().encoding, "windows-1252");
    let all = rows(&mut source).unwrap();
    assert_eq!(all.last().unwrap().cells.get(1), Some("Zo\u{eb} Bront\u{eb}"));
}

#[test]
fn a_character_cut_by_the_end_of_the_head_does_not_change_the_encoding() {
    for shift in 0..4 {
        let start = format!("phone,name\n0912345678,{}", "a".repeat(shift));
        let text = format!("{start}\n{}", "0912345678,\u{1F600}ế\n".repeat(30_000));
        let temporary = temporary(text.as_bytes());
        let mut source = open(temporary.path()).unwrap();
        assert_eq!(source.dialect().encoding, "UTF-8");
        assert_eq!(rows(&mut source).unwrap().len(), 30_001);
    }
}

#[test]
fn the_digest_is_that_of_the_bytes_and_names_the_rows() {
    use sha2::Digest as _;
    let bytes = b"\xEF\xBB\xBFphone,amount\r\n0912345678,20000\r\n\r\n";
    let temporary = temporary(bytes);
    let digest = open(temporary.path()).unwrap().finish().unwrap();
    assert_eq!(digest.sha256, <[u8; 32]>::from(sha2::Sha256::digest(bytes)));
    assert_eq!((digest.bytes, digest.rows), (u64::try_from(bytes.len()).unwrap(), 1));
}

#[test]
fn a_file_that_changed_between_two_readings_is_refused_before_its_end() {
    let before = b"phone,amount\n0912345678,20000\n";
    let mut temporary = temporary(before);
    let source = open(temporary.path()).unwrap();
    let dialect = source.dialect().clone();
    let digest = source.finish().unwrap();
    let mut again = Source::reopen(temporary.path(), &dialect, &[], &digest).unwrap();
    assert_eq!(rows(&mut again).unwrap().len(), 1);

    std::fs::write(temporary.path(), b"phone,amount\n0912345678,90000\n").unwrap();
    let mut same_size = Source::reopen(temporary.path(), &dialect, &[], &digest).unwrap();
    assert_eq!(rows(&mut same_size).unwrap_err().what, Fault::Changed);

    temporary.write_all(b"0987654321,20000\n").unwrap();
    let grown = Source::reopen(temporary.path(), &dialect, &[], &digest);
    assert_eq!(grown.err().map(|fault| fault.what), Some(Fault::Changed));
}

#[test]
fn a_file_that_grows_while_it_is_read_is_refused() {
    let mut temporary = temporary(b"phone,amount\n0912345678,20000\n");
    let mut source = open(temporary.path()).unwrap();
    let mut row = RawRow::default();
    assert!(source.next_row(&mut row).unwrap());
    temporary.write_all(b"0987654321,20000\n").unwrap();
    let left = rows(&mut source);
    assert_eq!(left.unwrap_err().what, Fault::Changed);
}

#[test]
fn an_encoding_and_a_delimiter_can_be_named() {
    let temporary = temporary("phone,a;phone\n0912345678,1;0987654321\n".as_bytes());
    let named = Overrides { delimiter: Some(';'), ..Overrides::default() };
    let source = Source::open(temporary.path(), &named).unwrap();
    assert_eq!(source.columns().place(Column::Phone), Some(1));
    let wrong = Overrides { encoding: Some("klingon".to_owned()), ..Overrides::default() };
    let fault = Source::open(temporary.path(), &wrong).err().unwrap().what;
    assert_eq!(fault, Fault::UnknownEncoding("klingon".to_owned()));
    let quote = Overrides { delimiter: Some('"'), ..Overrides::default() };
    assert_eq!(Source::open(temporary.path(), &quote).err().unwrap().what, Fault::BadDelimiter('"'));
}

#[test]
fn a_dialect_reads_back_from_the_ledger() {
    let dialect = Dialect {
        encoding: "windows-1258".to_owned(),
        bom: false,
        delimiter: ';',
        line_end: LineEnd::CrLf,
        sheet: None,
    };
    let stored = serde_json::to_string(&dialect).unwrap();
    assert_eq!(serde_json::from_str::<Dialect>(&stored).unwrap(), dialect);
    assert!(dialect.results_bom());
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let missing = folder().join("not_there.csv");
    assert!(open(&missing).err().unwrap().to_string().contains("not_there.csv"));
    assert!(open(&folder()).err().unwrap().to_string().contains("folder"));
}

#[test]
fn a_results_file_gives_the_inputs_cells_back_and_ours_apart() {
    let text = "topup_row,phone,note,amount,topup_status,topup_batch,topup_phone\r\n7,+84912345678,'=1+1,20000,failed,pay-0a1b2c3d,84912345678\r\n8,\"'=\"\"0912345678\"\"\",'plain,20000,not_sent,pay-0a1b2c3d,\r\n";
    let temporary = temporary(text.as_bytes());
    let mut source = ResultsSource::open(temporary.path(), &Overrides::default()).unwrap();
    assert_eq!(source.header(), ["phone", "note", "amount"]);
    assert_eq!(source.columns().place(Column::Amount), Some(2));
    let mut row = ResultsRow::default();
    assert!(source.next_row(&mut row).unwrap());
    let cells: Vec<&str> = row.input.cells.iter().collect();
    assert_eq!(cells, ["+84912345678", "=1+1", "20000"]);
    assert_eq!(row.topup(TopupColumn::Row), "7");
    assert_eq!(row.topup(TopupColumn::Batch), "pay-0a1b2c3d");
    assert_eq!(row.topup(TopupColumn::Message), "");
    assert!(source.next_row(&mut row).unwrap());
    let cells: Vec<&str> = row.input.cells.iter().collect();
    assert_eq!(cells, ["=\"0912345678\"", "'plain", "20000"]);
    assert!(!source.next_row(&mut row).unwrap());
}

#[test]
fn retry_refuses_a_file_that_is_no_results_file() {
    let plain = temporary(b"phone,amount\n0912345678,20000\n");
    let fault = ResultsSource::open(plain.path(), &Overrides::default()).err().unwrap().what;
    assert_eq!(fault, Fault::NotResults("topup_batch"));
    let cut = temporary(b"phone,topup_status,topup_batch\n0912345678,failed,x-0a1b2c3d\n");
    let fault = ResultsSource::open(cut.path(), &Overrides::default()).err().unwrap().what;
    assert_eq!(fault, Fault::NotResults("topup_row"));
}
