//! The pure parts of reading a file: phone cells, amount cells, headers, records, and a row judged.
#![expect(clippy::unwrap_used, reason = "a bench stops at a fault")]

use std::hint::black_box;
use std::io::Cursor;

use bulk_topup::admission::{Caps, Judge, Policy, ProviderRule, amount};
use bulk_topup::domain::{AccountId, Country, Currency, ProviderKind};
use bulk_topup::intake::{Columns, Overrides, RawRow, Source};
use bulk_topup::numbering::PhonePlan;
use bulk_topup::protocol::rules;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: u64 = 10_000;

fn text() -> String {
    let mut text = "phone,amount,product,reference\n".to_owned();
    for row in 0..ROWS {
        text.push_str(&format!("09{:08},20000,airtime,PAY-{row:08}\n", 12_000_000 + row * 7_919));
    }
    text
}

fn source(text: &str) -> Source {
    let stream = Box::new(Cursor::new(text.as_bytes().to_vec()));
    Source::from_stream("bench.csv", stream, &Overrides::default()).unwrap()
}

fn judge() -> Judge {
    let rule = ProviderRule {
        name: "vietnam".to_owned(),
        account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
        countries: vec![Country::VN],
        sells: None,
    };
    Judge::new(Policy {
        providers: vec![rule],
        default_country: Some(Country::VN),
        thousands: None,
        caps: Caps::default(),
        allow_duplicates: false,
        operator_code: rules::operator_code,
        judge_offline: rules::judge_offline,
    })
    .unwrap()
}

fn cells(c: &mut Criterion) {
    let plan = PhonePlan::load().unwrap();
    for (name, cell) in [("plain", "0912345678"), ("spaced", "+84 91-234 5678"), ("wrong", "9.12E+08")] {
        c.bench_function(&format!("phone/{name}"), |b| {
            b.iter(|| plan.read_phone(black_box(cell), None, Some(Country::VN)).is_ok());
        });
    }
    for (name, cell) in [("plain", "20000"), ("decimals", "20000.00"), ("ambiguous", "20.000")] {
        c.bench_function(&format!("amount/{name}"), |b| {
            b.iter(|| amount::parse(black_box(cell), Some(Currency::VND), None).is_ok());
        });
    }
    let header = ["Số điện thoại", "Số tiền", "Sản phẩm", "Ghi chú"];
    c.bench_function("header", |b| b.iter(|| Columns::find(black_box(&header), 1, &[]).is_ok()));
}

fn rows(c: &mut Criterion) {
    let text = text();
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    group.bench_function("split", |b| {
        let mut row = RawRow::default();
        b.iter(|| {
            let mut source = source(&text);
            while source.next_row(&mut row).unwrap() {}
            source.rows()
        });
    });
    group.bench_function("split and judge", |b| {
        let mut row = RawRow::default();
        b.iter(|| {
            let (mut source, mut judge) = (source(&text), judge());
            let columns = source.columns().clone();
            while source.next_row(&mut row).unwrap() {
                black_box(judge.row(&columns, &row));
            }
            judge.totals().ready
        });
    });
    group.finish();
}

criterion_group!(benches, cells, rows);
criterion_main!(benches);
