//! What `check` promises where providers are asked and where a person approves: silent and refusing providers,
//! the pace of look-ups, plans that hold for the configuration too, and phone plans of the user's own.

use std::fs;

use super::between::Between;
use super::program::Ended;
use super::retry::{assert_state, priced, retry, state};
use super::rows::{Country, Row};
use super::world::{World, assert_exit};

/// A table of Vietnam in which only numbers that begin with 091 exist, and none of them is VinaPhone's.
const NARROW: &str = "country = \"VN\"\nname = \"Vietnam\"\ncalling_code = \"84\"\ntrunk = \"0\"\n\
    national_digits = 9\nstarts = [\"91\"]\n\n[[block]]\noperator = \"Viettel\"\nprefixes = [\"91\"]\n";

/// Puts lines before everything else of the configuration.
fn configure(world: &World, lines: &str) {
    let text = fs::read_to_string(world.config_path()).unwrap();
    fs::write(world.config_path(), format!("{lines}\n{text}")).unwrap();
}

fn vietnamese(phones: &[&str]) -> Vec<Row> {
    let one = |(number, phone): (usize, &&str)| Row {
        phone: (*phone).to_owned(),
        ..priced(Country::Vietnam, number, "8000", "20000")
    };
    phones.iter().enumerate().map(one).collect()
}

fn check(world: &World, more: &[&str]) -> Ended {
    let mut args = vec!["check", "payroll.csv"];
    args.extend(more);
    world.run(&args)
}

fn json(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", ended.stdout, ended.stderr))
}

#[test]
fn a_phone_plan_of_the_user_decides_in_check_run_and_retry() {
    let world = World::new("", 1, &vietnamese(&["0912345678", "0981234501"]));
    let plan = world.path("work/vn-plan.toml");
    fs::write(&plan, NARROW).unwrap();
    let told = json(&check(&world, &["--json"]));
    assert_eq!((&told["ready"], told["totals"].as_array().unwrap().len()), (&2.into(), 2));

    configure(&world, "phone_plans = [\"vn-plan.toml\"]");
    let told = json(&check(&world, &["--json"]));
    assert_eq!(told["ready"], 1, "{told}");
    assert_eq!(told["totals"][0]["operator"], "VTL", "{told}");
    assert!(told["problems"][0]["message"].as_str().unwrap().contains("they begin with 091"), "{told}");
    assert_exit(&world.topup(&[]), 3);
    assert_state(&world, 2, "invalid", "fix", "bad_phone");
    assert_eq!(state(&world, 1).0, "succeeded");

    // The prefix is handed out, the table says so, and the row may go as it stands.
    fs::write(&plan, NARROW.replace("[\"91\"]\n\n", "[\"91\", \"98\"]\n\n")).unwrap();
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 0);
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_damaged_phone_plan_is_refused_before_anything_is_sent() {
    let world = World::new("", 1, &vietnamese(&["0912345678"]));
    configure(&world, "phone_plans = [\"vn-plan.toml\"]");
    fs::write(world.path("work/vn-plan.toml"), NARROW.replace("\"84\"", "\"85\"")).unwrap();
    for args in [
        vec!["check", "payroll.csv"],
        vec!["run", "payroll.csv", "--yes"],
        vec!["products", "china", "--phone", "13012345678"],
    ] {
        let ended = world.run(&args);
        assert_exit(&ended, 2);
        assert!(
            ended.stderr.contains("vn-plan.toml:3: calling_code: the calling code of VN is 84"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(world.requests(), 0);
}

#[test]
fn a_product_list_for_a_number_reads_it_by_the_users_plan() {
    let world = World::new("", 1, &vietnamese(&["0912345678"]));
    let asked = ["products", "nigeria", "--phone", "0803 123 4501"];
    assert_exit(&world.run(&asked), 0);
    let plan = "country = \"NG\"\nname = \"Nigeria\"\ncalling_code = \"234\"\ntrunk = \"0\"\n\
        national_digits = 10\nstarts = [\"90\"]\n";
    fs::write(world.path("work/ng.toml"), plan).unwrap();
    configure(&world, "phone_plans = [\"ng.toml\"]");
    let ended = world.run(&asked);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("they begin with 090"), "{}", ended.stderr);
}

/// `check --write-plan`, and `run --plan` after a change; the run has to be refused and to name the change.
fn voided(change: impl FnOnce(&World), named: &str) {
    let world = World::new("", 1, &vietnamese(&["0912345678", "0981234501"]));
    fs::write(world.path("work/vn-plan.toml"), NARROW.replace("[\"91\"]\n\n", "[\"91\", \"98\"]\n\n"))
        .unwrap();
    configure(&world, "phone_plans = [\"vn-plan.toml\"]");
    assert_exit(&check(&world, &["--write-plan", "plan.json"]), 0);
    change(&world);
    let sent = world.requests();
    let ended = world.topup(&["--plan", "plan.json"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains(named), "{named} is not in\n{}", ended.stderr);
    assert!(ended.stderr.contains("nothing was sent"), "{}", ended.stderr);
    assert_eq!(world.requests(), sent);
}

#[test]
fn a_plan_is_void_when_anything_that_was_approved_changed() {
    let configured = |from: &'static str, to: &'static str| {
        move |world: &World| {
            let text = fs::read_to_string(world.config_path()).unwrap();
            assert!(text.contains(from), "{from}");
            fs::write(world.config_path(), text.replacen(from, to, 1)).unwrap();
        }
    };
    voided(configured("username = \"demo\"", "username = \"other\""), "settings.providers[1].account");
    voided(configured("default_country = \"VN\"", "default_country = \"NG\""), "settings.default_country");
    voided(
        configured("\n[[providers]]", "\n[limits]\nmax_row = { VND = \"90000\" }\n[[providers]]"),
        "max_row",
    );
    voided(
        configured("\n[[providers]]", "\n[limits]\nmax_day = { VND = \"90000\" }\n[[providers]]"),
        "max_day",
    );
    voided(
        configured("\n[[providers]]", "\n[limits]\nrepeat_window = \"1d\"\n[[providers]]"),
        "repeat_window",
    );
    voided(configured("[\"VN\"]", "[\"VN\", \"LA\"]"), "settings.providers[1].countries");
    voided(configured("phone_plans = [\"vn-plan.toml\"]", ""), "settings.phone_plans was");
    // A byte of a phone plan that changes no row.
    voided(
        |world| {
            let plan = world.path("work/vn-plan.toml");
            fs::write(&plan, fs::read_to_string(&plan).unwrap() + "\n").unwrap();
        },
        "settings.phone_plans.VN",
    );
    // A byte of the file that changes no row.
    voided(
        |world| {
            let text = fs::read_to_string(&world.input).unwrap();
            fs::write(&world.input, text + "\n").unwrap();
        },
        "its bytes changed",
    );
    // The same rows were paid in between by another file: the totals are not those that were approved.
    voided(
        |world| {
            let text = fs::read_to_string(&world.input).unwrap();
            fs::write(world.path("work/other.csv"), text.replace("R-0", "R-9")).unwrap();
            assert_exit(&world.run(&["run", "other.csv", "--yes"]), 0);
        },
        "counts.ready",
    );
}

#[test]
fn a_batch_that_goes_on_is_held_against_its_plan_and_goes_on_with_it() {
    let mut world = World::new("connect_code=-3", 1, &vietnamese(&["0912345678", "0981234501"]));
    assert_exit(&check(&world, &["--write-plan", "plan.json"]), 0);
    assert_exit(&world.topup(&["--plan", "plan.json"]), 5);
    let sent = world.requests();
    let text = fs::read_to_string(world.config_path()).unwrap();
    let capped =
        text.replacen("\n[[providers]]", "\n[limits]\nmax_day = { VND = \"90000\" }\n[[providers]]", 1);
    fs::write(world.config_path(), capped).unwrap();
    let ended = world.topup(&["--plan", "plan.json"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("max_day"), "{}", ended.stderr);
    let ended = world.topup(&["--plan", "plan.json", "--allow-repeats"]);
    assert_exit(&ended, 2);
    assert_eq!(world.requests(), sent);
    world.serve("", 1);
    let ended = world.topup(&["--plan", "plan.json"]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), sent + 2);
}

#[test]
fn a_batch_admitted_with_more_than_the_plan_approves_does_not_go_on_under_it() {
    let mut world = World::new("connect_code=-3", 1, &vietnamese(&["0912345678"]));
    fs::write(&world.input, "phone,amount\n0912345678,20000\n0912345678,20000\n").unwrap();
    // Sent with another flag by one person, checked without it by another.
    assert_exit(&world.topup(&["--allow-duplicates"]), 5);
    world.serve("", 1);
    assert_exit(&check(&world, &["--write-plan", "plan.json", "--allow-repeats"]), 3);
    let sent = world.requests();
    let ended = world.topup(&["--plan", "plan.json", "--allow-repeats"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("approved were 1 rows, 20,000 VND"), "{}", ended.stderr);
    assert_eq!(world.requests(), sent);
}

/// Replaces a text of the configuration.
fn replace(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.config_path()).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(world.config_path(), text.replace(from, to)).unwrap();
}

/// Puts a relay before the sandbox; only the first requests are answered.
fn between(world: &World, answered: usize) -> Between {
    let addr = world.sandbox.as_ref().unwrap().addr.clone();
    let between = Between::new(&addr, answered, || {});
    replace(world, &addr, &between.addr);
    between
}

fn chinese(count: usize) -> Vec<Row> {
    (0..count).map(|n| Row { product: "6GB".to_owned(), ..priced(Country::China, n, "9000", "") }).collect()
}

#[test]
fn a_provider_that_cannot_be_reached_leaves_its_rows_as_the_file_shows_them_and_nobody_takes_it_for_clean() {
    let mut world = World::new("", 1, &[chinese(2), vietnamese(&["0912345678"])].concat());
    world.sandbox = None;
    world.configure();
    let ended = check(&world, &["--online", "--json"]);
    assert_exit(&ended, 1);
    let told = json(&ended);
    assert_eq!((&told["rows"], &told["ready"], &told["invalid"]), (&3.into(), &3.into(), &0.into()));
    assert!(ended.stderr.contains("china told nothing about 2 rows"), "{}", ended.stderr);
    assert!(ended.stderr.contains("vietnam: "), "{}", ended.stderr);
    let ended = check(&world, &["--online", "--write-plan", "plan.json"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("not every provider answered: no plan was written"), "{}", ended.stderr);
    assert!(!world.path("work/plan.json").exists());
}

#[test]
fn a_provider_that_falls_silent_is_asked_only_so_often_and_named() {
    let world = World::new("", 1, &chinese(40));
    let between = between(&world, 4);
    let ended = check(&world, &["--online", "--json"]);
    assert_exit(&ended, 1);
    let told = json(&ended);
    assert_eq!((&told["rows"], &told["ready"]), (&40.into(), &40.into()));
    // The list, three answers, and then silences until it is left alone: at most as many more as are under way.
    let asked = between.seen().len();
    assert!((5..=4 + 8 + 2 * 16).contains(&asked), "{asked} requests");
    assert!(ended.stderr.contains("china told nothing about 37 rows: "), "{}", ended.stderr);
    let priced: u64 =
        told["totals"].as_array().unwrap().iter().map(|line| line["unpriced"].as_u64().unwrap()).sum();
    assert_eq!(priced, 37, "{told}");
    assert_eq!(world.requests(), 0);
}

#[test]
fn a_provider_that_refuses_our_credentials_is_named_with_its_own_words_and_spends_nothing() {
    let mut rows = chinese(2);
    rows.extend(vietnamese(&["0912345678"]));
    rows.push(priced(Country::Nigeria, 3, "8000", "500"));
    let world = World::new("", 1, &rows);
    replace(&world, "{ env = \"T_APP_KEY\" }", "{ env = \"P_APP_KEY\" }");
    let ended = check(&world, &["--online", "--json"]);
    assert_exit(&ended, 1);
    let told = json(&ended);
    assert_eq!((&told["rows"], &told["ready"]), (&4.into(), &4.into()));
    assert!(ended.stderr.contains("china told nothing about 2 rows: "), "{}", ended.stderr);
    assert!(!ended.stderr.contains("nigeria") && !ended.stderr.contains("vietnam"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(super::world::PAYNICORN_APP_KEY), "{}", ended.stderr);
    assert_eq!(world.requests(), 0);
}

#[test]
fn look_ups_of_a_check_keep_to_the_query_rate_and_ask_about_every_number_once() {
    let world = World::new("", 1, &chinese(9));
    replace(&world, "query_rate = \"200/s\"", "query_rate = \"5/s\"");
    let between = between(&world, usize::MAX);
    let begun = std::time::Instant::now();
    let ended = check(&world, &["--online", "--json"]);
    let took = begun.elapsed();
    assert_exit(&ended, 0);
    let told = json(&ended);
    assert_eq!((&told["ready"], &told["totals"][0]["unpriced"]), (&9.into(), &0.into()), "{told}");
    let asked = between.seen().len();
    assert_eq!(asked, 10, "the list and nine numbers: {:?}", between.seen());
    // A slow machine makes this longer, never shorter.
    let least = std::time::Duration::from_millis(200) * u32::try_from(asked - 1).unwrap();
    assert!(took >= least, "{asked} requests in {took:?}");
}

#[test]
fn columns_with_equal_titles_or_none_keep_their_cells_over_a_retry() {
    let world = World::new("", 1, &vietnamese(&["0912345678"]));
    let text = "phone,amount,Name,,Name,\n0912345678,20000,An,1,Nguyen,2\n02812345678,20000,Chi,3,Le,4\n";
    fs::write(&world.input, text).unwrap();
    assert_exit(&world.topup(&[]), 3);
    let results = fs::read_to_string(&world.results).unwrap();
    fs::write(&world.results, results.replace("02812345678,", "0981234502,")).unwrap();
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 0);
    let again = fs::read_to_string(world.path("work/payroll.results-2.csv")).unwrap();
    let own: Vec<&str> = again.lines().map(|line| line.split(",succeeded").next().unwrap()).collect();
    assert_eq!(own[1..], ["0912345678,20000,An,1,Nguyen,2", "0981234502,20000,Chi,3,Le,4"]);
}

#[test]
fn a_file_that_changes_while_providers_are_asked_is_refused_and_nothing_of_either_is_sent() {
    for args in [
        vec!["check", "payroll.csv", "--online", "--write-plan", "plan.json"],
        vec!["run", "payroll.csv", "--yes", "--json"],
    ] {
        for rows in [chinese(3), vietnamese(&["0912345678", "0981234501"])] {
            let world = World::new("", 1, &rows);
            let addr = world.sandbox.as_ref().unwrap().addr.clone();
            let input = world.input.clone();
            let between = Between::new(&addr, usize::MAX, move || {
                let text = fs::read_to_string(&input).unwrap();
                fs::write(&input, text.replacen("R-0", "R-X", 1)).unwrap();
            });
            replace(&world, &addr, &between.addr);
            let ended = world.run(&args);
            assert_exit(&ended, 2);
            assert!(ended.stderr.contains("changed"), "{}", ended.stderr);
            assert!(!between.seen().is_empty() && world.requests() == 0);
            assert!(!world.path("work/plan.json").exists() && !world.results.exists());
            if args[0] == "run" {
                assert!(world.sql("SELECT name FROM batches", |row| row.get::<_, String>(0)).is_empty());
            }
        }
    }
}

/// The cells of the input's columns, row by row.
fn own_cells(path: &std::path::Path, columns: usize) -> Vec<Vec<String>> {
    let mut source = bulk_topup::intake::ResultsSource::open(path, &Default::default()).unwrap();
    assert_eq!(source.header().len(), columns);
    let (mut row, mut all) = (bulk_topup::intake::ResultsRow::default(), Vec::new());
    while source.next_row(&mut row).unwrap() {
        all.push(row.input.cells.iter().map(str::to_owned).collect());
    }
    all
}

#[test]
fn a_results_file_that_goes_in_comes_out_with_the_same_rows_in_every_dialect() {
    let cells = [
        ["0912345678", "20000", "=1+1", "a,b;c|d"],
        ["+84 981 234 501", "20000.00", "@home", "say \"yes\""],
        ["0703412303", "50000", "'already", "two\r\nlines"],
        ["912341104", "20000", "-5+3", "Nguyễn Thị Hương 张三"],
        ["0912-341-105", "20000", "\tTAB", " spaces "],
    ];
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    for (delimiter, line_end, utf16) in
        [(",", "\n", false), (";", "\r\n", false), ("\t", "\r\n", true), ("|", "\n", false)]
    {
        let mut world = World::new("connect_code=-3", 1, &[]);
        let mut text = ["phone", "amount", "first", "second"].join(delimiter) + line_end;
        for row in cells {
            text += &(row.map(quoted).join(delimiter) + line_end);
        }
        let bytes = if utf16 {
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        } else {
            text.into_bytes()
        };
        fs::write(&world.input, bytes).unwrap();
        assert_exit(&world.topup(&[]), 5);
        assert_eq!(own_cells(&world.results, 4), cells.map(|row| row.map(str::to_owned).to_vec()));
        world.serve("", 1);
        assert_exit(&retry(&world, "payroll.results.csv", &[]), 0);
        let again = world.path("work/payroll.results-2.csv");
        assert_eq!(own_cells(&again, 4), own_cells(&world.results, 4));
        let header =
            |path: &std::path::Path| fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned();
        assert_eq!(header(&again), header(&world.results));
    }
}
