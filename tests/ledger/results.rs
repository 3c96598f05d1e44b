//! The results file on disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use bulk_topup::domain::{BatchName, RowNumber, SubmitMeaning};
use bulk_topup::ledger::{ResultsFileError, results_path_is_ours, write_results_file};

use crate::fixture::{Fixture, ROWS, answered, intent};

fn name() -> BatchName {
    BatchName::parse("pay-0a1b2c3d").unwrap()
}

#[test]
fn a_results_file_holds_every_row_in_order_with_the_inputs_cells() {
    let fixture = Fixture::new();
    let writer = fixture.writer();
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Succeeded)]);
    let path = fixture.folder.path().join("pay.results.csv");
    write_results_file(&fixture.reader(), fixture.batch, &path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    assert_eq!(text.matches("\r\n").count(), 11);
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(u64::try_from(rows.len()).unwrap(), ROWS);
    for (row, number) in rows.iter().zip(1..) {
        assert_eq!((&row[0], &row[1]), (format!("0{}", 912_345_600 + number).as_str(), "'=note \u{1F600}"));
        assert_eq!((&row[19], &row[20]), ("pay-0a1b2c3d", number.to_string().as_str()));
    }
    assert_eq!((&rows[0][2], &rows[1][2], &rows[9][2]), ("not_sent", "succeeded", "invalid"));
    assert_eq!(&rows[9][5], "no such prefix (a lost zero was put back)");
}

#[test]
fn results_are_replaced_by_newer_ones_and_leave_nothing_beside_them() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("out").join("pay.results.csv");
    fs::create_dir(path.parent().unwrap()).unwrap();
    write_results_file(&fixture.reader(), fixture.batch, &path).unwrap();
    let before = fs::read(&path).unwrap();
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    write_results_file(&fixture.reader(), fixture.batch, &path).unwrap();
    assert_ne!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_not_this_batchs_results_is_never_overwritten() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("pay.results.csv");
    assert_eq!(results_path_is_ours(&fixture.path, &path, &name()), Ok(()));
    for text in ["", "phone,amount\n09,1\n", "topup_batch,topup_row\nother-11112222,1\n", "topup_batch\n"] {
        fs::write(&path, text).unwrap();
        let foreign = results_path_is_ours(&fixture.path, &path, &name()).unwrap_err();
        assert!(matches!(foreign, ResultsFileError::Foreign { .. }), "{text:?}");
        let refused = write_results_file(&fixture.reader(), fixture.batch, &path).unwrap_err();
        assert_eq!(refused, foreign);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, "topup_batch,topup_row\npay-0a1b2c3d,1\n").unwrap();
    assert_eq!(results_path_is_ours(&fixture.path, &path, &name()), Ok(()));
    let folder = fixture.folder.path();
    assert!(matches!(
        results_path_is_ours(&fixture.path, folder, &name()),
        Err(ResultsFileError::Foreign { .. })
    ));
}

#[test]
fn a_folder_that_is_not_there_is_told_before_anything_is_sent() {
    let fixture = Fixture::new();
    let nowhere = fixture.folder.path().join("none").join("x.csv");
    assert!(matches!(
        results_path_is_ours(&fixture.path, &nowhere, &name()),
        Err(ResultsFileError::Io { .. })
    ));
}

#[test]
fn a_link_is_written_through_and_a_link_to_nothing_refused() {
    let fixture = Fixture::new();
    let real = fixture.folder.path().join("real.csv");
    let link = fixture.folder.path().join("link.csv");
    symlink(&real, &link).unwrap();
    assert!(write_results_file(&fixture.reader(), fixture.batch, &link).is_err());
    write_results_file(&fixture.reader(), fixture.batch, &real).unwrap();
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1)]);
    write_results_file(&fixture.reader(), fixture.batch, &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("unknown"));
    assert!(fixture.reader().row(fixture.batch, RowNumber(1)).unwrap().is_some());
}
