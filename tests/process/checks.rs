//! What `check` promises where providers are asked and where a person approves: silent and refusing providers,
//! the pace of look-ups, plans that hold for the configuration too, and phone plans of the user's own.

use std::fs;

use super::program::Ended;
use super::retry::{assert_state, priced, retry, state};
use super::rows::{Country, Row};
use super::world::{World, assert_exit, share};

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
    let _shared = share();
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
    let _shared = share();
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
    let _shared = share();
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
    let _shared = share();
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
    let _shared = share();
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
