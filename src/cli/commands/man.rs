//! `man`: the manual pages, made from what the help says, so that they cannot differ from it.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::args::{Args, GlobalArgs, ManArgs};
use crate::cli::context::quoted;
use crate::cli::terminal::Terminal;
use crate::job::Exit;
use crate::job::Stop;

/// `man`.
///
/// # Errors
/// [`Stop`] with exit 2 for `--json`, 1 when a page cannot be written.
pub fn man(global: &GlobalArgs, args: &ManArgs) -> Result<Exit, Stop> {
    if global.json {
        return Err(Stop::refused("manual pages are no JSON: leave out --json"));
    }
    let terminal = Terminal::of(global);
    let pages = pages().map_err(|e| Stop::internal(format!("the manual pages cannot be made: {e}")))?;
    let Some(folder) = &args.dir else {
        if let Some((_, page)) = pages.first() {
            terminal.copy(&mut page.as_slice());
        }
        return Ok(Exit::Success);
    };
    let fail =
        |path: &Path, e: io::Error| Stop::internal(format!("{} cannot be written: {e}", path.display()));
    std::fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
    for (name, page) in &pages {
        let path = folder.join(name);
        std::fs::write(&path, page).map_err(|e| fail(&path, e))?;
    }
    let first = pages.first().map(|(name, _)| folder.join(name)).unwrap_or_default();
    terminal.say(&format!(
        "Wrote {} pages into {}\nNext     man {}",
        pages.len(),
        folder.display(),
        quoted(&first.display().to_string())
    ));
    Ok(Exit::Success)
}

/// The page of the program, then one for each command, with their file names.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let mut pages = vec![page(&command, &command)?];
    for sub in command.get_subcommands() {
        pages.push(page(&command, sub)?);
    }
    Ok(pages)
}

/// One page: as clap_mangen lays it out, with the examples before the options.
fn page(program: &Command, command: &Command) -> io::Result<(String, Vec<u8>)> {
    let name = match command.get_display_name() {
        Some(name) => name.to_owned(),
        None => command.get_name().to_owned(),
    };
    let version = program.get_version().unwrap_or_default();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section("1")
        .source(format!("{} {version}", program.get_name()))
        .manual("User Commands");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    if let Some(examples) = command.get_before_help() {
        render_examples(&examples.to_string(), &mut out)?;
    }
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(after) = command.get_after_help() {
        let mut roff = Roff::new();
        roff.control("SH", ["EXIT STATUS"]);
        roff.text([roman(after.to_string())]);
        roff.to_writer(&mut out)?;
    }
    Ok((format!("{name}.1"), out))
}

/// The examples as they are typed, line for line.
fn render_examples(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in text.lines().skip(1) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff.to_writer(out)
}
