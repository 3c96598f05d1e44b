//! CONNECT TOPUP's fields, as it spells them, and its answers, which are no JSON but `Responsecode;idtransaction`
//! (`connect-topup.txt`).

use crate::domain::Secret;
use crate::protocol::answer::Silence;
use crate::protocol::json;
use crate::protocol::request::Field;

/// What a topup.jsp request says.
pub(super) struct Topup<'a> {
    pub(super) username: &'a str,
    pub(super) privatekey: &'a Secret,
    pub(super) phone: String,
    pub(super) sotien: String,
    pub(super) checksum: String,
    pub(super) transidclient: &'a str,
    pub(super) gateway: Option<&'a str>,
}

/// Fields of topup.jsp.
pub(super) fn topup(topup: Topup<'_>) -> Vec<Field> {
    let mut fields = vec![
        ("username", topup.username.to_owned()),
        ("privatekey", topup.privatekey.expose().to_owned()),
        ("phone", topup.phone),
        ("sotien", topup.sotien),
        ("checksum", topup.checksum),
        ("transidclient", topup.transidclient.to_owned()),
    ];
    fields.extend(topup.gateway.map(|gateway| ("gateway", gateway.to_owned())));
    fields
}

/// Fields of recheck.jsp as the document has it: the provider's id alone.
pub(super) fn recheck(idtransaction: &str) -> Vec<Field> {
    vec![("idtransaction", idtransaction.to_owned())]
}

/// Fields of recheck.jsp as the one known client sends them: by our own id.
pub(super) fn recheck_by_own_id(username: &str, privatekey: &Secret, transidclient: &str) -> Vec<Field> {
    vec![
        ("username", username.to_owned()),
        ("privatekey", privatekey.expose().to_owned()),
        ("transidclient", transidclient.to_owned()),
    ]
}

/// Fields of userbalance.jsp.
pub(super) fn userbalance(username: &str, privatekey: &Secret, checksum: String) -> Vec<Field> {
    vec![
        ("username", username.to_owned()),
        ("privatekey", privatekey.expose().to_owned()),
        ("checksum", checksum),
    ]
}

/// An answer of topup.jsp or recheck.jsp.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CodeAndId<'a> {
    pub(super) code: i64,
    /// `None`: no semicolon. `Some("")`: nothing after it.
    pub(super) idtransaction: Option<&'a str>,
}

/// The text of an answer; a JSP's blank lines around it are taken off.
pub(super) fn text(body: &[u8]) -> Result<&str, Silence> {
    let text = std::str::from_utf8(body).map_err(|_| Silence::of("an answer that is not UTF-8 text"))?.trim();
    if text.is_empty() {
        return Err(Silence::of("an empty answer"));
    }
    if text.starts_with('<') {
        return Err(Silence::of("a web page instead of an answer"));
    }
    Ok(text)
}

impl<'a> CodeAndId<'a> {
    /// Reads `code` or `code;id`; `None` for everything else.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (code, id) = match text.split_once(';') {
            Some((code, id)) => (code, Some(id.trim())),
            None => (text, None),
        };
        let one_word = |id: &str| {
            id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        };
        if !id.is_none_or(one_word) {
            return None;
        }
        Some(Self { code: json::code(code.trim())?, idtransaction: id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_code_and_perhaps_an_id() {
        let read = |text| CodeAndId::read(text).map(|said| (said.code, said.idtransaction));
        assert_eq!(read("1;77"), Some((1, Some("77"))));
        assert_eq!(read("-1 ; 77 "), Some((-1, Some("77"))));
        assert_eq!(read("-1;"), Some((-1, Some(""))));
        assert_eq!(read("61"), Some((61, None)));
        for odd in ["", "ok", "1,77", "01", "1;7 7", "1;<b>", "1;7;8", "+1", "1\n2", "1;\u{661}"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
