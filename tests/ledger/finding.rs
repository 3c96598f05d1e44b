//! Rows found for a person: by phase, by number, over all batches.

use bulk_topup::domain::SubmitMeaning;
use bulk_topup::ledger::{BatchId, LedgerError, RowFilter};
use bulk_topup::lifecycle::Phase;

use crate::fixture::{Fixture, account, admit, admitted, answered, intent, new_batch, order};

#[test]
fn rows_are_found_by_what_is_asked_and_by_nothing_else() {
    let fixture = Fixture::new();
    let mut ledger = fixture.ledger();
    let second = admit(&mut ledger, &new_batch("other-11112222"), [admitted(3), admitted(4)]);
    let writer = fixture.writer();
    fixture.live(&writer, 1, &[intent(1, 1), answered(1, SubmitMeaning::Succeeded)]);
    fixture.live(&writer, 2, &[intent(2, 1), answered(2, SubmitMeaning::Pending)]);
    fixture.live(&writer, 3, &[intent(3, 1), answered(3, SubmitMeaning::Failed)]);
    let reader = fixture.reader();
    let first = fixture.batch;
    let found = |batch: Option<BatchId>, phases: &[Phase], rows: &[u64], limit: usize| {
        let numbers = rows.iter().map(|row| order(*row).phone.digits().to_owned()).collect();
        let filter = RowFilter { batch, phases: phases.to_vec(), numbers };
        let mut all = Vec::new();
        let each = |batch, row: bulk_topup::lifecycle::StoredRow| {
            all.push((batch == second, row.row.0));
            Ok::<_, LedgerError>(all.len() < limit)
        };
        reader.find_rows(&filter, each).unwrap();
        all
    };
    assert_eq!(found(None, &[], &[], 100).len(), 12);
    assert_eq!(found(Some(first), &[], &[], 3), [(false, 1), (false, 2), (false, 3)]);
    assert_eq!(found(None, &[Phase::Pending, Phase::Unknown], &[], 100), [(false, 2)]);
    assert_eq!(found(None, &[Phase::Succeeded, Phase::Failed], &[], 100), [(false, 1), (false, 3)]);
    assert_eq!(found(None, &[], &[3], 100), [(false, 3), (true, 3)]);
    assert_eq!(found(Some(second), &[], &[3, 4], 100), [(true, 3), (true, 4)]);
    assert_eq!(found(None, &[Phase::Ready], &[3, 4], 100), [(false, 4), (true, 3), (true, 4)]);
    assert_eq!(found(None, &[Phase::Pending], &[2], 100), [(false, 2)]);
    assert_eq!(found(Some(second), &[Phase::Asking], &[], 100), []);
    assert_eq!(reader.work_of(first, &account()).unwrap(), (6, 1));
    assert_eq!(reader.work_of(second, &account()).unwrap(), (2, 0));
    assert_eq!(reader.open_rows_by_provider().unwrap(), [("vietnam".to_owned(), 1)]);
    let phases = reader.phase_counts(first).unwrap();
    assert_eq!(phases.iter().map(|(_, rows)| rows).sum::<u64>(), 10);
    assert!(phases.contains(&(Phase::Ready, 6)) && phases.contains(&(Phase::Invalid, 1)));
}
