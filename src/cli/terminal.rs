//! What goes to stdout and stderr. A closed terminal or a broken pipe never hurts: nothing here fails.

use std::io::{IsTerminal, Write};

use super::args::{ColorArg, GlobalArgs};
use crate::domain::Status;

/// Where and how to write.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// `-q`: nothing on stderr but errors.
    pub quiet: bool,
    /// `--json`: stdout holds one JSON object.
    pub json: bool,
    /// Numbers are shown whole.
    pub show_phones: bool,
    /// Bars may be drawn on stderr.
    pub bars: bool,
    /// stdout may carry colours.
    pub colour: bool,
    /// A person sits at both stdin and stderr: questions make sense.
    pub interactive: bool,
}

impl Terminal {
    /// As the flags, the environment and the terminal say.
    pub fn of(global: &GlobalArgs) -> Self {
        let stderr = std::io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = match global.color {
            ColorArg::Auto => std::io::stdout().is_terminal() && !no_colour,
            ColorArg::Always => true,
            ColorArg::Never => false,
        };
        Self {
            quiet: global.quiet,
            json: global.json,
            show_phones: global.show_phones,
            bars: stderr && !global.no_progress && !global.quiet,
            colour,
            interactive: stderr && std::io::stdin().is_terminal(),
        }
    }

    /// Data: to stdout.
    pub fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    }

    /// Data that is too much to hold: copied to stdout.
    pub fn copy(&self, from: &mut dyn std::io::Read) {
        let mut out = std::io::stdout().lock();
        let _ = std::io::copy(from, &mut out).and_then(|_| out.flush());
    }

    /// Talk: to stderr, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Errors and warnings about money: to stderr, always.
    pub fn complain(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n")).and_then(|()| err.flush());
    }

    /// A status word, padded, in its colour where colours are wanted. The word alone says everything.
    pub fn status(&self, status: Status) -> String {
        let code = match status {
            Status::Succeeded => "32",
            Status::Failed | Status::Invalid => "31",
            Status::Pending | Status::NotSent => "33",
            Status::Unknown => "35",
        };
        if self.colour { format!("\u{1b}[{code}m{status:<10}\u{1b}[0m") } else { format!("{status:<10}") }
    }

    /// A number for a screen: masked, unless it was asked for whole.
    pub fn phone(&self, digits: &str) -> String {
        if self.show_phones { digits.to_owned() } else { crate::domain::mask_digits(digits) }
    }

    /// A text for a screen that may hold numbers, such as a cell of a column mixed up with another.
    pub fn text(&self, text: &str) -> String {
        if self.show_phones { text.to_owned() } else { crate::domain::mask_numbers(text) }
    }

    /// Asks on stderr and reads a line of stdin; none at its end.
    pub fn ask(&self, question: &str) -> Option<String> {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(question.as_bytes()).and_then(|()| err.flush());
        drop(err);
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim().to_owned()),
        }
    }
}
