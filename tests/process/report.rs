//! The report page from outside: its figures are those of the results file, it stays private, and no browser is
//! unhappy with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;

use super::evidence::Table;
use super::program::Ended;
use super::rows::{self, Country, Row};
use super::world::{
    LONG, MERCHANT_SECRET, OPEN_ID, PAYNICORN_APP_KEY, PRIVATE_KEY, Settings, TUTOM_APP_KEY, World,
    assert_exit,
};

/// Runs the sample with the sandbox inside the program, in a place of its own; gives the batch's name.
fn sample(world: &World) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/payroll.csv");
    fs::copy(samples, &world.input).unwrap();
    let ended = world.run(&["run", "payroll.csv", "--sandbox", "--yes", "--json"]);
    assert_exit(&ended, 3);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    summary["batch"].as_str().unwrap().to_owned()
}

fn report(world: &World, args: &[&str]) -> (Ended, String) {
    let mut all = vec!["report"];
    all.extend(args);
    let ended = world.run(&all);
    let page = fs::read_to_string(world.path("work").join(ended.stdout.trim())).unwrap_or_default();
    (ended, page)
}

/// The page without its style, as text: tags become line ends, the escapes are undone.
fn words(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap();
    let mut text = String::new();
    for part in body.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        text.push('\n');
    }
    for (escape, c) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")] {
        text = text.replace(escape, c);
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn grouped(amount: Decimal) -> String {
    let plain = amount.normalize().to_string();
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if rest.is_empty() { text } else { format!("{text}.{rest}") }
}

/// What the page must say about a results file.
fn assert_agrees(page: &str, results: &Table) {
    let shown = words(page);
    let counts = results.count("topup_status");
    let of = |status: &str| counts.get(status).copied().unwrap_or(0);
    let rows: usize = counts.values().sum();
    let line = format!(
        "= {} succeeded + {} failed + {} invalid + {} pending + {} unknown + {} not sent",
        of("succeeded"),
        of("failed"),
        of("invalid"),
        of("pending"),
        of("unknown"),
        of("not_sent")
    );
    assert!(
        shown.contains(&format!("Rows of the file: {rows}\n")) && shown.contains(&line),
        "{line}\n{shown}"
    );
    let mut sums: BTreeMap<String, BTreeMap<&str, Decimal>> = BTreeMap::new();
    for row in 0..rows {
        let (status, currency) = (results.cell(row, "topup_status"), results.cell(row, "topup_currency"));
        let part = match status {
            "succeeded" | "failed" | "not_sent" => status,
            "pending" | "unknown" => "open",
            _ => continue,
        };
        let amount: Decimal = results.cell(row, "topup_amount").parse().unwrap();
        let sums = sums.entry(currency.to_owned()).or_default();
        *sums.entry(part).or_default() += amount;
        *sums.entry("asked").or_default() += amount;
    }
    assert!(!sums.is_empty());
    for (currency, sums) in &sums {
        let of = |part: &str| grouped(sums.get(part).copied().unwrap_or_default());
        assert!(shown.contains(&format!("Asked: {} {currency}\n", of("asked"))), "{currency}\n{shown}");
        let line = format!(
            "= {} succeeded + {} failed + {} open + {} not sent",
            of("succeeded"),
            of("failed"),
            of("open"),
            of("not_sent")
        );
        assert!(shown.contains(&line), "{line}\n{shown}");
        let part = |word: &str| format!("{word}\n{}\n(", of(word));
        assert!(of("succeeded") == "0" || shown.contains(&part("succeeded")), "{currency}\n{shown}");
    }
    let titles = [("Failed rows", "failed"), ("Invalid rows", "invalid")];
    for (title, status) in titles {
        assert!(shown.contains(&format!("{title} ({})", of(status))), "{title}\n{shown}");
    }
    let open = of("pending") + of("unknown");
    assert!(shown.contains(&format!("Open rows: pending or unknown ({open})")), "{shown}");
    for (reason, rows) in results.count("topup_reason").iter().filter(|(reason, _)| !reason.is_empty()) {
        assert!(shown.contains(reason.as_str()), "{reason} of {rows} rows\n{shown}");
    }
    assert!(!shown.contains("does not hold"), "{shown}");
    for row in 0..rows {
        let digits = results.cell(row, "topup_phone");
        let bare = digits.get(4..).unwrap_or("no number");
        assert!(!page.contains(bare), "the number of row {} shows", row + 1);
        let id = results.cell(row, "topup_transaction_id");
        let listed = matches!(results.cell(row, "topup_status"), "failed" | "pending" | "unknown");
        assert!(!listed || shown.contains(id), "the id of row {}", row + 1);
    }
}

#[test]
fn the_page_of_the_sample_says_what_its_results_file_says() {
    let world = World::new("", 1, &[]);
    let batch = sample(&world);
    let (ended, page) = report(&world, &["sandbox-pay", "--sandbox"]);
    assert_exit(&ended, 0);
    assert_eq!(ended.stdout.trim(), format!("{batch}.html"));
    assert!(ended.stderr.contains("browser"), "{}", ended.stderr);
    let results = Table::read(&world.path("work/payroll.sandbox.results.csv"));
    assert_agrees(&page, &results);
    let shown = words(&page);
    for told in [
        "SANDBOX · no money moved",
        "28 of 40 rows succeeded",
        "exit 3: finished; some rows failed or invalid",
        "Charged: 308 USD",
        "submit_rate",
        "Prepared by",
        "Duplicates and repairs (3)",
        "leading 0 restored",
        "bulk-topup retry payroll.sandbox.results.csv --sandbox",
    ] {
        assert!(shown.contains(told), "{told}\n{shown}");
    }
    let sha = sha2::Digest::finalize(sha2::Digest::chain_update(
        <sha2::Sha256 as sha2::Digest>::new(),
        fs::read(&world.input).unwrap(),
    ));
    let sha: String = sha.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(shown.contains(&sha), "the file's SHA-256 {sha}");
    let mode = fs::metadata(world.path("work").join(format!("{batch}.html"))).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn halts_open_rows_and_decisions_stand_on_the_page() {
    let mut chance = rows::Chance::new(3);
    let mut rows: Vec<Row> =
        (0..30).map(|n| rows::row(Country::Vietnam, n, &format!("3{n:03}"), &mut chance)).collect();
    for (n, row) in rows.iter_mut().enumerate() {
        row.amount = "20000".to_owned();
        row.reference = format!("<script>alert({n})</script>");
    }
    let settings = Settings { max_in_flight: 1, timeout: "1500ms".to_owned(), ..Settings::default() };
    let world = World::with("vnd_balance=300000,drop_after=15", 5, &rows, settings);
    let ended = world.topup(&["--settle-for", "1s"]);
    assert_exit(&ended, 5);
    let results = world.table();
    let open = (0..30).find(|row| results.cell(*row, "topup_status") == "unknown").expect("a lost answer");
    let batch = world.batch();
    let number = (open + 1).to_string();
    let note = "they know no 84912345601, ticket 4711 <b>";
    let args = ["resolve", &batch, &number, "--as", "failed", "--note", note];
    assert_exit(&world.run(&args), 0);
    let (ended, page) = report(&world, &[&batch]);
    assert_exit(&ended, 0);
    assert_agrees(&page, &world.table());
    let shown = words(&page);
    for told in [
        "LIVE MONEY",
        "Halts (1)",
        "insufficient_balance",
        "Decisions by people (1)",
        "resolved as failed",
        "they know no 8491****601, ticket 4711 <b>",
        "<script>alert(",
        "Rows that were not sent (",
    ] {
        assert!(shown.contains(told), "{told}\n{shown}");
    }
    assert!(!page.contains("<script") && !page.contains("4711 <b>"), "not escaped");
    for secret in [PRIVATE_KEY, OPEN_ID, MERCHANT_SECRET, TUTOM_APP_KEY, PAYNICORN_APP_KEY] {
        assert!(!page.contains(secret), "a secret shows");
    }
}

#[test]
fn only_an_earlier_report_of_the_batch_is_written_over_and_strangers_are_refused() {
    let world = World::new("", 1, &[]);
    let batch = sample(&world);
    let (ended, _) = report(&world, &[&batch]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("no ledger"), "{}", ended.stderr);
    let ledger = world.path("home/data/bulk-topup/sandbox/1/ledger.db");
    let (ended, _) = report(&world, &[&batch, "--ledger", ledger.to_str().unwrap()]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("add --sandbox"), "{}", ended.stderr);
    let (ended, _) = report(&world, &["nobody", "--sandbox"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains(&batch), "{}", ended.stderr);
    let path = world.path("work/page.html");
    fs::write(&path, "my list of payments").unwrap();
    let (ended, _) = report(&world, &[&batch, "--sandbox", "-o", "page.html"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("page.html") && ended.stderr.contains("-o"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "my list of payments");
    fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let (ended, page) = report(&world, &[&batch, "--sandbox", "-o", "page.html"]);
        assert_exit(&ended, 0);
        assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{}", page.len());
    }
    let ended = world.run(&["report", &batch, "--sandbox", "-o", "page.html", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told, serde_json::json!({ "schema": 1, "batch": batch, "report": "page.html" }));
    let (ended, page) = report(&world, &[&batch, "--sandbox", "-o", "page.html", "--show-phones"]);
    assert_exit(&ended, 0);
    let results = Table::read(&world.path("work/payroll.sandbox.results.csv"));
    let failed = (0..40).find(|row| results.cell(*row, "topup_status") == "failed").unwrap();
    assert!(page.contains(results.cell(failed, "topup_phone")), "--show-phones shows numbers whole");
    assert!(page.contains("keep this page private"));
}

#[test]
fn a_batch_of_any_name_has_a_page_in_this_folder_that_can_be_written_again() {
    let world = World::new("", 1, &[]);
    fs::write(&world.input, "phone,amount\n0912345678,20000\n").unwrap();
    let name = "Tom & \"J\" <b>";
    let ended = world.run(&["run", "payroll.csv", "--sandbox", "--yes", "--batch", name]);
    assert_exit(&ended, 0);
    for _ in 0..2 {
        let (ended, page) = report(&world, &["sandbox-Tom", "--sandbox"]);
        assert_exit(&ended, 0);
        assert!(ended.stdout.starts_with("sandbox-Tom & \"J\" <b>-"), "{}", ended.stdout);
        assert!(page.contains("sandbox-Tom &#38; &#34;J&#34; &#60;b&#62;-"), "{page}");
    }
}

// A browser looks at it. `BROWSER=none` says that there is none; otherwise a missing one is a failed test where
// it is asked for (`BROWSER=needed`, as .ci/run does), and a test that says so elsewhere.

/// Chromium, where there is one.
fn chromium() -> Option<PathBuf> {
    let wanted = std::env::var("BROWSER").unwrap_or_default();
    if wanted == "none" {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = found.into_iter().find(|program| program.is_file());
    assert!(found.is_some() || wanted != "needed", "no chromium: apt-get install chromium, or BROWSER=none");
    if found.is_none() {
        eprintln!("no chromium here: the page was not looked at by a browser");
    }
    found
}

/// Runs a browser once; it gets a folder of its own and a minute and a half.
fn browse(browser: &Path, world: &World, args: &[&str]) -> Output {
    let profile = tempfile::tempdir_in(world.path("home")).unwrap();
    let mut command = Command::new(browser);
    world.clothe(&mut command);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args(["--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr", "--v=0"]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(args);
    let (out, err) = (world.next_stem().with_extension("dom"), world.next_stem().with_extension("log"));
    command
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + LONG;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the browser did not end: {}", fs::read_to_string(&err).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: fs::read(&out).unwrap(), stderr: fs::read(&err).unwrap() }
}

/// A page beside the report that shows it in a frame 390 wide and tells how wide its content is. The report itself
/// runs no script; its measure is taken from outside.
fn measured(world: &World, browser: &Path, page: &Path, width: u32) -> (u32, u32) {
    let inner = fs::read_to_string(page).unwrap();
    // The policy of the page forbids scripts, as it should; the copy that is measured goes without it.
    let policy = "<meta http-equiv=\"Content-Security-Policy\"";
    assert!(inner.contains(policy), "the page forbids scripts and loads");
    let policy = inner.lines().find(|line| line.starts_with(policy)).unwrap();
    let probe = "<script>addEventListener('load',()=>{const r=document.documentElement;\
                 const most=Math.max(0,...[...document.querySelectorAll('main *')].filter(e=>!e.closest('code,thead'))\
                 .map(e=>Math.ceil(e.getBoundingClientRect().right)));\
                 document.title='wide '+Math.max(r.scrollWidth,document.body.scrollWidth)+' right '+most+' in '+innerWidth})</script>";
    let copy = inner.replacen(policy, "", 1).replacen("</body>", &format!("{probe}</body>"), 1);
    let path = world.path("work/measured.html");
    fs::write(&path, copy).unwrap();
    // A headless window is never narrower than 500; a frame is.
    let outer = world.path("work/outer.html");
    let frame = format!(
        "<!doctype html><body><iframe id=f width={width} height=800 style='border:0' src='measured.html'></iframe>\
         <script>addEventListener('load',()=>{{document.body.append(document.getElementById('f').contentDocument.title)}})</script>"
    );
    fs::write(&outer, frame).unwrap();
    let address = format!("file://{}", outer.display());
    let found = browse(browser, world, &["--allow-file-access-from-files", "--dump-dom", &address]);
    let dom = String::from_utf8_lossy(&found.stdout).into_owned();
    let told = dom.split("wide ").nth(1).unwrap_or_else(|| panic!("no measure: {dom}"));
    let numbers: Vec<u32> =
        told.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).take(3).collect();
    assert_eq!(numbers[2], width, "{told}");
    (numbers[0], numbers[1])
}

#[test]
fn a_browser_shows_the_page_without_a_complaint_and_without_scrolling_sideways() {
    let Some(browser) = chromium() else { return };
    let mut chance = rows::Chance::new(9);
    let mut rows: Vec<Row> =
        (0..24).map(|n| rows::row(Country::Vietnam, n, &format!("4{n:03}"), &mut chance)).collect();
    rows[3].reference = "x".repeat(250);
    rows[4].reference = "<script>document.title='owned'</script>".to_owned();
    rows[5].amount = "15000".to_owned();
    let settings = Settings { timeout: "1500ms".to_owned(), ..Settings::default() };
    let world = World::with("drop_after=30", 2, &rows, settings);
    let ended = world.topup(&["--settle-for", "1s"]);
    assert!(matches!(ended.code, Some(3..=5)), "{ended:?}");
    let (ended, _) = report(&world, &[&world.batch()]);
    assert_exit(&ended, 0);
    let page = world.path("work").join(ended.stdout.trim());
    let address = format!("file://{}", page.display());
    let shot = world.path("shot.png");
    let size = "--window-size=1200,2000";
    let found = browse(&browser, &world, &[size, &format!("--screenshot={}", shot.display()), &address]);
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.success(), "{said}");
    assert!(!said.contains("CONSOLE"), "the browser complains: {said}");
    assert!(fs::metadata(&shot).unwrap().len() > 20_000, "nothing is drawn");
    let dom =
        String::from_utf8_lossy(&browse(&browser, &world, &["--dump-dom", &address]).stdout).into_owned();
    assert!(dom.contains("id=\"sign\"") && !dom.contains("<title>owned"), "{dom}");
    for width in [390, 1200] {
        let (wide, right) = measured(&world, &browser, &page, width);
        assert!(wide <= width && right <= width, "at {width}: content {wide} wide, up to {right}");
    }
}
