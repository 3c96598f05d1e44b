//! Files as people have them, from their first byte to orders: for each the orders it becomes (number and amount),
//! and every row or file that is refused, with the reason. `cases.csv` is the table.

use std::path::{Path, PathBuf};

use bulk_topup::admission::{Caps, Judge, Policy, ProviderRule};
use bulk_topup::domain::{AccountId, Country, Goods, Order, ProviderKind};
use bulk_topup::intake::{FileFault, Overrides, RawRow, Source};
use bulk_topup::protocol::rules;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake/cases")
}

/// The three providers, and a country for numbers that name none.
fn policy(default: Country, thousands: Option<char>) -> Policy {
    let rule = |name: &str, kind, country| ProviderRule {
        name: name.to_owned(),
        account: AccountId::new(kind, name),
        countries: vec![country],
        sells: None,
    };
    Policy {
        providers: vec![
            rule("vietnam", ProviderKind::ConnectTopup, Country::VN),
            rule("china", ProviderKind::Tutom, Country::CN),
            rule("nigeria", ProviderKind::Paynicorn, Country::NG),
        ],
        default_country: Some(default),
        thousands,
        caps: Caps::default(),
        allow_duplicates: false,
        operator_code: rules::operator_code,
        judge_offline: rules::judge_offline,
    }
}

/// `84912341101=20000`, `8618610865680=6144M`, `8618610865680=23 (50)`.
fn order_text(order: &Order) -> String {
    let amount = order.amount.map(|amount| amount.normalize().to_string());
    let worth = match (&order.goods, amount) {
        (Goods::Airtime, amount) => amount.unwrap_or_default(),
        (Goods::DataProduct(id), amount) => {
            format!("#{id}{}", amount.map(|a| format!("({a})")).unwrap_or_default())
        }
        (Goods::DataSize { megabytes }, amount) => {
            format!("{megabytes}M{}", amount.map(|a| format!("({a})")).unwrap_or_default())
        }
    };
    format!("{}={worth}", order.phone.digits())
}

/// What becomes of a file, in one line.
fn outcome(path: &Path, flags: &str) -> Result<String, FileFault> {
    let flag = |name: &str| {
        let value = flags.split(' ').find_map(|flag| flag.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    };
    let sign = |name: &str| flag(name).and_then(|value| value.chars().next());
    let overrides = Overrides {
        encoding: flag("encoding"),
        delimiter: sign("delimiter"),
        sheet: flag("sheet"),
        map: Vec::new(),
    };
    let mut source = Source::open(path, &overrides)?;
    let (dialect, columns) = (source.dialect().to_string(), source.columns().clone());
    let default = flag("country").map_or(Country::VN, |code| Country::parse(&code).unwrap());
    let mut judge = Judge::new(policy(default, sign("thousands"))).unwrap();
    let (mut row, mut orders, mut problems) = (RawRow::default(), Vec::new(), Vec::new());
    while source.next_row(&mut row)? {
        match judge.row(&columns, &row).verdict {
            Ok(order) => orders.push(order_text(&order)),
            Err(problem) => {
                let beginning: String = problem.message.chars().take(40).collect();
                problems.push(format!("{} {}: {beginning}", row.row, problem.reason));
            }
        }
    }
    let totals = judge.totals();
    assert_eq!(totals.rows, totals.ready + totals.invalid_rows(), "{path:?}");
    assert!(totals.repaired <= totals.ready && totals.warned <= totals.ready, "{path:?}");
    assert_eq!(u64::try_from(orders.len()).unwrap(), totals.ready, "{path:?}");
    assert_eq!(u64::try_from(problems.len()).unwrap(), totals.invalid_rows(), "{path:?}");
    Ok(format!("{dialect} | {} | {}", orders.join(" "), problems.join(" / ")))
}

#[test]
fn every_file_becomes_the_orders_and_refusals_of_the_table() {
    let mut reader = csv::Reader::from_reader(include_str!("cases.csv").as_bytes());
    let (mut wrong, mut count) = (Vec::new(), 0);
    for record in reader.records().map(Result::unwrap) {
        let (name, flags, expect) = (&record[0], &record[1], &record[2]);
        count += 1;
        let path = folder().join(name);
        let got = match outcome(&path, flags) {
            Ok(got) => got,
            Err(fault) => {
                assert_eq!(fault.file, path.display().to_string());
                format!("refused: {}", fault.what)
            }
        };
        if got != *expect {
            wrong.push(format!("{name},{flags},{got:?}\n  instead of {expect:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 90, "the table lost files: {count}");
}

#[test]
fn every_case_stands_in_the_table() {
    let table = include_str!("cases.csv");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == ".gitattributes" || table.contains(&format!("\n{name},")), "{name}");
    }
}
