//! The built program as a user runs it: reads the file, judges it, records, submits, writes the results.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::shape::{Race, Shape};

/// Seconds from its start to its end.
#[expect(clippy::disallowed_methods, reason = "a stop watch")]
pub fn run(race: &Race) -> f64 {
    let place = tempfile::tempdir().unwrap();
    prepare(place.path(), race);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.env_clear().current_dir(place.path()).env("HOME", place.path()).env("KEY", key(race.shape));
    command.env("OPEN_ID", "demo-open-id").args(["run", "rows.csv", "--yes", "--json"]);
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let took = started.elapsed().as_secs_f64();
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{summary}{}", String::from_utf8_lossy(&output.stderr));
    took
}

fn key(shape: Shape) -> &'static str {
    match shape {
        Shape::Submits | Shape::Paynicorn => "T90B124766qU95d385O4",
        Shape::ConnectTopup => "demo-private-key",
        Shape::Tutom => "7bf7d2fd6d9c5012ae7c82ab7617",
    }
}

/// Input file and configuration.
fn prepare(place: &Path, race: &Race) {
    let Race { shape, addr, rows, width } = race;
    let (country, base, keys, cells) = match shape {
        Shape::Submits | Shape::Paynicorn => {
            ("NG", "trade/topup/api/", "kind = \"paynicorn\"\napp_key = { env = \"KEY\" }", ",100,")
        }
        Shape::ConnectTopup => (
            "VN",
            "apipayment/",
            "kind = \"connect-topup\"\nusername = \"demo\"\nprivate_key = { env = \"KEY\" }",
            ",10000,",
        ),
        Shape::Tutom => (
            "CN",
            "gateway/flowapi/",
            "kind = \"tutom\"\napp_key = { env = \"KEY\" }\nopen_id = { env = \"OPEN_ID\" }",
            ",,23",
        ),
    };
    // Look-ups have the same bound as submits, apart: half of the requests each where there are both.
    let width = if shape.looks_up() { width / 2 } else { *width };
    let config = format!(
        "ledger = \"ledger.db\"\ndefault_country = \"{country}\"\n[[providers]]\nname = \"fast\"\n{keys}\n\
         base_url = \"http://{addr}/{base}\"\ncountries = [\"{country}\"]\nsubmit_rate = \"1000000/s\"\n\
         query_rate = \"1000000/s\"\nmax_in_flight = {width}\n"
    );
    fs::write(place.join("bulk-topup.toml"), config).unwrap();
    fs::set_permissions(place.join("bulk-topup.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let zero = if *shape == Shape::Tutom { "" } else { "0" };
    let mut file = std::io::BufWriter::new(fs::File::create(place.join("rows.csv")).unwrap());
    writeln!(file, "phone,amount,product,reference").unwrap();
    for row in 0..*rows {
        writeln!(file, "{zero}{}{cells},R{row}", shape.phone(row)).unwrap();
    }
    file.flush().unwrap();
}
