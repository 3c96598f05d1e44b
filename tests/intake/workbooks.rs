//! Workbooks: the sheet's text as a careful reader sees it, bounded, never rounded.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use bulk_topup::intake::{Broken, Column, Fault, FileFault, Overrides, RawRow, Source};
use proptest::prelude::*;

fn open(name: &str, sheet: Option<&str>) -> Result<Source, FileFault> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files").join(name);
    Source::open(&path, &Overrides { sheet: sheet.map(str::to_owned), ..Overrides::default() })
}

fn rows(source: &mut Source) -> Vec<(u64, Vec<String>)> {
    let (mut row, mut all) = (RawRow::default(), Vec::new());
    while source.next_row(&mut row).unwrap() {
        all.push((row.line, row.cells.iter().map(str::to_owned).collect()));
    }
    all
}

#[test]
fn numbers_are_shown_whole_and_damaged_ones_in_e_notation() {
    let mut source = open("numbers.xlsx", None).unwrap();
    assert_eq!(source.dialect().sheet.as_deref(), Some("T11"));
    assert!(source.dialect().results_bom());
    assert_eq!(source.dialect().line_end.as_str(), "\r\n");
    assert_eq!(source.columns().place(Column::Phone), Some(1));
    let all = rows(&mut source);
    let cells = |index: usize| all[index].1.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(all.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5, 6]);
    assert_eq!(cells(0), ["An", "912345678", "20000", "2026-11-22"]);
    assert_eq!(cells(1), ["Bình", "0987654321", "50000.5", ""]);
    assert_eq!(cells(2), ["Chi", "84912345678", "20000", "2026-11-22 09:30:00"]);
    assert!(cells(3)[1].contains('E'), "{:?}", cells(3));
    assert_eq!(cells(3)[3], "TRUE");
}

#[test]
fn a_sheet_can_be_named_and_a_wrong_name_lists_those_there_are() {
    assert_eq!(rows(&mut open("numbers.xlsx", Some("Other")).unwrap()).len(), 1);
    let fault = open("numbers.xlsx", Some("Nowhere")).err().unwrap().to_string();
    assert!(fault.contains("\"T11\", \"Other\""), "{fault}");
}

#[test]
fn the_first_sheet_that_is_seen_is_read_wherever_its_table_stands() {
    let mut source = open("hidden_first_sheet.xlsx", None).unwrap();
    assert_eq!((source.dialect().sheet.as_deref(), source.header_line()), (Some("Seen"), 3));
    assert_eq!(source.columns().place(Column::Phone), Some(1));
    let mut row = RawRow::default();
    assert!(source.next_row(&mut row).unwrap());
    assert_eq!((row.cells.get(1), row.broken.clone()), (Some("0912345678"), None));
    assert!(source.next_row(&mut row).unwrap());
    assert_eq!(row.broken, Some(Broken::Ragged { found: 4, expected: 2 }));
}

#[test]
fn a_cell_in_the_far_corner_costs_no_memory_and_a_blank_one_is_no_row() {
    let all = rows(&mut open("far_corner.xlsx", None).unwrap());
    assert_eq!(all.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 1_000_000]);
}

#[test]
fn old_and_open_workbooks_are_read_too() {
    for name in ["old.xls", "open_document.ods"] {
        let all = rows(&mut open(name, None).unwrap());
        let expect = vec![
            (2, vec!["912345678".to_owned(), "20000".to_owned()]),
            (3, vec!["0987654321".to_owned(), "50000".to_owned()]),
        ];
        assert_eq!(all, expect, "{name}");
    }
}

#[test]
fn an_archive_that_unpacks_to_anything_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.xlsx");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options: zip::write::SimpleFileOptions = zip::write::SimpleFileOptions::default();
    archive.start_file("xl/workbook.xml", options).unwrap();
    (0..257).for_each(|_| archive.write_all(&vec![0; 1 << 20]).unwrap());
    archive.finish().unwrap();
    let fault = Source::open(&path, &Overrides::default()).err().unwrap().to_string();
    assert!(fault.contains("256 MiB") && fault.contains("bomb.xlsx"), "{fault}");
}

#[test]
fn damaged_and_protected_workbooks_are_refused_by_name() {
    for (name, word) in [("cut.xlsx", "cannot be read"), ("protected.xlsx", "workbook")] {
        let fault = open(name, None).err().unwrap();
        assert!(matches!(fault.what, Fault::Workbook(_)), "{fault}");
        assert!(fault.to_string().contains(word) && fault.to_string().contains(name), "{fault}");
    }
}

#[test]
fn a_workbook_is_the_same_file_on_a_second_reading() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files/numbers.xlsx");
    let source = open("numbers.xlsx", Some("Other")).unwrap();
    let dialect = source.dialect().clone();
    let digest = source.finish().unwrap();
    assert_eq!(digest.rows, 1);
    assert_eq!(Source::reopen(&path, &dialect, &[], &digest).unwrap().finish().unwrap(), digest);
}

/// The archive with some bytes of one part overwritten, packed again so that its checksums fit.
fn damaged(bytes: &[u8], part: usize, damage: &[(usize, u8)]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let (name, mut content) = (file.name().unwrap().to_string(), Vec::new());
        file.read_to_end(&mut content).unwrap();
        if index == part % zip_parts(bytes) && !content.is_empty() {
            let length = content.len();
            damage.iter().for_each(|(at, byte)| content[at % length] = *byte);
        }
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zip_parts(bytes: &[u8]) -> usize {
    zip::ZipArchive::new(Cursor::new(bytes)).unwrap().len()
}

#[test]
fn an_old_workbook_that_says_it_is_endless_is_refused_and_costs_no_memory() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files");
    let bytes = std::fs::read(folder.join("old.xls")).unwrap();
    // The record of a sheet's dimensions: kind 0x0200, 14 bytes, then first row, row after the last, and columns.
    let at = bytes.windows(4).position(|four| four == [0x00, 0x02, 14, 0]).unwrap() + 4;
    let mut endless = bytes.clone();
    endless[at + 4..at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    endless[at + 10..at + 12].copy_from_slice(&u16::MAX.to_le_bytes());
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("endless.xls");
    std::fs::write(&path, endless).unwrap();
    let fault = Source::open(&path, &Overrides::default()).err().unwrap();
    assert!(matches!(fault.what, Fault::Workbook(_)), "{fault}");
    assert!(fault.to_string().contains("too far apart"), "{fault}");
}

#[test]
fn a_protected_workbook_says_that_it_needs_its_password_off() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files");
    let mut bytes = std::fs::read(folder.join("protected.xlsx")).unwrap();
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("protected.xlsx");
    std::fs::write(&path, bytes).unwrap();
    let fault = Source::open(&path, &Overrides::default()).err().unwrap();
    assert!(fault.to_string().contains("protected by a password; save it without one"), "{fault}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_damage_ends_in_rows_or_a_refusal(
        name in prop::sample::select(vec!["numbers.xlsx", "open_document.ods", "old.xls"]),
        part in 0..20usize,
        damage in prop::collection::vec((any::<usize>(), prop::sample::select(b"09<>\"/A=:\0\xFF".to_vec())), 1..6),
    ) {
        let original = std::fs::read(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/files").join(name),
        ).unwrap();
        let bytes = if name == "old.xls" {
            let mut bytes = original;
            let length = bytes.len();
            damage.iter().for_each(|(at, byte)| bytes[at % length] = *byte);
            bytes
        } else {
            damaged(&original, part, &damage)
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        if let Ok(source) = Source::open(&path, &Overrides::default()) {
            let _outcome = source.finish();
        }
    }
}
