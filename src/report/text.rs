//! Numbers, times and foreign texts as people read them. Pure; no float.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::{WallTime, grouped, mask_digits};

/// Characters of a foreign text that are shown; a longer one is cut, and says so.
const SHOWN_CHARS_MAX: usize = 300;

/// A count in groups of three.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// An amount in groups of three, without zeros at its end.
pub(super) fn amount(amount: Decimal) -> String {
    grouped(&amount.normalize().to_string())
}

/// `1 row`, `12 rows`.
pub(super) fn rows(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "row" } else { "rows" })
}

/// A share in percent with one decimal: `100 %` means all, `0 %` means none, however close others come.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let permille = (u128::from(part) * 2_000 / u128::from(whole)).div_ceil(2);
    match (part, permille) {
        (0, _) => "0 %".to_owned(),
        (_, 0) => "under 0.1 %".to_owned(),
        (part, _) if part >= whole => "100 %".to_owned(),
        (_, 1000..) => "99.9 %".to_owned(),
        (_, permille) => format!("{}.{} %", permille / 10, permille % 10),
    }
}

/// A time that passed: `420 ms`, `1.25 s`, `12.3 s`, `3 m 05 s`, `2 h 05 m`, `3 d 4 h`.
pub(super) fn took(time: Duration) -> String {
    let (ms, s) = (time.as_millis(), time.as_secs());
    match s {
        0 => format!("{ms} ms"),
        1..60 if ms.is_multiple_of(1_000) => format!("{s} s"),
        1..10 => format!("{}.{:02} s", s, ms % 1000 / 10),
        10..60 => format!("{}.{} s", s, ms % 1000 / 100),
        60..3_600 => format!("{} m {:02} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {:02} m", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// `2026-11-22 09:02:11`, in UTC.
pub(super) fn moment(at: WallTime) -> String {
    let text = at.rfc3339();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}", time.get(..8).unwrap_or(time))
}

/// `09:02:11`, in UTC.
pub(super) fn clock(at: WallTime) -> String {
    moment(at).split_once(' ').map(|(_, time)| time.to_owned()).unwrap_or_default()
}

/// A text that somebody else wrote, on one line: what a screen would not show, or would use to turn the line
/// around (control, direction and zero-width characters), is spelled out, and a text without end is cut. It is
/// still to be escaped.
pub(super) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN_CHARS_MAX * 4));
    for (i, c) in text.chars().enumerate() {
        if i == SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        match c {
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => shown.push('⏎'),
            '\t' => shown.push(' '),
            c if is_hidden(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Control characters, direction marks and overrides, zero-width characters, tags, noncharacters.
fn is_hidden(c: char) -> bool {
    let nonchar = u32::from(c) & 0xFFFE == 0xFFFE;
    c.is_control()
        || nonchar
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

/// Hides numbers in texts: every run of digits that the row's own number shows in, and every one that stands alone
/// and is as long as a phone number.
#[derive(Clone, Debug)]
pub(super) struct Veil {
    show: bool,
    /// The last digits of the row's number.
    tail: Option<String>,
}

/// So many equal last digits make a run of digits the row's number.
const TAIL: usize = 6;

impl Veil {
    /// For texts of no row in particular.
    pub(super) fn new(show: bool) -> Self {
        Self { show, tail: None }
    }

    /// For the texts of a row, whose number is written so.
    pub(super) fn of(show: bool, phone: &str) -> Self {
        let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
        let tail = digits.len().checked_sub(TAIL).and_then(|from| digits.get(from..));
        Self { show, tail: tail.map(|tail| tail.iter().collect()) }
    }

    /// A cell that is a number.
    pub(super) fn phone(&self, text: &str) -> String {
        clean(&if self.show { text.to_owned() } else { mask_digits(text) })
    }

    /// A text that may name a number.
    pub(super) fn text(&self, text: &str) -> String {
        self.hide(text, true)
    }

    /// Ids, which may be as long as a number: only the row's own one is hidden in them.
    pub(super) fn ids(&self, text: &str) -> String {
        self.hide(text, false)
    }

    fn hide(&self, text: &str, any: bool) -> String {
        if self.show {
            return clean(text);
        }
        let (mut shown, mut word) = (String::with_capacity(text.len()), String::new());
        for c in text.chars() {
            if c.is_alphanumeric() {
                word.push(c);
                continue;
            }
            self.end(&mut shown, &mut word, any);
            shown.push(c);
        }
        self.end(&mut shown, &mut word, any);
        clean(&shown)
    }

    fn end(&self, shown: &mut String, word: &mut String, any: bool) {
        let number = word.bytes().all(|b| b.is_ascii_digit()) && (9..=15).contains(&word.len());
        let own = self.tail.as_ref().is_some_and(|tail| word.contains(tail.as_str()));
        shown.push_str(&if own || (any && number) { mask_digits(word) } else { word.clone() });
        word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_only_when_it_is_all() {
        for (part, whole, shown) in [
            (0, 5, "0 %"),
            (1, 5_000, "under 0.1 %"),
            (4_999, 5_000, "99.9 %"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (5, 5, "100 %"),
            (u64::MAX - 1, u64::MAX, "99.9 %"),
            (0, 0, "–"),
        ] {
            assert_eq!(share(part, whole), shown);
        }
    }

    #[test]
    fn a_time_is_told_as_fine_as_it_matters() {
        for (ms, shown) in [
            (0, "0 ms"),
            (420, "420 ms"),
            (1_259, "1.25 s"),
            (20_000, "20 s"),
            (59_960, "59.9 s"),
            (185_000, "3 m 05 s"),
            (7_500_000, "2 h 05 m"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(took(Duration::from_millis(ms)), shown);
        }
        assert_eq!(moment(WallTime(1_500_000)), "1970-01-01 00:00:01");
        assert_eq!(clock(WallTime(1_500_000)), "00:00:01");
    }

    #[test]
    fn what_hides_or_turns_a_line_is_spelled_out() {
        assert_eq!(clean("a\u{202E}b\u{0}c\r\nd\te"), "a⟨U+202E⟩b⟨U+0000⟩c⏎⏎d e");
        assert_eq!(clean("Nguyễn Văn An, 王伟, שלום"), "Nguyễn Văn An, 王伟, שלום");
        assert_eq!(clean(&"x".repeat(500)).chars().count(), SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn a_rows_number_is_hidden_in_every_spelling_and_nothing_else() {
        let veil = Veil::of(false, "84912345601");
        assert_eq!(veil.phone("84912345601"), "8491****601");
        assert_eq!(
            veil.text("no 0912345601, order 2026010203040506"),
            "no 0912***601, order 2026010203040506"
        );
        assert_eq!(veil.text("VT84912345601X"), "VT84*******01X");
        assert_eq!(veil.text("asked for 84987654321, row 4711"), "asked for 8498****321, row 4711");
        assert_eq!(veil.ids("601385160417150"), "601385160417150");
        assert_eq!(veil.ids("0912345601"), "0912***601");
        assert_eq!(
            Veil::new(false).text("asked for 84912345601, ticket 4711"),
            "asked for 8491****601, ticket 4711"
        );
        assert_eq!(Veil::of(true, "84912345601").text("no 0912345601"), "no 0912345601");
    }
}
