//! A checker that cannot fail proves nothing: each promise, broken by hand in files that keep all the others,
//! is found broken.

use super::checker::{Promise, check, check_final};
use super::evidence::{Evidence, Intent, Table, read_log};

const INPUT: &str = "phone,amount,product,country,name
0912345678,20000,,,An
+2348031234567,500,,NG,=1+1
18612345678,50,23,CN,Wei
0981112222,50000,,,Binh
0353334444,10000,,,Cuc
09123,10000,,,Dung
";

const RESULTS: &str = "phone,amount,product,country,name,topup_status,topup_next,topup_reason,topup_provider,topup_phone,topup_amount,topup_transaction_id,topup_provider_ref,topup_attempts,topup_row
0912345678,20000,,,An,succeeded,none,,vietnam,84912345678,20000,ID1,p1,1,1
+2348031234567,500,,NG,'=1+1,succeeded,none,,nigeria,2348031234567,500,ID2,p2,2,2
18612345678,50,23,CN,Wei,succeeded,none,,china,8618612345678,46,ID3,p3,1,3
0981112222,50000,,,Binh,failed,retry,provider_failed,vietnam,84981112222,50000,ID4,p4,1,4
0353334444,10000,,,Cuc,unknown,ask,no_answer,vietnam,84353334444,10000,ID5,,1,5
09123,10000,,,Dung,invalid,fix,bad_phone,,,,,,0,6
";

const LOG: &str = r#"{"at":"1","provider":"connect-topup","event":"request","call":"topup.jsp","id":"ID1","ref":"","phone":"0912345678","amount":"20000","product":"","code":"","in_flight":1}
{"at":"1","provider":"connect-topup","event":"charge","call":"topup.jsp","id":"ID1","ref":"p1","phone":"0912345678","amount":"20000","product":"","code":"1","settles_as":"complete"}
{"at":"1","provider":"connect-topup","event":"complete","call":"topup.jsp","id":"ID1","ref":"p1","phone":"0912345678","amount":"20000","product":"","code":"1"}
{"at":"1","provider":"paynicorn","event":"request","call":"topup","id":"ID2","ref":"","phone":"8031234567","amount":"500","product":"","code":"","in_flight":1}
{"at":"1","provider":"paynicorn","event":"refuse","call":"topup","id":"ID2","ref":"","phone":"8031234567","amount":"500.00","product":"m_topup","code":"4014"}
{"at":"2","provider":"paynicorn","event":"request","call":"topup","id":"ID2","ref":"","phone":"8031234567","amount":"500","product":"","code":"","in_flight":1}
{"at":"2","provider":"paynicorn","event":"charge","call":"topup","id":"ID2","ref":"p2","phone":"8031234567","amount":"500.00","product":"m_topup","code":"1200","settles_as":"complete"}
{"at":"2","provider":"paynicorn","event":"complete","call":"topup","id":"ID2","ref":"p2","phone":"8031234567","amount":"500.00","product":"m_topup","code":"1200"}
{"at":"2","provider":"tutom","event":"request","call":"OrderCreate","id":"ID3","ref":"","phone":"18612345678","amount":"","product":"23","code":"","in_flight":1}
{"at":"2","provider":"tutom","event":"charge","call":"OrderCreate","id":"ID3","ref":"p3","phone":"18612345678","amount":"46.0000","product":"23","code":"0","settles_as":"complete"}
{"at":"2","provider":"tutom","event":"complete","call":"OrderCreate","id":"ID3","ref":"p3","phone":"18612345678","amount":"46.0000","product":"23","code":"0"}
{"at":"3","provider":"connect-topup","event":"request","call":"topup.jsp","id":"ID4","ref":"","phone":"0981112222","amount":"50000","product":"","code":"","in_flight":2}
{"at":"3","provider":"connect-topup","event":"charge","call":"topup.jsp","id":"ID4","ref":"p4","phone":"0981112222","amount":"50000","product":"","code":"0","settles_as":"fail"}
{"at":"3","provider":"connect-topup","event":"request","call":"topup.jsp","id":"ID5","ref":"","phone":"0353334444","amount":"10000","product":"","code":"","in_flight":2,"fault":"drop_after"}
{"at":"3","provider":"connect-topup","event":"charge","call":"topup.jsp","id":"ID5","ref":"p5","phone":"0353334444","amount":"10000","product":"","code":"1","settles_as":"complete"}
{"at":"3","provider":"connect-topup","event":"complete","call":"topup.jsp","id":"ID5","ref":"p5","phone":"0353334444","amount":"10000","product":"","code":"1"}
{"at":"4","provider":"connect-topup","event":"fail","call":"topup.jsp","id":"ID4","ref":"p4","phone":"0981112222","amount":"50000","product":"","code":"0"}
"#;

const SUMMARY: &str = r#"{"exit":4,"counts":{"succeeded":3,"failed":1,"invalid":1,"pending":0,"unknown":1,"not_sent":0},
"totals":[{"provider":"vietnam","succeeded":"20000"},{"provider":"nigeria","succeeded":"500"},{"provider":"china","succeeded":"46"}]}"#;

/// One file of the evidence, and what stands in it instead.
enum Doctored<'a> {
    Input(&'a str, &'a str),
    Results(&'a str, &'a str),
    Log(&'a str, &'a str),
    /// A line of the charge log that begins the second time so, once more at the end.
    LogAgain(&'a str),
    Summary(&'a str, &'a str),
    Intents(fn(&mut Vec<Intent>)),
    Exit(i32),
}

fn evidence(change: Option<&Doctored<'_>>) -> Evidence {
    let replace = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not there");
        text.replacen(from, to, 1)
    };
    let (mut input, mut results, mut log, mut summary, mut exit) =
        (INPUT.to_owned(), RESULTS.to_owned(), LOG.to_owned(), SUMMARY.to_owned(), 4);
    let ids = [(1, "ID1"), (2, "ID2"), (2, "ID2"), (3, "ID3"), (4, "ID4"), (5, "ID5")];
    let mut intents: Vec<Intent> = ids.map(|(row, id)| Intent { row, id: id.to_owned() }).into();
    match change {
        None => {}
        Some(Doctored::Input(from, to)) => input = replace(&input, from, to),
        Some(Doctored::Results(from, to)) => results = replace(&results, from, to),
        Some(Doctored::Log(from, to)) => log = replace(&log, from, to),
        Some(Doctored::LogAgain(part)) => {
            let again: String =
                LOG.lines().filter(|line| line.contains(part)).map(|l| format!("{l}\n")).collect();
            assert!(!again.is_empty());
            log.push_str(&again.replace("\"ref\":\"p", "\"ref\":\"q"));
        }
        Some(Doctored::Summary(from, to)) => summary = replace(&summary, from, to),
        Some(Doctored::Intents(change)) => change(&mut intents),
        Some(Doctored::Exit(code)) => exit = *code,
    }
    Evidence {
        input: Table::parse(&input),
        results: Table::parse(&results),
        log: read_log(&log),
        exit: Some(exit),
        summary: Some(serde_json::from_str(&summary).unwrap()),
        intents,
        quiet: true,
        in_flight_most: 2,
    }
}

#[track_caller]
fn finds(promise: Promise, change: &Doctored<'_>) {
    let breaches = check(&evidence(Some(change)));
    assert!(
        breaches.iter().any(|breach| breach.promise == promise),
        "not found: {promise:?} in {breaches:?}"
    );
}

#[test]
fn sound_files_break_no_promise() {
    assert_eq!(check(&evidence(None)), Vec::new());
}

#[test]
fn a_second_charge_of_a_row_is_found() {
    finds(Promise::NeverTwice, &Doctored::LogAgain(r#""event":"charge","call":"topup.jsp","id":"ID1""#));
    // While the first one is open, and even if it is given back later.
    let first = r#""event":"request","call":"topup.jsp","id":"ID5""#;
    let twice = r#""event":"charge","call":"topup.jsp","id":"ID4","ref":"p44","phone":"0981112222","amount":"50000","product":"","code":"0","settles_as":"fail"}
{"at":"3","provider":"connect-topup","event":"request","call":"topup.jsp","id":"ID5""#;
    finds(Promise::NeverTwice, &Doctored::Log(first, twice));
    // Under an id that the row does not know.
    let stranger = r#""event":"request","call":"topup.jsp","id":"ID4""#;
    let charged = r#""event":"charge","call":"topup.jsp","id":"ID1B","ref":"p9","phone":"0912345678","amount":"20000","product":"","code":"1","settles_as":"complete"}
{"at":"3","provider":"connect-topup","event":"request","call":"topup.jsp","id":"ID4""#;
    finds(Promise::NeverTwice, &Doctored::Log(stranger, charged));
    finds(Promise::NothingInvented, &Doctored::Log(stranger, charged));
}

#[test]
fn a_charge_with_other_values_than_its_row_is_found() {
    let of = |from: &str, to: &str| finds(Promise::NothingInvented, &Doctored::Log(from, to));
    let charge = r#""charge","call":"topup.jsp","id":"ID1","ref":"p1","phone":"0912345678","amount":"20000""#;
    of(charge, &charge.replace("0912345678", "0912345679"));
    of(charge, &charge.replace("\"20000", "\"200000"));
    of(
        r#""p3","phone":"18612345678","amount":"46.0000","product":"23""#,
        r#""p3","phone":"18612345678","amount":"46.0000","product":"24""#,
    );
    of(
        r#""p3","phone":"18612345678","amount":"46.0000","product":"23""#,
        r#""p3","phone":"18612345678","amount":"51.0000","product":"23""#,
    );
    of(
        r#"{"at":"2","provider":"paynicorn","event":"charge""#,
        r#"{"at":"2","provider":"tutom","event":"charge""#,
    );
    // A charge of a row that is shown as never sent for its faults.
    let invalid = "succeeded,none,,vietnam,84912345678";
    finds(Promise::NothingInvented, &Doctored::Results(invalid, "invalid,fix,bad_phone,vietnam,84912345678"));
}

#[test]
fn lost_moved_and_changed_lines_are_found() {
    let of = |from, to| finds(Promise::NothingLost, &Doctored::Results(from, to));
    of("09123,10000,,,Dung,invalid,fix,bad_phone,,,,,,0,6\n", "");
    of("Binh,failed", "binh,failed");
    of(",1,4\n", ",1,5\n");
    of("'=1+1", "=1+2");
    of("phone,amount,product", "phone,product,amount");
    of("invalid,fix", "lost,fix");
    finds(
        Promise::NothingLost,
        &Doctored::Input("09123,10000,,,Dung\n", "09123,10000,,,Dung\n0911111111,10000,,,Em\n"),
    );
}

#[test]
fn a_status_that_the_charges_contradict_is_found() {
    let of = |from, to| finds(Promise::Truth, &Doctored::Results(from, to));
    of("An,succeeded,none", "An,failed,retry");
    of("An,succeeded,none", "An,not_sent,retry");
    of("Binh,failed,retry,provider_failed", "Binh,succeeded,none,");
    of("Cuc,unknown,ask,no_answer", "Cuc,failed,retry,not_received");
    of("Dung,invalid,fix,bad_phone", "Dung,succeeded,none,");
    // Not completed yet, but it will be.
    let log = r#"{"at":"3","provider":"connect-topup","event":"complete","call":"topup.jsp","id":"ID5","ref":"p5","phone":"0353334444","amount":"10000","product":"","code":"1"}
"#;
    let mut open =
        evidence(Some(&Doctored::Results("Cuc,unknown,ask,no_answer", "Cuc,failed,retry,not_received")));
    open.log = read_log(&LOG.replacen(log, "", 1));
    assert!(check(&open).iter().any(|breach| breach.promise == Promise::Truth));
}

#[test]
fn a_completed_charge_that_is_not_shown_is_found_when_all_is_quiet() {
    let unknown = Doctored::Results("An,succeeded,none", "An,unknown,wait");
    finds(Promise::Completeness, &unknown);
    finds(Promise::Completeness, &Doctored::Results("An,succeeded,none", "An,pending,wait"));
    let mut busy = evidence(Some(&unknown));
    busy.quiet = false;
    assert!(!check(&busy).iter().any(|breach| breach.promise == Promise::Completeness));
}

#[test]
fn verdicts_and_submits_without_evidence_are_found() {
    let of = |change: Doctored<'_>| finds(Promise::NoEvidenceNoVerdict, &change);
    // A failure that no provider told.
    let gone = r#"{"at":"4","provider":"connect-topup","event":"fail""#;
    of(Doctored::Log(gone, r#"{"at":"4","provider":"connect-topup","event":"note""#));
    // A submit after one whose answer was lost, unclear, or read as "not now" though the id was known.
    let again = r#""event":"request","call":"topup.jsp","id":"ID5""#;
    of(Doctored::LogAgain(again));
    of(Doctored::LogAgain(r#""event":"request","call":"OrderCreate","id":"ID3""#));
    of(Doctored::Log("\"code\":\"4014\"", "\"code\":\"4009\""));
    of(Doctored::Log(
        r#""product":"","code":"","in_flight":1}
{"at":"1","provider":"paynicorn","event":"refuse""#,
        r#""product":"","code":"","in_flight":1,"fault":"truncate"}
{"at":"1","provider":"paynicorn","event":"refuse""#,
    ));
}

#[test]
fn an_id_on_the_wire_that_the_ledger_lacks_is_found() {
    finds(Promise::WriteAhead, &Doctored::Intents(|intents| intents.retain(|intent| intent.id != "ID3")));
}

#[test]
fn a_request_without_an_intent_of_its_own_is_found() {
    let drop_one = |intents: &mut Vec<Intent>| {
        intents.remove(1);
    };
    finds(Promise::OneRequestEach, &Doctored::Intents(drop_one));
    finds(Promise::OneRequestEach, &Doctored::Results("ID2,p2,2,2", "ID2,p2,1,2"));
}

#[test]
fn sums_that_differ_are_found() {
    finds(Promise::Conservation, &Doctored::Results("84912345678,20000,", "84912345678,20001,"));
    finds(Promise::Conservation, &Doctored::Summary("\"20000\"", "\"20000.01\""));
    finds(
        Promise::Conservation,
        &Doctored::Log(
            "\"46.0000\",\"product\":\"23\",\"code\":\"0\",\"settles",
            "\"46.0001\",\"product\":\"23\",\"code\":\"0\",\"settles",
        ),
    );
}

#[test]
fn an_id_used_for_two_orders_or_a_row_with_two_ids_is_found() {
    let of = |change: Doctored<'_>| finds(Promise::OneIdEach, &change);
    of(Doctored::Log(
        r#"{"at":"2","provider":"paynicorn","event":"request","call":"topup","id":"ID2","ref":"","phone":"8031234567","amount":"500""#,
        r#"{"at":"2","provider":"paynicorn","event":"request","call":"topup","id":"ID2","ref":"","phone":"8031234567","amount":"501""#,
    ));
    let mut two = evidence(None);
    two.intents.push(Intent { row: 3, id: "ID3B".to_owned() });
    let again =
        LOG.lines().find(|line| line.contains(r#""request","call":"OrderCreate","id":"ID3""#)).unwrap();
    two.log = read_log(&format!("{LOG}{}\n", again.replace("ID3", "ID3B")));
    assert!(check(&two).iter().any(|breach| breach.promise == Promise::OneIdEach));
}

#[test]
fn an_exit_code_or_summary_that_is_not_the_files_is_found() {
    for code in [0, 2, 3, 5, 6] {
        finds(Promise::HonestEnding, &Doctored::Exit(code));
    }
    finds(Promise::HonestEnding, &Doctored::Summary("\"succeeded\":3", "\"succeeded\":4"));
    finds(Promise::HonestEnding, &Doctored::Summary("\"exit\":4", "\"exit\":0"));
    finds(Promise::HonestEnding, &Doctored::Results("Cuc,unknown,ask", "Cuc,not_sent,retry"));
}

#[test]
fn too_many_submits_at_once_and_malformed_requests_are_found() {
    finds(Promise::InFlight, &Doctored::Log("\"in_flight\":2", "\"in_flight\":3"));
    finds(
        Promise::WellFormed,
        &Doctored::Log("\"in_flight\":1}", "\"in_flight\":1,\"malformed\":\"no sign\"}"),
    );
}

#[test]
fn a_final_state_that_changes_is_found() {
    let before = Table::parse(RESULTS);
    let after = |from: &str, to: &str| Table::parse(&RESULTS.replacen(from, to, 1));
    let finds = |from: &str, to: &str| check_final(&before, &after(from, to)).len();
    assert_eq!(check_final(&before, &before).len(), 0);
    assert_eq!(finds("An,succeeded", "An,failed"), 1);
    assert_eq!(finds("Binh,failed", "Binh,unknown"), 1);
    assert_eq!(finds("Cuc,unknown", "Cuc,succeeded"), 0);
    // The one verdict that gives way.
    let counted_out = after("Binh,failed,retry,provider_failed", "Binh,failed,retry,not_received");
    let turned_up = after("Binh,failed,retry,provider_failed", "Binh,succeeded,none,");
    assert_eq!(check_final(&counted_out, &turned_up).len(), 0);
}
