//! What `check` promises, through the built program: counts that add up, every problem named, plans that hold,
//! nothing spent and, without `--online`, nobody asked.
#![expect(clippy::unwrap_used, reason = "a program that does not start is a failed test")]

use std::path::PathBuf;
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn sample(&self, name: &str) {
        let original = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
        std::fs::copy(original, self.path(PathBuf::from(name).file_name().unwrap().to_str().unwrap()))
            .unwrap();
    }

    /// Runs the program in this folder with its sandbox.
    fn go(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        command.args(words).arg("--sandbox").current_dir(self.folder.path());
        command.env("XDG_DATA_HOME", self.path("data"));
        command.env_remove("BULK_TOPUP_CONFIG").output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.go(&[words, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)))
    }
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Ready and invalid rows are all rows; every invalid row is a problem; the totals count every ready row.
fn assert_adds_up(told: &Value) {
    let number = |value: &Value| value.as_u64().unwrap();
    let problems = told["problems"].as_array().unwrap();
    assert_eq!(number(&told["rows"]), number(&told["ready"]) + number(&told["invalid"]), "{told}");
    assert_eq!(u64::try_from(problems.len()).unwrap(), number(&told["invalid"]), "{told}");
    let summed: u64 = told["totals"].as_array().unwrap().iter().map(|line| number(&line["rows"])).sum();
    assert_eq!(summed, number(&told["ready"]), "{told}");
    let rows: Vec<u64> = problems.iter().map(|problem| number(&problem["row"])).collect();
    assert!(rows.is_sorted(), "in the order of the file: {rows:?}");
    let keys: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["fingerprint", "invalid", "problems", "ready", "rows", "schema", "totals"]);
}

#[test]
fn every_dialect_of_the_samples_is_read_as_its_user_meant_it() {
    let place = Place::new();
    let airtime = "80000";
    for (name, words, rows, sum) in [
        ("excel-unicode-text.txt", "UTF-16LE with BOM, tab", 3, airtime),
        ("excel-vietnamese.csv", "UTF-8 with BOM, semicolon", 3, airtime),
        ("windows-1258.csv", "windows-1258, semicolon", 3, airtime),
        ("bars.txt", "UTF-8, bar", 3, airtime),
        ("tabs.tsv", "UTF-8, tab", 3, airtime),
        ("workbook.xlsx", "workbook, sheet \"T11\"", 3, airtime),
        ("libreoffice.ods", "workbook, sheet \"T11\"", 3, "90000"),
        ("gb18030.csv", "gb18030, comma", 2, "0"),
    ] {
        place.sample(&format!("dialects/{name}"));
        let output = place.go(&["check", name]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        assert!(said(&output).contains(words), "{name}: {}", said(&output));
        let told = place.json(&["check", name]);
        assert_adds_up(&told);
        assert_eq!(told["ready"], rows, "{name}");
        let sums = told["totals"].as_array().unwrap().iter();
        let whole: u64 = sums.map(|line| line["sum"].as_str().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(whole.to_string(), sum, "{name}");
    }
}

#[test]
fn each_typical_mistake_is_named_with_its_place_and_what_to_do() {
    let place = Place::new();
    place.sample("mistakes.csv");
    let told = place.json(&["check", "mistakes.csv", "--problems", "wrong.csv"]);
    assert_adds_up(&told);
    assert_eq!((&told["ready"], &told["invalid"]), (&4.into(), &24.into()));
    for (row, reason, word) in [
        (4, "bad_phone", "Excel dropped digits"),
        (5, "bad_phone", "two numbers"),
        (6, "bad_phone", "letter 'O'"),
        (7, "bad_phone", "extension"),
        (8, "bad_phone", "083"),
        (9, "bad_phone", "fixed line"),
        (10, "bad_phone", "9 digits"),
        (11, "bad_phone", "empty"),
        (12, "bad_phone", "U+FF10"),
        (13, "bad_amount", "--thousands"),
        (14, "bad_amount", "the number alone"),
        (15, "bad_amount", "E notation"),
        (16, "bad_amount", "negative"),
        (17, "bad_amount", "missing"),
        (18, "unsupported_amount", "10000 and 20000"),
        (19, "unsupported_operator", "no operator"),
        (21, "duplicate_row", "row 20"),
        (22, "bad_row", "4 cells"),
        (23, "bad_row", "6 cells"),
        (24, "bad_phone", "country column"),
        (25, "bad_phone", "an error of the spreadsheet"),
        (26, "bad_phone", "too narrow"),
        (27, "bad_phone", "a total, a note"),
        (28, "bad_amount", "a date"),
    ] {
        let problems = told["problems"].as_array().unwrap();
        let found = problems.iter().find(|problem| problem["row"] == row).unwrap_or_else(|| panic!("{row}"));
        assert_eq!((&found["reason"], &found["line"]), (&reason.into(), &(row + 1).into()), "{found}");
        assert!(found["message"].as_str().unwrap().contains(word), "{found}");
    }
    let listed = std::fs::read_to_string(place.path("wrong.csv")).unwrap();
    assert!(listed.starts_with("\u{feff}row,line,column,value,reason,message\r\n"), "{listed}");
    assert_eq!(csv::Reader::from_reader(listed.as_bytes()).records().count(), 24);
    let again = place.go(&["check", "mistakes.csv", "--problems", "wrong.csv"]);
    assert_eq!(again.status.code(), Some(2), "a file that stands there is not overwritten");
    assert_eq!(std::fs::read_to_string(place.path("wrong.csv")).unwrap(), listed);
}

#[test]
fn numbers_are_masked_on_the_screen_unless_they_are_asked_for() {
    let place = Place::new();
    place.write("a.csv", "phone,amount\n0912341101,20000\n0912341101,20000\n02812345678,20000\n");
    let output = place.go(&["check", "a.csv"]);
    assert!(
        !said(&output).contains("0912341101") && said(&output).contains("0912***101"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("02812345678"), "{}", said(&output));
    let whole = place.go(&["check", "a.csv", "--show-phones"]);
    assert!(said(&whole).contains("0912341101") && said(&whole).contains("02812345678"), "{}", said(&whole));
}

#[test]
fn repairs_and_warnings_name_their_rows() {
    let place = Place::new();
    let rows: String = (0..12).map(|i| format!("9123411{i:02},20000\n")).collect();
    place.write("a.csv", &format!("phone,amount\n{rows}0871234515,20000,\n").replace("20000,\n", "20000\n"));
    let text = said(&place.go(&["check", "a.csv"]));
    assert!(
        text.contains("leading 0 restored (12 rows: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more)"),
        "{text}"
    );
}

#[test]
fn an_operator_that_only_the_prefix_tells_is_shown_as_a_hint() {
    let place = Place::new();
    place.write(
        "a.csv",
        "phone,amount,operator\n0912341101,20000,VNP\n0981234102,20000,\n0981234103,20000,\n",
    );
    let text = said(&place.go(&["check", "a.csv"]));
    assert!(text.contains("operator by prefix in 2 rows: a hint, the provider decides"), "{text}");
    place.write("b.csv", "phone,amount\n0912341101,20000\n");
    let text = said(&place.go(&["check", "b.csv"]));
    assert!(text.contains("operator by prefix: a hint, the provider decides"), "{text}");
    place.write("c.csv", "phone,amount,operator\n0912341101,20000,VNP\n");
    let text = said(&place.go(&["check", "c.csv"]));
    assert!(text.contains("VNP") && !text.contains("by prefix"), "{text}");
}

#[test]
fn a_title_that_is_mapped_wins_over_the_aliases() {
    let place = Place::new();
    place.sample("own-titles.csv");
    assert_eq!(place.json(&["check", "own-titles.csv"])["ready"], 0, "its Phone column is another one");
    let map = ["--map", "phone=mobile no. (SELF)", "--map", "amount=Bonus"];
    let told = place.json(&[["check", "own-titles.csv"].as_slice(), &map].concat());
    assert_eq!(told["ready"], 2, "{told}");
    for (map, words) in [
        ("phone=Mobil", "\"Mobile no. (self)\", \"Phone\", \"Bonus\", \"Name\""),
        ("fone=Phone", "none of the columns with a meaning"),
    ] {
        let output = place.go(&["check", "own-titles.csv", "--map", map]);
        assert_eq!(output.status.code(), Some(2), "{map}");
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    let run = [["run", "own-titles.csv", "--yes"].as_slice(), &map].concat();
    assert_eq!(place.go(&run).status.code(), Some(0));
    let results = std::fs::read_to_string(place.path("own-titles.sandbox.results.csv")).unwrap();
    assert!(results.contains(",84912341101,20000,VND,") && results.contains(",84981234502,50000,VND,"));
}

#[test]
fn a_retry_that_forgets_the_map_is_refused_before_it_compares_other_cells() {
    let place = Place::new();
    place.write("a.csv", "Own,phone,amount\n0912341109,0912341102,20000\n0912,0912341103,20000\n");
    let ran = place.go(&["run", "a.csv", "--yes", "--map", "phone=Own"]);
    assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
    let results = std::fs::read_to_string(place.path("a.sandbox.results.csv")).unwrap();
    assert!(results.contains(",84912341109,20000,VND,") && results.contains("invalid"), "{results}");
    let output = place.go(&["retry", "a.sandbox.results.csv", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--map"), "{}", said(&output));
}

#[test]
fn standard_input_is_checked_like_a_file() {
    let place = Place::new();
    place.write("a.csv", "phone,amount\n0912341101,20000\n");
    let input = std::fs::File::open(place.path("a.csv")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.args(["check", "-", "--sandbox"]).stdin(input).env("XDG_DATA_HOME", place.path("data"));
    let output = command.output().unwrap();
    assert!(said(&output).contains("standard input: 1 row"), "{}", said(&output));
}

#[test]
fn online_the_providers_tell_operator_product_and_price_and_are_charged_nothing() {
    let place = Place::new();
    let file = "phone,amount,product,country\n0912341101,20000,,VN\n13012345678,,6GB,CN\n18610865680,1,23,CN\n\
                08031234501,1000,,NG\n08031234502,7,,NG\n";
    place.write("a.csv", file);
    let offline = place.json(&["check", "a.csv", "--ledger", "new.db"]);
    let charges = || std::fs::read_to_string(place.path("new.charges.ndjson")).unwrap_or_default();
    assert_eq!(offline["ready"], 5, "{offline}");
    let online = place.json(&["check", "a.csv", "--ledger", "new.db", "--online"]);
    assert_adds_up(&online);
    assert_eq!(online["ready"], 3, "{online}");
    let problems = online["problems"].as_array().unwrap();
    assert!(problems.iter().any(|p| p["row"] == 3 && p["message"].as_str().unwrap().contains("more than")));
    assert!(problems.iter().any(|p| p["row"] == 5 && p["reason"] == "unsupported_amount"), "{online}");
    let lines = online["totals"].as_array().unwrap();
    let china = lines.iter().find(|line| line["provider"] == "china").unwrap();
    assert_eq!((&china["operator"], &china["currency"]), (&"China Unicom".into(), &"USD".into()));
    assert_eq!((china["unpriced"].as_u64(), china["sum"] == "0"), (Some(0), false), "{china}");
    assert_ne!(online["fingerprint"], offline["fingerprint"]);
    let balance = said(&place.go(&["check", "a.csv", "--ledger", "new.db", "--online"]));
    assert!(balance.contains("balance 500,000,000 VND: enough"), "{balance}");
    assert_eq!(charges(), "", "a check reached a provider's till");
}

#[test]
fn a_plan_lets_exactly_what_was_checked_be_sent() {
    let place = Place::new();
    place.write("a.csv", "phone,amount,product,country\n0912341101,20000,,VN\n13012345678,,6GB,CN\n");
    let made = place.go(&["check", "a.csv", "--online", "--write-plan", "plan.json"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let plan = std::fs::read_to_string(place.path("plan.json")).unwrap();
    let told: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(told["fingerprint"], place.json(&["check", "a.csv", "--online"])["fingerprint"]);
    let refused = |words: &[&str], why: &str| {
        let output = place.go(words);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(!place.path("a.sandbox.results.csv").exists(), "{}", said(&output));
    };
    let run = ["run", "a.csv", "--plan", "plan.json"];
    refused(&run, "nobody is here to confirm");
    refused(&[run.as_slice(), &["--yes", "--allow-duplicates"]].concat(), "flags.allow_duplicates was false");
    refused(
        &[run.as_slice(), &["--yes", "--expect-total", "VND=20000"]].concat(),
        "not the total of the plan",
    );
    place.write("edited.json", &plan.replace("\"ready\": 2", "\"ready\": 1"));
    refused(&["run", "a.csv", "--plan", "edited.json", "--yes"], "changed after it was made");
    place.write("a.csv", "phone,amount,product,country\n0912341101,30000,,VN\n13012345678,,6GB,CN\n");
    refused(&[run.as_slice(), &["--yes"]].concat(), "its bytes changed");
    place.write("a.csv", "phone,amount,product,country\n0912341101,20000,,VN\n13012345678,,6GB,CN\n");
    let sent = place.go(&[run.as_slice(), &["--yes"]].concat());
    assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));
    assert_eq!(place.go(&["check", "a.csv", "--write-plan", "plan.json"]).status.code(), Some(2));
}

#[test]
fn a_file_nearly_the_same_as_one_of_late_is_named_with_the_rows_that_differ() {
    let place = Place::new();
    let rows = |last: u32| {
        (0..10).map(|i| format!("09123411{i:02},20000\n")).collect::<String>()
            + &format!("09123412{last:02},20000\n")
    };
    place.write("a.csv", &format!("phone,amount\n{}", rows(1)));
    assert_eq!(place.go(&["run", "a.csv", "--yes", "--ledger", "l.db"]).status.code(), Some(0));
    place.write("b.csv", &format!("phone,amount\n{}", rows(2)));
    let text = said(&place.go(&["check", "b.csv", "--ledger", "l.db"]));
    assert!(text.contains("nearly the same as batch sandbox-a-"), "{text}");
    assert!(text.contains("10 of 11 rows are equal") && text.contains("row 11 differs"), "{text}");
    assert!(text.contains("10 recent_repeat"), "{text}");
    place.write("c.csv", "phone,amount\n0912341100,20000\n0981234501,20000\n0981234502,20000\n");
    let other = said(&place.go(&["check", "c.csv", "--ledger", "l.db"]));
    assert!(!other.contains("nearly the same"), "{other}");
}

#[test]
fn whatever_a_file_holds_the_counts_add_up() {
    let place = Place::new();
    let phone = prop_oneof![
        3 => (0u32..40).prop_map(|n| format!("09123411{n:02}")),
        1 => (0u32..40).prop_map(|n| format!("+84 98 123 45 {n:02}")),
        1 => "[0-9+ .'Ee]{0,14}",
        1 => Just("13012345678".to_owned()),
    ];
    let amount = prop_oneof![Just("20000".to_owned()), Just("15000".to_owned()), "[0-9.,-]{0,8}"];
    let product =
        prop_oneof![3 => Just(String::new()), 1 => Just("6GB".to_owned()), 1 => Just("x".to_owned())];
    let row = (phone, amount, product, 0..20u8).prop_map(|(phone, amount, product, ragged)| {
        let end = if ragged == 0 { ",extra" } else { "" };
        format!("\"{phone}\",\"{amount}\",{product}{end}\n")
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
    runner
        .run(&prop::collection::vec(row, 1..60), |rows| {
            place.write("p.csv", &format!("phone,amount,product\n{}", rows.concat()));
            assert_adds_up(&place.json(&["check", "p.csv"]));
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_encoding_a_delimiter_and_a_sheet_that_are_named_are_used_and_stated() {
    let place = Place::new();
    let text = "phone,name;amount\n0912341101,Jos\u{e9};20000\n";
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    std::fs::write(place.path("a.csv"), bytes).unwrap();
    let named = ["--encoding", "windows-1258", "--delimiter", ","];
    let output = place.go(&[["check", "a.csv"].as_slice(), &named].concat());
    assert!(said(&output).contains("a.csv: 1 row (windows-1258, comma)"), "{}", said(&output));
    let next = said(&output);
    assert!(!next.contains("Next bulk-topup"), "no amount column, nothing to run: {next}");
    let output = place.go(&["check", "a.csv", "--encoding", "latin9"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no encoding is called \"latin9\""), "{}", said(&output));
    let sheets =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/intake/cases/wb_empty_sheet_first.xlsx");
    std::fs::copy(sheets, place.path("b.xlsx")).unwrap();
    let output = place.go(&["check", "b.xlsx", "--sheet", "Data"]);
    assert!(said(&output).contains("b.xlsx: 1 row (workbook, sheet \"Data\")"), "{}", said(&output));
    assert!(said(&output).contains("bulk-topup run b.xlsx --sheet Data"), "{}", said(&output));
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_name_and_leaves_nothing() {
    let place = Place::new();
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/intake");
    let mut refused: Vec<PathBuf> = Vec::new();
    for (table, folder) in [("files.csv", "files"), ("cases.csv", "cases")] {
        let mut reader = csv::Reader::from_path(tests.join(table)).unwrap();
        for record in reader.records().map(Result::unwrap) {
            let (name, expect) = (record.get(0).unwrap(), record.get(record.len() - 1).unwrap());
            let plain = record.len() == 2 || record.get(1) == Some("");
            if plain && (expect.starts_with("refused: ") || record.len() == 2 && !expect.contains('|')) {
                refused.push(tests.join(folder).join(name));
            }
        }
    }
    assert!(refused.len() > 45, "{}", refused.len());
    for (index, file) in refused.iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap();
        std::fs::copy(file, place.path(name)).unwrap();
        let command = if index % 2 == 0 {
            vec!["check", name, "--problems", "p.csv"]
        } else {
            vec!["run", name, "--yes"]
        };
        let output = place.go(&command);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
        assert!(output.stdout.is_empty() && said(&output).contains(name), "{name}: {}", said(&output));
        std::fs::remove_file(place.path(name)).unwrap();
    }
    let left: Vec<_> =
        std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "data"), "{left:?}");
}

#[test]
fn the_first_ten_of_each_cause_are_named_and_the_list_for_excel_has_all_disarmed() {
    let place = Place::new();
    let bad: String = (0..13).map(|n| format!("=1+{n},20000\n")).collect();
    let empty: String = (0..3).map(|n| format!("09123411{n:02},-5\n")).collect();
    place.write("a.csv", &format!("phone,amount\n{bad}{empty}"));
    let output = place.go(&["check", "a.csv", "--problems", "p.csv"]);
    let text = said(&output);
    assert!(text.contains("13 bad_phone") && text.contains("row 10 (line 11)"), "{text}");
    assert!(!text.contains("row 11 (line 12)") && text.contains("and 3 more"), "{text}");
    assert!(text.contains("3 bad_amount") && text.contains("row 16 (line 17)"), "{text}");
    assert!(text.contains("no row can be sent as it stands"), "{text}");
    let listed = std::fs::read_to_string(place.path("p.csv")).unwrap();
    assert!(listed.starts_with('\u{feff}') && listed.matches("\r\n").count() == 17, "{listed}");
    let mut reader = csv::Reader::from_reader(listed.trim_start_matches('\u{feff}').as_bytes());
    let values: Vec<String> = reader.records().map(|row| row.unwrap().get(3).unwrap().to_owned()).collect();
    assert_eq!(values[0], "'=1+0", "a spreadsheet must not run it");
    assert_eq!(values[13], "-5", "a number is none to be disarmed");
    assert_eq!(values.len(), 16);
}

#[test]
fn how_long_sending_takes_follows_from_the_limits_and_the_sums_stand_there() {
    let place = Place::new();
    let rows: String =
        (0..90).map(|n| format!("09123411{n:02},20000,VN\n080312345{n:02},500,NG\n")).collect();
    place.write("a.csv", &format!("phone,amount,country\n{rows}"));
    let text = said(&place.go(&["check", "a.csv"]));
    // 90 submits at 20 a second for each provider, beside each other; two look-ups each at 40 a second.
    assert!(text.contains("total 45,000 NGN + 1,800,000 VND; sending takes about 5s"), "{text}");
}

#[test]
fn a_run_warns_of_a_file_that_is_nearly_one_of_late_and_sends_only_what_differs() {
    let place = Place::new();
    let rows = |last: &str| (0..9).map(|n| format!("091234110{n},20000\n")).collect::<String>() + last;
    place.write("a.csv", &format!("phone,amount\n{}", rows("0981234501,20000\n")));
    assert_eq!(place.go(&["run", "a.csv", "--yes", "--ledger", "l.db"]).status.code(), Some(0));
    place.write("b.csv", &format!("phone,amount\n{}", rows("0981234502,20000\n")));
    let output = place.go(&["run", "b.csv", "--yes", "--ledger", "l.db"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("WARNING: this file is nearly the same as batch sandbox-a-"), "{text}");
    assert!(text.contains("9 of 10 rows are equal") && text.contains("row 10 differs"), "{text}");
    let charges = std::fs::read_to_string(place.path("l.charges.ndjson")).unwrap();
    assert_eq!(charges.matches(r#""event":"request""#).count(), 11, "ten rows, then the new one");
}

#[test]
fn a_number_in_a_column_that_is_not_the_phone_column_is_masked_too() {
    let place = Place::new();
    place.write("a.csv", "phone,amount\n20000,0981234502\n0912341101,0981234502\n");
    let text = said(&place.go(&["check", "a.csv"]));
    assert!(!text.contains("981234502"), "{text}");
    assert!(said(&place.go(&["check", "a.csv", "--show-phones"])).contains("981234502"));
    place.write("b.csv", "INSERT INTO t (phone, amount) VALUES ('0981234502', 1)\n");
    let output = place.go(&["check", "b.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!said(&output).contains("0981234502"), "{}", said(&output));
}

#[test]
fn a_run_that_is_refused_does_not_hide_the_sandbox_batch_before_it() {
    let place = Place::new();
    place.write("a.csv", "phone,amount\n0912341101,20000\n02812345678,20000\n");
    assert_eq!(place.go(&["run", "a.csv", "--yes"]).status.code(), Some(3));
    let again = place.go(&["run", "a.sandbox.results.csv", "--yes"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("bulk-topup retry"), "{}", said(&again));
    let results = std::fs::read_to_string(place.path("a.sandbox.results.csv")).unwrap();
    place.write("fixed.csv", &results.replace("02812345678,", "0981234502,"));
    let output = place.go(&["retry", "fixed.csv", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("does not know"), "{}", said(&output));
}

#[test]
fn what_to_do_next_is_said_at_the_end_of_a_check() {
    let place = Place::new();
    for (text, next) in [
        ("0912341101,20000\n", "Next bulk-topup run a.csv --sandbox"),
        (
            "0912341101,20000\nx,1\n",
            "Next correct the rows above and check again, or send the others: bulk-topup run a.csv --sandbox",
        ),
        ("x,1\n", "no row can be sent as it stands fingerprint"),
        ("x,1\n", "Next correct the file and check it again"),
        ("", "the file has a header and no rows"),
    ] {
        place.write("a.csv", &format!("phone,amount\n{text}"));
        let told = said(&place.go(&["check", "a.csv"]));
        assert!(told.contains(next), "{next} is not in {told}");
    }
}
