//! Promises over every input: what is written comes back, what is accepted keeps its value, nothing crashes.

use std::io::Read;

use bulk_topup::admission::amount;
use bulk_topup::domain::{Country, Currency};
use bulk_topup::intake::{Overrides, RawRow, Source};
use bulk_topup::numbering::PhonePlan;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Gives its bytes in pieces of the given sizes, to cut them at every place.
struct Pieces(std::io::Cursor<Vec<u8>>, Vec<usize>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.1[self.2 % self.1.len()].min(buffer.len());
        self.2 += 1;
        self.0.read(&mut buffer[..size])
    }
}

fn read(bytes: Vec<u8>, pieces: Vec<usize>) -> Result<Vec<Vec<String>>, String> {
    let stream = Box::new(Pieces(std::io::Cursor::new(bytes), pieces, 0));
    let mut source =
        Source::from_stream("x.csv", stream, &Overrides::default()).map_err(|e| e.to_string())?;
    let (mut row, mut rows) = (RawRow::default(), Vec::new());
    while source.next_row(&mut row).map_err(|e| e.to_string())? {
        rows.push(row.cells.iter().map(str::to_owned).collect());
    }
    Ok(rows)
}

fn written(rows: &[Vec<String>], delimiter: u8, crlf: bool) -> Vec<u8> {
    let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(terminator)
        .flexible(true)
        .from_writer(Vec::new());
    writer.write_record(["phone", "first", "second"]).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

fn encoded(text: &[u8], encoding: u8) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let units = |swap: bool| {
        let mark = [0xFEFF].into_iter();
        mark.chain(text.encode_utf16())
            .flat_map(|u| if swap { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect()
    };
    match encoding {
        0 => text.as_bytes().to_vec(),
        1 => [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
        2 => units(false),
        _ => units(true),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cells_come_back_as_they_were_written(
        rows in prop::collection::vec(prop::collection::vec("[a-z0-9 ,;|\"'\u{E9}ế中\u{1F600}\r\n]{0,8}", 2), 0..20),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        crlf in any::<bool>(),
        encoding in 0..4u8,
        pieces in prop::collection::vec(1..9usize, 1..5),
    ) {
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| [vec!["0912345678".to_owned()], row].concat()).collect();
        let bytes = encoded(&written(&rows, delimiter, crlf), encoding);
        prop_assert_eq!(read(bytes, pieces), Ok(rows));
    }

    #[test]
    fn reading_does_not_depend_on_how_the_bytes_arrive(
        body in "[0-9,;\"\r\n a]{0,60}",
        pieces in prop::collection::vec(1..5usize, 1..5),
    ) {
        let bytes = format!("phone,b\n{body}").into_bytes();
        prop_assert_eq!(read(bytes.clone(), pieces), read(bytes, vec![4096]));
    }

    #[test]
    fn no_bytes_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300), headed in any::<bool>()) {
        let head: &[u8] = if headed { b"phone,amount\n" } else { b"" };
        let _outcome = read([head, &bytes].concat(), vec![7]);
    }

    #[test]
    fn a_number_is_the_same_however_it_is_spelled(
        tail in "[35789][0-9]{8}",
        form in 0..5usize,
        separators in prop::collection::vec(prop::sample::select(vec!["", " ", "-", ".", "\u{A0}"]), 12),
    ) {
        let plan = PhonePlan::load().unwrap();
        let lead = ["0", "84", "+84", "0084", "+840"][form];
        let mut cell = lead.to_owned();
        for (digit, separator) in tail.chars().zip(&separators) {
            cell.push_str(separator);
            cell.push(digit);
        }
        let read = plan.read_phone(&cell, Some(Country::VN), None).unwrap();
        prop_assert_eq!(read.number.digits(), format!("84{tail}"));
        let again = plan.read_phone(read.number.digits(), None, None).unwrap();
        prop_assert_eq!(again.number, read.number);
    }

    #[test]
    fn no_digit_of_an_accepted_cell_is_lost_or_made_up(
        cell in "[+0-9 .()'=\"\u{A0}-]{1,20}",
        country in prop::sample::select(vec![None, Some(Country::VN), Some(Country::CN), Some(Country::NG)]),
        default in prop::sample::select(vec![None, Some(Country::VN), Some(Country::NG)]),
    ) {
        let plan = PhonePlan::load().unwrap();
        if let Ok(read) = plan.read_phone(&cell, country, default) {
            let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
            let national = read.number.national();
            prop_assert!(digits.ends_with(national));
            let lead = digits.strip_suffix(national).unwrap();
            let code = read.number.digits().strip_suffix(national).unwrap();
            let known = ["".to_owned(), "0".to_owned(), code.to_owned(), format!("00{code}"), format!("{code}0"), format!("00{code}0")];
            prop_assert!(known.contains(&lead.to_owned()), "{} {}", lead, code);
            prop_assert!(country.is_none_or(|country| country == read.number.country()));
        }
    }

    #[test]
    fn only_what_looks_like_a_number_is_taken_for_one(cell in "\\PC{0,16}") {
        let plan = PhonePlan::load().unwrap();
        if plan.read_phone(&cell, Some(Country::VN), None).is_ok() {
            let dash = |c: char| ('\u{2010}'..='\u{2015}').contains(&c);
            let plain = cell.chars().all(|c| c.is_ascii() || c.is_whitespace() || dash(c));
            prop_assert!(plain);
        }
    }

    #[test]
    fn an_accepted_amount_is_worth_what_it_says(whole in 0u64..10_000_000, fraction in "[0-9]{0,5}", pad in "0{0,2}") {
        let cell = if fraction.is_empty() { format!("{pad}{whole}") } else { format!("{pad}{whole}.{fraction}") };
        let value: Decimal = format!("{whole}.{fraction}0").parse().unwrap();
        for currency in [None, Some(Currency::VND), Some(Currency::NGN)] {
            if let Ok(amount) = amount::parse(&cell, currency, None) {
                prop_assert_eq!(amount, value);
                prop_assert_ne!(fraction.len(), 3);
            }
        }
    }

    #[test]
    fn no_amount_is_rounded_or_invented(cell in "[0-9.,eE+ -]{0,12}", thousands in prop::sample::select(vec![None, Some('.'), Some(',')])) {
        if let Ok(amount) = amount::parse(&cell, Some(Currency::VND), thousands) {
            let point = if thousands == Some('.') { ',' } else { '.' };
            let plain: String = cell.trim().chars().filter(|c| Some(*c) != thousands).collect();
            let value: Decimal = plain.replace(point, ".").parse().unwrap();
            prop_assert_eq!(amount, value);
            prop_assert!(amount > Decimal::ZERO && amount.fract().is_zero());
        }
    }
}
