//! What is read, what is refused, and what help says.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::try_parse_from(std::iter::once("bulk-topup").chain(line.split_whitespace()))
}

fn run(line: &str) -> RunArgs {
    let Command::Run(args) = parse(line).unwrap().command else { panic!("not run") };
    args
}

#[test]
fn the_declaration_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn every_documented_line_is_read() {
    for line in [
        "run a.csv",
        "run - --yes",
        "run a.csv --batch may --yes --expect-total VND=40000 --expect-total NGN=12.50 --first 3",
        "run a.csv --allow-duplicates --allow-repeats --all-or-nothing -o r.csv --settle-for 0s",
        "run a.csv --listen 127.0.0.1:8400 --results r.csv",
        "run a.csv --encoding windows-1258 --delimiter ; --sheet May --thousands dot --map phone=Mobile",
        "run a.csv --sandbox --json --no-progress --color never --show-phones -q",
        "--config c.toml --ledger l.db -vv run a.csv",
        "check a.csv --online --problems p.csv",
        "settle",
        "settle payroll -o r.csv --settle-for 48h",
        "settle --recheck 24h",
        "retry r.csv --trust-results --yes",
        "status",
        "status payroll --row 7",
        "status payroll --results r.xlsx --json",
        "status --watch",
        "status --verify",
        "resolve payroll 7 --as failed --note told",
        "cancel payroll --note why",
        "reconcile payroll --statement s.csv",
        "reconcile payroll --statement s.xlsx --provider vietnam -o all.csv --map transaction_id=Order --sheet May",
        "reconcile payroll --statement s.csv --status-word OK=succeeded --status-word =failed --thousands .",
        "balance",
        "balance vietnam",
        "products china --phone 13012345678",
        "listen",
        "sandbox --addr 127.0.0.1:0 --log l --seed 9 --faults drop_after=0.1,pending=0.2",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn a_wrong_line_ends_with_two() {
    for line in [
        "",
        "run",
        "run a.csv b.csv",
        "run a.csv --expect-total 40000",
        "reconcile payroll",
        "reconcile payroll --statement s.csv --status-word OK",
        "reconcile payroll --statement s.csv --status-word OK=good",
        "run a.csv --expect-total XYZ=1",
        "run a.csv --expect-total VND=4e4",
        "run a.csv --first 0",
        "run a.csv --settle-for 10",
        "run a.csv --delimiter ab",
        "run a.csv --thousands x",
        "run a.csv --map phone",
        "run a.csv -q -v",
        "run a.csv --sandbox --config c.toml",
        "status --row 7",
        "status payroll --row 0",
        "resolve payroll 7 --as failed",
        "resolve payroll 7 --as maybe --note x",
        "cancel payroll",
        "settle --yes",
        "reconcile payroll",
        "nonsense",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    assert_eq!(parse("--help").unwrap_err().exit_code(), 0);
    assert_eq!(parse("--version").unwrap_err().exit_code(), 0);
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let args = run("run a.csv");
    assert_eq!(args.finish.settle_for, Duration::from_secs(600));
    assert!(!args.send.yes && !args.send.allow_duplicates && !args.send.allow_repeats);
    assert_eq!((args.send.first, args.finish.results, args.batch), (None, None, None));
    let Command::Sandbox(sandbox) = parse("sandbox").unwrap().command else { panic!() };
    assert_eq!(sandbox.addr.to_string(), "127.0.0.1:0");
}

#[test]
fn values_are_read_exactly() {
    let args = run("run a.csv --expect-total vnd=40000 --delimiter tab --thousands , --map phone=Mobile");
    assert_eq!(args.send.expect_total, [Money::parse("40000", "VND").unwrap()]);
    assert_eq!((args.intake.delimiter, args.intake.thousands), (Some('\t'), Some(',')));
    let map = ColumnMap { column: "phone".to_owned(), header: "Mobile".to_owned() };
    assert_eq!(args.intake.map, [map]);
}

#[test]
fn every_help_begins_with_examples() {
    for command in std::iter::once(Args::command()).chain(Args::command().get_subcommands().cloned()) {
        let help = command.clone().render_long_help().to_string();
        assert!(help.starts_with("Example"), "{}: {help}", command.get_name());
    }
}
