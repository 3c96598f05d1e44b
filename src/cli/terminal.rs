//! What goes to stdout and stderr. A closed terminal or a broken pipe never hurts: nothing here fails.

use std::io::{IsTerminal, Write};

use super::args::{ColorArg, GlobalArgs};
use super::screen;
use crate::domain::{PhoneNumber, Status};

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
    /// stderr may carry colours.
    pub colour_err: bool,
    /// A person sits at both stdin and stderr: questions make sense.
    pub interactive: bool,
}

impl Terminal {
    /// As the flags, the environment and the terminal say.
    pub fn of(global: &GlobalArgs) -> Self {
        let stderr = std::io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = |terminal: bool| match global.color {
            ColorArg::Auto => terminal && !no_colour,
            ColorArg::Always => true,
            ColorArg::Never => false,
        };
        Self {
            quiet: global.quiet,
            json: global.json,
            show_phones: global.show_phones,
            bars: stderr && !global.no_progress && !global.quiet,
            colour: colour(std::io::stdout().is_terminal()),
            colour_err: colour(stderr),
            interactive: stderr && std::io::stdin().is_terminal(),
        }
    }

    /// One that says nothing but complaints, for tests.
    #[cfg(test)]
    pub fn silent() -> Self {
        let (quiet, show_phones) = (true, false);
        let (json, bars, colour, colour_err, interactive) = (false, false, false, false, false);
        Self { quiet, json, show_phones, bars, colour, colour_err, interactive }
    }

    /// Data: to stdout.
    pub fn data(&self, text: &str) {
        screen::beside_bars(|| {
            let mut out = std::io::stdout().lock();
            let _ =
                out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
        });
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
        screen::beside_bars(|| {
            let mut err = std::io::stderr().lock();
            let _ =
                err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n")).and_then(|()| err.flush());
        });
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

    /// The word that begins a warning on stderr, in its colour where colours are wanted.
    pub fn warning(&self, word: &str) -> String {
        if self.colour_err { format!("\u{1b}[1;31m{word}\u{1b}[0m") } else { word.to_owned() }
    }

    /// A number for a screen: masked, unless it was asked for whole.
    pub fn phone(&self, digits: &str) -> String {
        if self.show_phones { digits.to_owned() } else { crate::domain::mask_digits(digits) }
    }

    /// A text for a screen that may hold numbers, such as a cell of a column mixed up with another.
    pub fn text(&self, text: &str) -> String {
        if self.show_phones { text.to_owned() } else { crate::domain::mask_numbers(text) }
    }

    /// Words that others wrote about a row, with its number masked wherever they repeat it. Ids stay whole.
    pub fn words(&self, text: &str, phone: Option<&PhoneNumber>) -> String {
        let Some(phone) = phone.filter(|_| !self.show_phones) else { return text.to_owned() };
        let (national, masked) = (phone.national(), phone.masked());
        let code = phone.digits().len().saturating_sub(national.len());
        text.replace(national, masked.get(code..).unwrap_or("****"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_masked_however_others_write_it_and_an_id_is_not() {
        let phone = PhoneNumber::new(crate::domain::Country::VN, "84", "912345601").unwrap();
        let words = "84912345601 (0912345601) has order 455734017592922";
        let told = Terminal::silent().words(words, Some(&phone));
        assert_eq!(told, "8491****601 (091****601) has order 455734017592922");
        assert_eq!(Terminal { show_phones: true, ..Terminal::silent() }.words(words, Some(&phone)), words);
    }
}
