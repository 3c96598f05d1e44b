//! The fault profile is read as its page says.

use std::time::Duration;

use super::super::faults::KEYS;
use super::*;

#[test]
fn every_key_is_read_and_documented() {
    let page = include_str!("../faults.rs");
    for key in KEYS {
        let value = match *key {
            "checksum" => "sha1",
            "rate" => "40/s",
            key if key.starts_with("callback") => "http://127.0.0.1:80/x",
            key if key.contains("late") && key != "late"
                || ["settle", "not_found_for", "reverse_after"].contains(&key) =>
            {
                "20ms"
            }
            _ => "1",
        };
        let value = if *key == "lookup_truncate" { "1" } else { value };
        Faults::parse(&format!("{key}={value}")).unwrap_or_else(|fault| panic!("{key}: {fault}"));
        let documented = page.lines().filter(|line| line.contains("///") && line.contains(key)).count();
        assert!(documented > 0 || key.ends_with("lookup_code"), "{key}");
    }
}

#[test]
fn a_percentage_becomes_millionths() {
    let faults = Faults::parse("drop_before=2, drop_after=0.0001,late=100").unwrap();
    assert_eq!(faults.drop_before.per_million(), 20_000);
    assert_eq!(faults.drop_after.per_million(), 1);
    assert_eq!(faults.late.per_million(), 1_000_000);
    assert_eq!(Faults::parse("").unwrap().settle, Duration::from_secs(2));
}

#[test]
fn a_wrong_key_or_value_is_named() {
    let fault = Faults::parse("drop_befor=2").unwrap_err();
    assert!(fault.contains("drop_befor`") && fault.contains("drop_before"), "{fault}");
    for text in ["drop_before", "late=101", "late=-1", "late=x", "settle=2", "settle=2y", "rate=4/h"] {
        assert!(Faults::parse(text).is_err(), "{text}");
    }
    for text in ["duplicate_ok=yes", "vnd_balance=1.5", "checksum=md5", "callback_tutom=https://a/"] {
        assert!(Faults::parse(text).is_err(), "{text}");
    }
}
