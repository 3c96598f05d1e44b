//! What the three codecs share between a reply and its code: the meaning of HTTP statuses (`providers.md` C0),
//! the rule that an answer which may be cut proves success at most, and words without secrets.

use url::form_urlencoded;

use crate::domain::{
    Answer, Halt, LookupMeaning, LookupVerdict, ProviderRef, Reason, Reply, Secret, SubmitMeaning,
    SubmitVerdict, Told, Unclear,
};

use super::json::JsonFault;

/// Longest text of a provider that is kept, in characters.
const WORDS_CHARS_MAX: usize = 200;
/// Longest code that is kept, in characters.
const CODE_CHARS_MAX: usize = 32;
/// Said when a whole answer cannot be told from a cut one.
const MAY_BE_CUT: &str = "the answer may have been cut short, so it proves nothing but a success";

/// A reply of status 2xx, before its body is read.
pub(super) struct Heard<'a> {
    /// Body bytes.
    pub(super) body: &'a [u8],
    /// Whether it surely arrived whole.
    pub(super) intact: bool,
}

/// No usable answer came: what took its place, and what follows for new submits.
#[derive(Debug)]
pub(super) struct Silence {
    words: String,
    halt: Option<Halt>,
    slow_down: bool,
}

/// Sorts a reply by its status: a body to read, or what the status alone means (`providers.md` C0).
pub(super) fn hear(reply: &Reply, reply_bytes_max: usize) -> Result<Heard<'_>, Silence> {
    let status = reply.status;
    let words = || format!("HTTP {status}");
    let halt = |reason, message: String| Some(Halt { operator: None, reason, code: words(), message });
    let halt = match status {
        // 206 is a part of something by its own account.
        200..=205 | 207..=299 => {
            let intact = reply.intact && reply.body.len() <= reply_bytes_max;
            return Ok(Heard { body: &reply.body, intact });
        }
        300..=399 => halt(
            Reason::Unreachable,
            format!(
                "The provider's address answers HTTP {status}, a redirect, which is never followed because it \
                 could submit twice: check `base_url` and ask the provider for its present address."
            ),
        ),
        401 | 403 | 407 => halt(
            Reason::PartnerRefused,
            format!(
                "HTTP {status}: the provider, or a proxy before it, refuses us; check the account's keys, \
                 whether this machine's IP address is allowed, and `proxy`."
            ),
        ),
        404 | 405 => halt(
            Reason::Unreachable,
            format!(
                "HTTP {status}: the provider does not serve this address or method; check `base_url` and \
                 `method` against what the provider told you."
            ),
        ),
        _ => None,
    };
    Err(Silence { words: words(), halt, slow_down: status == 429 })
}

impl Silence {
    /// A body that says nothing, in a few words.
    pub(super) fn of(words: impl Into<String>) -> Self {
        Self { words: words.into(), halt: None, slow_down: false }
    }

    /// As the answer to a submit: money may have moved.
    pub(super) fn into_submit(self) -> SubmitVerdict {
        let unclear = Unclear {
            reason: Reason::NoAnswer,
            halt: self.halt,
            person_only: false,
            slow_down: self.slow_down,
        };
        let answer = Answer { words: self.words, ..Answer::default() };
        SubmitVerdict { meaning: SubmitMeaning::Unclear(unclear), answer }
    }

    /// As the answer to a look-up: no information, whatever the status.
    pub(super) fn into_lookup(self) -> LookupVerdict {
        let answer = Answer { words: self.words, ..Answer::default() };
        LookupVerdict { meaning: LookupMeaning::Unchanged { intact: false, halt: None }, answer }
    }

    /// As the answer to a question: no information, whatever the status.
    pub(super) fn into_told(self) -> Told {
        Told::Nothing(Answer { words: self.words, ..Answer::default() })
    }
}

impl From<JsonFault> for Silence {
    fn from(fault: JsonFault) -> Self {
        Self::of(fault.words())
    }
}

/// An unclear submit without further consequences.
pub(super) fn unclear(reason: Reason) -> SubmitMeaning {
    SubmitMeaning::Unclear(Unclear { reason, halt: None, person_only: false, slow_down: false })
}

/// A refusal that names an order of the provider contradicts itself: the order may be alive.
pub(super) fn refused_yet_named(meaning: SubmitMeaning) -> SubmitMeaning {
    match meaning {
        SubmitMeaning::Refused(_) | SubmitMeaning::Throttled(_) => unclear(Reason::Questionable),
        SubmitMeaning::Halted(halt) => SubmitMeaning::Unclear(Unclear {
            reason: Reason::Questionable,
            halt: Some(halt),
            person_only: false,
            slow_down: false,
        }),
        SubmitMeaning::Succeeded
        | SubmitMeaning::Pending
        | SubmitMeaning::Failed
        | SubmitMeaning::FailedUnlessFound
        | SubmitMeaning::Unclear(_) => meaning,
    }
}

/// A look-up that told nothing, by an answer that came whole.
pub(super) fn unchanged() -> LookupMeaning {
    LookupMeaning::Unchanged { intact: true, halt: None }
}

/// The last word on a submit: an answer that may be cut proves success at most.
pub(super) fn settle_submit(meaning: SubmitMeaning, mut answer: Answer, intact: bool) -> SubmitVerdict {
    if intact || meaning == SubmitMeaning::Succeeded {
        return SubmitVerdict { meaning, answer };
    }
    answer.warning = Some(MAY_BE_CUT.to_owned());
    let meaning = if let SubmitMeaning::Unclear(said) = meaning {
        SubmitMeaning::Unclear(Unclear { halt: None, ..said })
    } else {
        unclear(Reason::NoAnswer)
    };
    SubmitVerdict { meaning, answer }
}

/// The last word on a look-up: an answer that may be cut proves success at most.
pub(super) fn settle_lookup(meaning: LookupMeaning, mut answer: Answer, intact: bool) -> LookupVerdict {
    if intact || meaning == LookupMeaning::Succeeded {
        return LookupVerdict { meaning, answer };
    }
    answer.warning = Some(MAY_BE_CUT.to_owned());
    LookupVerdict { meaning: LookupMeaning::Unchanged { intact: false, halt: None }, answer }
}

/// The last word on a question: an answer that may be cut tells nothing.
pub(super) fn settle_told(told: Told, answer: Answer, intact: bool) -> Told {
    if intact { told } else { Told::Nothing(Answer { warning: Some(MAY_BE_CUT.to_owned()), ..answer }) }
}

/// Makes a provider's text fit to be shown and kept: one line, short, without any of our keys.
pub(super) struct Scrub {
    /// In lower case, longest first.
    needles: Vec<Secret>,
}

impl Scrub {
    /// For these secrets, in any case and also in their percent-encoded form.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<String> = Vec::new();
        for secret in secrets {
            let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'.' | b'_');
            if !secret.bytes().all(unreserved) {
                needles.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            }
            needles.push(one_line(secret));
        }
        needles.retain(|needle| !needle.is_empty());
        needles.iter_mut().for_each(|needle| needle.make_ascii_lowercase());
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        Self { needles: needles.into_iter().map(Secret::new).collect() }
    }

    /// A provider's words: one line, at most 200 characters.
    pub(super) fn words(&self, text: &str) -> String {
        self.clean(text, WORDS_CHARS_MAX)
    }

    /// A provider's code, as written by it.
    pub(super) fn code(&self, text: &str) -> String {
        self.clean(text, CODE_CHARS_MAX)
    }

    /// A provider's id of an order; `None` when it is no id or holds a secret.
    pub(super) fn reference(&self, text: &str) -> Option<ProviderRef> {
        let clean = self.replace(text.trim());
        ProviderRef::parse(text).ok().filter(|reference| reference.as_str() == clean)
    }

    fn clean(&self, text: &str, chars_max: usize) -> String {
        // Joined to one line first: a key split by a control character must not come together afterwards.
        let clean = self.replace(&one_line(text));
        if clean.len() <= chars_max || clean.chars().count() <= chars_max {
            return clean;
        }
        let mut cut: String = clean.chars().take(chars_max.saturating_sub(1)).collect();
        cut.push('…');
        cut
    }

    fn replace(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut text = text.to_owned();
        if !self.needles.iter().any(|needle| lower.contains(needle.expose())) {
            return text;
        }
        for needle in &self.needles {
            // Lower case of ASCII keeps every byte's place.
            let lower = text.to_ascii_lowercase();
            let (mut from, mut out) = (0_usize, String::with_capacity(text.len()));
            for (at, found) in lower.match_indices(needle.expose()) {
                out.push_str(text.get(from..at).unwrap_or_default());
                out.push_str("[secret]");
                from = at.saturating_add(found.len());
            }
            out.push_str(text.get(from..).unwrap_or_default());
            text = out;
        }
        text
    }
}

/// White space becomes single spaces; control characters and those that turn or hide text are dropped.
fn one_line(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let plain = |pair: &[u8]| matches!(pair, [b'!'..=b'~', b' '..=b'~'] | [b' ', b'!'..=b'~']);
    if text.trim().len() == text.len() && text.as_bytes().windows(2).all(plain) && text.len() > 1 {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !hidden(c) {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_short_line() {
        let scrub = Scrub::new([]);
        assert_eq!(scrub.words(" a\r\n\tb\u{7}c\u{202e}d "), "a bcd");
        assert_eq!(scrub.words(&"é".repeat(500)).chars().count(), 200);
    }

    #[test]
    fn words_never_hold_a_key_in_any_dress() {
        let scrub = Scrub::new(["Ab+c/9", "", "KEY"]);
        for text in ["x Ab+c/9 y", "x AB+C/9 y", "x Ab%2Bc%2F9 y", "x A\u{0}b+c\n/9 y", "privatekey=KEY&x"] {
            let words = scrub.words(text).to_ascii_lowercase();
            assert!(
                !words.contains("ab+c/9") && !words.contains("%2bc") && !words.contains("=key"),
                "{words}"
            );
        }
        assert_eq!(scrub.words("wrong Ab+c/9!"), "wrong [secret]!");
        assert_eq!(scrub.reference("1KEY2"), None);
        assert_eq!(scrub.reference("1XNPXS").unwrap().as_str(), "1XNPXS");
    }

    #[test]
    fn a_key_at_the_cut_is_not_half_shown() {
        let scrub = Scrub::new(["SECRETKEY"]);
        let words = scrub.words(&format!("{}SECRETKEY", "x".repeat(194)));
        assert!(!words.contains("SEC"), "{words}");
    }

    #[test]
    fn every_status_but_2xx_leaves_a_submit_unclear() {
        for status in 0..=999_u16 {
            let reply = Reply { status, intact: true, body: b"1".to_vec() };
            let heard = hear(&reply, 64);
            if (200..300).contains(&status) && status != 206 {
                assert!(heard.is_ok(), "{status}");
                continue;
            }
            let SubmitMeaning::Unclear(unclear) = heard.err().unwrap().into_submit().meaning else {
                panic!("{status}")
            };
            let reason = unclear.halt.map(|halt| halt.reason);
            let expected = match status {
                300..=399 | 404 | 405 => Some(Reason::Unreachable),
                401 | 403 | 407 => Some(Reason::PartnerRefused),
                _ => None,
            };
            assert_eq!(reason, expected, "{status}");
            assert_eq!(unclear.slow_down, status == 429, "{status}");
        }
    }
}
