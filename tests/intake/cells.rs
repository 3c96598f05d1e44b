//! Every way a phone or an amount cell is written, as tables: what it is read as, or why it is refused.

use bulk_topup::admission::amount;
use bulk_topup::domain::{Country, Currency};
use bulk_topup::numbering::{PhonePlan, ReadPhone};

/// Rows of a table in this folder.
fn table(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// `\u{A0}`, `\t`, `\n` in a table stand for the character.
fn unescape(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell.replace("\\t", "\t").replace("\\n", "\n");
    while let Some(at) = rest.find("\\u{") {
        let end = rest[at..].find('}').unwrap() + at;
        text.push_str(&rest[..at]);
        text.push(char::from_u32(u32::from_str_radix(&rest[at + 3..end], 16).unwrap()).unwrap());
        rest = rest[end + 1..].to_owned();
    }
    text + &rest
}

/// The name of an enum's variant.
fn variant(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

fn notes_hold(read: &ReadPhone<'_>, note: &str) -> bool {
    let repairs: Vec<String> = read.repairs.iter().map(|r| variant(&r)).collect();
    let plain: Vec<&str> = note.split(' ').filter(|n| !n.is_empty()).collect();
    if note == "-" {
        return repairs.is_empty() && read.warning.is_none();
    }
    if let Some(rest) = note.strip_prefix("op=") {
        let (operator, more) =
            rest.find(" mark=").or(rest.find(" warn=")).map_or((rest, ""), |at| rest.split_at(at));
        let warned = read.warning.as_ref().map(variant).unwrap_or_default();
        let marked = read.mark.as_ref().map(variant).unwrap_or_default();
        let special = match more.trim().split_once('=') {
            Some(("mark", mark)) => marked == mark && warned == "Marked",
            Some((_, warning)) => marked.is_empty() && warned == warning,
            None => marked.is_empty() && warned.is_empty(),
        };
        return read.operator_hint.unwrap_or("none") == operator && special;
    }
    plain.is_empty() || repairs == plain
}

#[test]
fn every_phone_cell_of_the_table_is_read_or_refused_as_it_says() {
    let plan = PhonePlan::load().unwrap();
    let country = |cell: &str| (!cell.is_empty()).then(|| Country::parse(cell).unwrap());
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in table(include_str!("cells.csv")) {
        let [cell, column, default, expect, note] = row.as_slice() else { panic!("{row:?}") };
        count += 1;
        let text = unescape(cell);
        let read = plan.read_phone(&text, country(column), country(default));
        let right = match &read {
            Ok(read) => read.number.digits() == expect && notes_hold(read, note),
            Err(problem) => {
                let prefixes = note.replace("old=", "").replace("new=", "");
                let words = problem.to_string();
                variant(problem) == *expect && prefixes.split(' ').all(|prefix| words.contains(prefix))
            }
        };
        if !right {
            wrong.push(format!("{row:?} -> {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 400, "the table lost rows: {count}");
}

#[test]
fn no_problem_repeats_the_number() {
    let plan = PhonePlan::load().unwrap();
    for row in table(include_str!("cells.csv")) {
        let text = unescape(&row[0]);
        if let Err(problem) = plan.read_phone(&text, Some(Country::VN), None) {
            let shown: String = problem.to_string().chars().filter(char::is_ascii_digit).collect();
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            assert!(digits.len() < 8 || !shown.contains(&digits[digits.len() - 8..]), "{problem}");
        }
    }
}

#[test]
fn every_amount_cell_of_the_table_is_read_or_refused_as_it_says() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in table(include_str!("amounts.csv")) {
        let [cell, currency, thousands, expect] = row.as_slice() else { panic!("{row:?}") };
        count += 1;
        let currency = Currency::parse(currency).ok();
        let read = amount::parse(&unescape(cell), currency, thousands.chars().next());
        let got = match &read {
            Ok(amount) => amount.normalize().to_string(),
            Err(problem) => variant(problem),
        };
        if got != *expect {
            wrong.push(format!("{row:?} -> {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 120, "the table lost rows: {count}");
}
