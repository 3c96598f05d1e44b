//! Rows of a file judged without asking a provider: what becomes an order, and what is refused with which
//! word.

use std::collections::HashMap;

use bulk_topup::admission::{Caps, Judge, Judged, Policy, ProviderRule};
use bulk_topup::domain::{AccountId, Country, Currency, Goods, Order, ProviderKind, Reason, Refusal};
use bulk_topup::intake::{Overrides, RawRow, Source};
use rust_decimal::Decimal;

fn codes(kind: ProviderKind, country: Country, name: &str) -> Option<String> {
    let table: &[(&str, &str)] = match kind {
        ProviderKind::ConnectTopup => {
            &[("viettel", "VTL"), ("vtl", "VTL"), ("mobifone", "VMS"), ("vinaphone", "VNP")]
        }
        ProviderKind::Paynicorn if country == Country::NG => &[("mtn", "NG_MTN"), ("airtel", "NG_AIRTEL")],
        ProviderKind::Paynicorn => &[],
        ProviderKind::Tutom => &[("china unicom", "China Unicom"), ("china mobile", "China Mobile")],
    };
    let name = name.to_lowercase();
    table.iter().find(|(known, _)| *known == name).map(|(_, code)| (*code).to_owned())
}

/// The one rule of a document that the tests need: a multiple of 10,000.
fn offline(order: &Order) -> Result<(), Refusal> {
    let odd = |amount: Decimal| !(amount % Decimal::from(10_000)).is_zero();
    if order.account.kind == ProviderKind::ConnectTopup && order.amount.is_some_and(odd) {
        let message = "the amount is no multiple of 10000".to_owned();
        return Err(Refusal { reason: Reason::UnsupportedAmount, message });
    }
    Ok(())
}

fn policy() -> Policy {
    let rule = |name: &str, kind, countries: &[Country]| ProviderRule {
        name: name.to_owned(),
        account: AccountId::new(kind, name),
        countries: countries.to_vec(),
        sells: None,
    };
    Policy {
        providers: vec![
            rule("vietnam", ProviderKind::ConnectTopup, &[Country::VN]),
            rule("china", ProviderKind::Tutom, &[Country::CN]),
            rule("africa", ProviderKind::Paynicorn, &[Country::NG, Country::parse("GH").unwrap()]),
            rule("vietnam-2", ProviderKind::ConnectTopup, &[Country::VN]),
        ],
        default_country: Some(Country::VN),
        thousands: None,
        caps: Caps::default(),
        allow_duplicates: false,
        operator_code: codes,
        judge_offline: offline,
    }
}

fn judge_with(policy: Policy, text: &str) -> (Vec<Judged>, Judge) {
    let stream = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
    let mut source = Source::from_stream("test.csv", stream, &Overrides::default()).unwrap();
    let mut judge = Judge::new(policy).unwrap();
    let (mut row, mut all) = (RawRow::default(), Vec::new());
    while source.next_row(&mut row).unwrap() {
        let columns = source.columns().clone();
        all.push(judge.row(&columns, &row));
    }
    (all, judge)
}

fn judge(text: &str) -> Vec<Judged> {
    judge_with(policy(), text).0
}

/// One row under a header: the order, or reason and column.
fn one(header: &str, row: &str) -> Result<Order, (Reason, String)> {
    let judged = judge(&format!("{header}\n{row}\n")).remove(0);
    judged.verdict.map_err(|problem| (problem.reason, problem.column))
}

fn reasons(text: &str) -> Vec<Option<Reason>> {
    judge(text).into_iter().map(|judged| judged.verdict.err().map(|problem| problem.reason)).collect()
}

#[test]
fn a_good_row_becomes_the_order_it_says() {
    let order = one("SĐT;Số tiền;Mã NV", "0912345678;20000.00;NV-7").unwrap();
    assert_eq!(order.phone.digits(), "84912345678");
    assert_eq!(order.amount.unwrap().to_string(), "20000");
    assert_eq!((order.provider.as_str(), order.currency), ("vietnam", Some(Currency::VND)));
    assert_eq!((order.operator, order.operator_hint), (None, Some("VNP".to_owned())));
    assert_eq!((order.goods, order.reference), (Goods::Airtime, Some("NV-7".to_owned())));
    assert_eq!(order.row.0, 1);
}

#[test]
fn the_provider_is_picked_by_name_then_country_then_number_then_default() {
    let provider = |row: &str| one("phone,amount,product,country,provider", row).map(|order| order.provider);
    for (row, expect) in [
        ("0912345678,20000,,,", "vietnam"),
        ("0912345678,20000,,,vietnam-2", "vietnam-2"),
        ("+8618610865680,50,6GB,,", "china"),
        ("8618610865680,50,6GB,,", "china"),
        ("18610865680,50,6GB,CN,", "china"),
        ("18610865680,50,6GB,,china", "china"),
        ("08031234567,100,,Nigeria,", "africa"),
        ("+2348031234567,100,,,", "africa"),
        ("+233241234567,5,,,", "africa"),
        ("233241234567,5,,GH,africa", "africa"),
    ] {
        assert_eq!(provider(row).as_deref(), Ok(expect), "{row}");
    }
    for (row, column) in [
        ("+254712345678,20000,,,", "phone"),
        ("0912345678,20000,,,nobody", "provider"),
        ("+8618610865680,20000,,,vietnam", "provider"),
        ("0912345678,20000,,Atlantis,", "country"),
    ] {
        assert_eq!(provider(row), Err((Reason::NoProvider, column.to_owned())), "{row}");
    }
    assert_eq!(provider("18610865680,50,6GB,VN,"), Err((Reason::BadPhone, "phone".to_owned())));
}

#[test]
fn a_problem_names_the_files_own_title_and_the_whole_cell() {
    let problem = judge("SĐT,Số tiền\n091ABCDEFG,1\n").remove(0).verdict.unwrap_err();
    assert_eq!((problem.column.as_str(), problem.value.as_str()), ("SĐT", "091ABCDEFG"));
    assert_eq!(problem.reason, Reason::BadPhone);
    assert!(problem.message.contains('A'), "{}", problem.message);
}

#[test]
fn an_airtime_row_needs_an_amount_and_no_product() {
    let reason = |header: &str, row: &str| one(header, row).map_err(|(reason, _)| reason).err();
    assert_eq!(reason("phone,amount", "0912345678,"), Some(Reason::BadAmount));
    assert_eq!(reason("phone", "0912345678"), Some(Reason::BadAmount));
    assert_eq!(reason("phone,amount,product", "0912345678,20000,6GB"), Some(Reason::UnsupportedProduct));
    assert_eq!(reason("phone,amount,product", "0912345678,20000,AIRTIME"), None);
    assert_eq!(reason("phone,amount", "0912345678,20.000"), Some(Reason::BadAmount));
    assert_eq!(reason("phone,amount", "0912345678,15000"), Some(Reason::UnsupportedAmount));
}

#[test]
fn a_data_row_needs_a_product_and_its_amount_is_a_ceiling_that_may_be_missing() {
    let row = |row: &str| one("phone,amount,product", row);
    let order = row("+8618610865680,46.50,6GB").unwrap();
    assert_eq!((order.goods, order.currency), (Goods::DataSize { megabytes: 6144 }, None));
    assert_eq!(order.amount.unwrap().to_string(), "46.5");
    let order = row("+8618610865680,,23").unwrap();
    assert_eq!((order.goods, order.amount), (Goods::DataProduct("23".to_owned()), None));
    assert_eq!(row("+8618610865680,46,").unwrap_err().0, Reason::UnsupportedProduct);
    assert_eq!(row("+8618610865680,46.000,23").unwrap_err().0, Reason::BadAmount);
}

#[test]
fn an_amount_column_in_another_currency_than_the_providers_is_refused() {
    assert_eq!(one("phone,amount (USD)", "0912345678,20000").unwrap_err().0, Reason::BadAmount);
    assert!(one("phone,amount (VND)", "0912345678,20000").is_ok());
}

#[test]
fn a_named_operator_wins_and_a_different_prefix_is_a_warning() {
    let judged = judge("phone,amount,operator\n0912345678,20000,Viettel\n0912345678,30000,VinaPhone\n");
    let order = judged[0].verdict.as_ref().unwrap();
    assert_eq!((order.operator.as_deref(), order.operator_hint.as_deref()), (Some("VTL"), Some("VNP")));
    assert_eq!(judged[0].warnings.len(), 1);
    assert!(judged[1].warnings.is_empty());
    let unknown = one("phone,amount,operator", "0912345678,20000,Orange");
    assert_eq!(unknown, Err((Reason::UnsupportedOperator, "operator".to_owned())));
}

#[test]
fn a_resellers_number_needs_its_operator_named() {
    for number in ["0551234567", "0871234567", "0998123456", "0999123456"] {
        let refused = one("phone,amount", &format!("{number},20000"));
        assert_eq!(refused, Err((Reason::UnsupportedOperator, "operator".to_owned())), "{number}");
        let named = one("phone,amount,operator", &format!("{number},20000,MobiFone")).unwrap();
        assert_eq!(named.operator.as_deref(), Some("VMS"));
        assert_eq!(named.operator_hint, None);
    }
}

#[test]
fn an_equal_row_is_a_duplicate_however_it_is_spelled() {
    use Reason::DuplicateRow;
    let text = "phone,amount\n0912345678,20000\n+84 912 345 678,20000.00\n0912345678,30000\n0987654321,20000\n912345678,20000\n";
    assert_eq!(reasons(text), [None, Some(DuplicateRow), None, None, Some(DuplicateRow)]);
    let problem = judge(text).remove(4).verdict.unwrap_err();
    assert!(problem.message.contains("row 1 "), "{}", problem.message);
    let allowed = Policy { allow_duplicates: true, ..policy() };
    assert!(judge_with(allowed, text).0.iter().all(|judged| judged.verdict.is_ok()));
}

#[test]
fn only_two_different_references_make_two_orders_of_equal_rows() {
    use Reason::DuplicateRow;
    let row = |reference: &str| format!("0912345678,20000,{reference}\n");
    let of = |references: &[&str]| {
        let rows: String = references.iter().map(|reference| row(reference)).collect();
        reasons(&format!("phone,amount,ref\n{rows}"))
    };
    assert_eq!(of(&["A", "B", "C"]), [None, None, None]);
    assert_eq!(of(&["A", "A", "B"]), [None, Some(DuplicateRow), None]);
    assert_eq!(of(&["A", "", "B"]), [None, Some(DuplicateRow), None]);
    assert_eq!(of(&["", "A"]), [None, Some(DuplicateRow)]);
    assert_eq!(of(&["A", "B", "B", "A"]), [None, None, Some(DuplicateRow), Some(DuplicateRow)]);
}

#[test]
fn a_row_that_is_refused_makes_no_later_row_a_duplicate() {
    let text = "phone,amount,operator\n0912345678,20000,Orange\n0912345678,20000,\n";
    assert_eq!(reasons(text), [Some(Reason::UnsupportedOperator), None]);
}

#[test]
fn caps_hold_for_a_row_a_number_and_a_batch() {
    let cap = |amount: u32| HashMap::from([(Currency::VND, Decimal::from(amount))]);
    let caps = Caps { max_row: cap(50_000), max_number: cap(80_000), max_batch: cap(120_000) };
    let text = "phone,amount\n0912345678,60000\n0912345678,50000\n0912345678,40000\n0912345678,30000\n0987654321,50000\n";
    let (judged, judge) = judge_with(Policy { caps, ..policy() }, text);
    let found: Vec<_> = judged.iter().map(|j| j.verdict.as_ref().err().map(|p| p.reason)).collect();
    assert_eq!(found, [Some(Reason::OverCap), None, Some(Reason::OverCap), None, None]);
    let [over] = judge.over_batch().try_into().unwrap();
    assert_eq!((over.sum, over.cap), (Decimal::from(130_000), Decimal::from(120_000)));
}

#[test]
fn totals_add_up_to_the_rows() {
    let text = "phone,amount,product,operator\n0912345678,20000,,\n0912345678,30000,,Viettel\n0981234567,20000,,\nx,1,,\n+8618610865680,46.5,6GB,\n0912345678,20000,,\n091 234 5678,50000,,\nlong,row,is,ragged,here\n";
    let (_, judge) = judge_with(policy(), text);
    let totals = judge.totals();
    assert_eq!((totals.rows, totals.ready, totals.invalid_rows(), totals.repaired), (8, 5, 3, 1));
    assert_eq!(totals.invalid[&Reason::DuplicateRow], 1);
    assert_eq!(totals.invalid[&Reason::BadPhone], 1);
    assert_eq!(totals.invalid[&Reason::BadRow], 1);
    assert_eq!(totals.lines.iter().map(|line| line.rows).sum::<u64>(), totals.ready);
    let viettel = totals.lines.iter().find(|line| line.operator.as_deref() == Some("VTL")).unwrap();
    assert_eq!((viettel.rows, viettel.sum), (2, Decimal::from(50_000)));
    assert_eq!(totals.by_currency()[&Currency::VND], Decimal::from(120_000));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Ready and invalid rows are all rows, repaired and warned ones are among the ready, and every line of the
    /// totals is the sum of its orders.
    #[test]
    fn whatever_the_rows_are_every_count_adds_up(
        rows in proptest::collection::vec(
            (
                proptest::sample::select(vec![
                    "0912345678", "912345678", "+84 987 654 321", "0551234567", "0871234567", "13012345678", "x", "",
                    "8.49E+10", "08031234567", "+2348031234567", "0199999999", "0541234567",
                ]),
                proptest::sample::select(vec!["20000", "15000", "20.000", "", "-1", "0", "500", "20000.00"]),
                proptest::sample::select(vec!["", "6GB", "airtime", "1"]),
                proptest::sample::select(vec!["", "mtn", "viettel", "nobody"]),
            ),
            0..40,
        ),
        thousands in proptest::sample::select(vec![None, Some('.')]),
    ) {
        let line = |(phone, amount, product, operator): &(&str, &str, &str, &str)| {
            format!("{phone},{amount},{product},{operator}\n")
        };
        let text = format!("phone,amount,product,operator\n{}", rows.iter().map(line).collect::<String>());
        let (judged, judge) = judge_with(Policy { thousands, ..policy() }, &text);
        let totals = judge.totals();
        let ready: Vec<&Judged> = judged.iter().filter(|row| row.verdict.is_ok()).collect();
        let count = |rows: usize| u64::try_from(rows).unwrap();
        proptest::prop_assert_eq!(totals.rows, count(judged.len()));
        proptest::prop_assert_eq!(totals.ready, count(ready.len()));
        proptest::prop_assert_eq!(totals.rows, totals.ready + totals.invalid_rows());
        let repaired = ready.iter().filter(|row| !row.repairs.is_empty()).count();
        let warned = ready.iter().filter(|row| !row.warnings.is_empty()).count();
        proptest::prop_assert_eq!((totals.repaired, totals.warned), (count(repaired), count(warned)));
        proptest::prop_assert_eq!(totals.lines.iter().map(|line| line.rows).sum::<u64>(), totals.ready);
        let asked: Decimal = ready.iter().filter_map(|row| row.verdict.as_ref().ok()?.amount).sum();
        proptest::prop_assert_eq!(totals.lines.iter().map(|line| line.sum).sum::<Decimal>(), asked);
    }
}
