//! `init`: a commented configuration and a sample file to begin with. Nothing that stands there is written over.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::args::GlobalArgs;
use crate::cli::context::quoted;
use crate::cli::terminal::Terminal;
use crate::cli::wrapup::tell_json;
use crate::job::Exit;
use crate::job::Stop;
use crate::settings::FILE_NAME;

/// The one commented configuration: what `init` writes is what the samples show.
const CONFIGURATION: &str = include_str!("../../../samples/bulk-topup.toml");

/// Rows that can be sent as they stand.
const SAMPLE: &str = include_str!("../../../samples/sample.csv");

/// Name of the sample file.
const SAMPLE_NAME: &str = "sample.csv";

/// What a person types next: words, and commands below them.
const NEXT: [(&str, &[&str]); 2] = [
    (
        "Try it; --sandbox needs no configuration and spends nothing:",
        &["bulk-topup check sample.csv --sandbox", "bulk-topup run sample.csv --sandbox"],
    ),
    (
        "For real: take out of bulk-topup.toml the providers you do not have, put your own values and keys in their \
         place as it says, then ask for your balance (nothing is spent):",
        &["bulk-topup balance", "bulk-topup check FILE"],
    ),
];

/// `init`.
///
/// # Errors
/// [`Stop`] with exit 2 when a file of that name is there already, 1 when one cannot be written.
pub fn init(global: &GlobalArgs) -> Result<Exit, Stop> {
    let configuration = global.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let files = [(configuration.as_path(), CONFIGURATION), (Path::new(SAMPLE_NAME), SAMPLE)];
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| std::fs::symlink_metadata(path).is_ok())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(Stop::refused(format!(
            "{} {} here already, and nothing is written over: nothing was written. Move what is in the way, or go to \
             another folder",
            there.join(" and "),
            if there.len() == 1 { "stands" } else { "stand" }
        )));
    }
    for (place, (path, text)) in files.iter().enumerate() {
        if let Err(error) = create(path, text) {
            // All or none: the next try must not be refused because of half a start.
            for (made, _) in files.iter().take(place) {
                let _ = std::fs::remove_file(made);
            }
            return Err(error);
        }
    }
    tell(&Terminal::of(global), &configuration);
    Ok(Exit::Success)
}

/// A new file for the user alone.
fn create(path: &Path, text: &str) -> Result<(), Stop> {
    let fail = |e: std::io::Error| {
        let message = format!("{} cannot be written: {e}", path.display());
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            Stop::refused(message)
        } else {
            Stop::internal(message)
        }
    };
    let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(fail)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|e| {
        let _ = std::fs::remove_file(path);
        fail(e)
    })
}

fn tell(terminal: &Terminal, configuration: &Path) {
    let shown = configuration.display().to_string();
    if terminal.json {
        let next: Vec<&str> = NEXT.iter().flat_map(|(_, commands)| commands.iter().copied()).collect();
        tell_json(
            terminal,
            &json!({ "schema": 1, "exit": 0, "written": [shown, SAMPLE_NAME], "next": next }),
        );
        return;
    }
    if terminal.quiet {
        return;
    }
    let rows = SAMPLE.lines().count().saturating_sub(1);
    let mut text = format!(
        "Wrote {}: every setting with its meaning and its default\nWrote {SAMPLE_NAME}: {rows} rows that can be sent \
         as they stand\n",
        quoted(&shown)
    );
    for (place, (words, commands)) in NEXT.iter().enumerate() {
        let words = crate::cli::plan::wrapped(9, words);
        let head = if place == 0 { "\nNext     " } else { "         " };
        text.push_str(&format!("{head}{}", words.trim_start()));
        for command in *commands {
            text.push_str(&format!("           {command}\n"));
        }
    }
    terminal.data(text.trim_end());
}
