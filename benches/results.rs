//! One line of a results file, from a row as the ledger keeps it.
#![expect(clippy::unwrap_used, reason = "a bench stops at a fault")]

use std::hint::black_box;
use std::io::sink;

use bulk_topup::domain::{
    AccountId, Attempt, BatchName, Country, Currency, Goods, Money, Order, PhoneNumber, ProviderKind,
    ProviderRef, RowNumber, TransactionId, WallTime,
};
use bulk_topup::lifecycle::{Phase, StoredRow, TopUp};
use bulk_topup::report::{OutputDialect, ResultsWriter, RunView};
use criterion::{Criterion, criterion_group, criterion_main};

fn row(batch: &BatchName) -> StoredRow {
    let (account, row) = (AccountId::new(ProviderKind::ConnectTopup, "demo"), RowNumber(4_711));
    let price = Money::parse("20000", "VND").unwrap();
    let state = TopUp {
        phase: Phase::Succeeded,
        attempt: Attempt(1),
        id: Some(TransactionId::derive(&account, batch, row, Attempt(1))),
        submits: 1,
        message: "done".to_owned(),
        code: Some("0".to_owned()),
        provider_ref: Some(ProviderRef::parse("900000001").unwrap()),
        price: Some(price),
        operator: Some("VTL".to_owned()),
        submitted_at: Some(WallTime(1_780_000_000_000_000)),
        final_at: Some(WallTime(1_780_000_000_250_000)),
        ..TopUp::ready()
    };
    let order = Order {
        row,
        provider: "vietnam".to_owned(),
        account,
        phone: PhoneNumber::new(Country::VN, "84", "912345678").unwrap(),
        goods: Goods::Airtime,
        amount: Some(price.amount),
        currency: Some(Currency::VND),
        operator: None,
        operator_hint: Some("VTL".to_owned()),
        reference: Some("PAY-00004711".to_owned()),
    };
    let cells = ["0912345678", "20000", "airtime", "PAY-00004711"].map(str::to_owned).to_vec();
    StoredRow { row, line: 4_712, cells, order: Some(order), notes: Vec::new(), state }
}

fn line(c: &mut Criterion) {
    let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
    let row = row(&batch);
    let header = ["phone", "amount", "product", "reference"].map(str::to_owned);
    let dialect = OutputDialect { delimiter: b',', crlf: false, bom: false };
    let mut writer = ResultsWriter::new(sink(), dialect, &header, &batch, RunView::default()).unwrap();
    c.bench_function("results/line", |b| b.iter(|| writer.write(black_box(&row)).unwrap()));
    let (order, state) =
        (serde_json::to_string(&row.order).unwrap(), serde_json::to_string(&row.state).unwrap());
    c.bench_function("results/stored order", |b| {
        b.iter(|| serde_json::from_str::<Order>(black_box(&order)).unwrap());
    });
    c.bench_function("results/stored state", |b| {
        b.iter(|| serde_json::from_str::<TopUp>(black_box(&state)).unwrap());
    });
}

criterion_group!(benches, line);
criterion_main!(benches);
