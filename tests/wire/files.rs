//! The golden folders: reading cases, HTTP texts, and showing a difference.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulk_topup::domain::Reply;

/// One case.
pub struct Case {
    pub provider: String,
    pub operation: String,
    pub name: String,
    pub request: Vec<u8>,
    /// None: a callback, which we only hear.
    pub reply: Option<Vec<u8>>,
    pub outcome: Vec<u8>,
}

impl Case {
    /// The operation without the variant of the account.
    pub fn base_operation(&self) -> &str {
        self.operation.split('-').next().unwrap()
    }

    /// The first part of the name: a code, or a word.
    pub fn code(&self) -> &str {
        self.name.split('.').next().unwrap()
    }
}

/// All cases, by name.
pub fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut cases = Vec::new();
    for provider in ["tutom", "connect-topup", "paynicorn"] {
        for entry in std::fs::read_dir(root.join(provider)).unwrap() {
            let folder = entry.unwrap().path();
            let full = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let (operation, name) =
                full.split_once('.').unwrap_or_else(|| panic!("{full}: no operation.case"));
            let read = |file: &str| std::fs::read(folder.join(file));
            let reply = read("reply.http").ok();
            assert_eq!(reply.is_none(), operation.starts_with("callback"), "{full}: reply.http");
            cases.push(Case {
                provider: provider.to_owned(),
                operation: operation.to_owned(),
                name: name.to_owned(),
                request: read("request.http").unwrap_or_else(|_| panic!("{full}: no request.http")),
                reply,
                outcome: read("outcome.txt").unwrap_or_else(|_| panic!("{full}: no outcome.txt")),
            });
        }
    }
    cases.sort_by(|a, b| (&a.provider, &a.operation, &a.name).cmp(&(&b.provider, &b.operation, &b.name)));
    cases
}

/// Head lines and body of an HTTP text.
pub fn split(text: &[u8]) -> (Vec<String>, &[u8]) {
    let end = text.windows(2).position(|two| two == b"\n\n").expect("an empty line after the head");
    let head = std::str::from_utf8(&text[..end]).unwrap().lines().map(str::to_owned).collect();
    (head, &text[end + 2..])
}

/// The value of a header.
pub fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A reply as the network would hand it over: what it surely read whole is intact.
pub fn reply(text: &[u8], cap: usize) -> Reply {
    let (head, body) = split(text);
    let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
    let (whole, body) = if let Some(length) = header(&head, "content-length") {
        let length: usize = length.parse().unwrap();
        assert!(body.len() <= length, "a body longer than its content-length");
        (body.len() == length, body.to_vec())
    } else if header(&head, "transfer-encoding") == Some("chunked") {
        dechunk(body)
    } else {
        assert_eq!(header(&head, "connection"), Some("close"), "how does the body end?");
        (false, body.to_vec())
    };
    Reply { status, intact: whole && body.len() <= cap, body }
}

/// Whether the last chunk came, and the bytes of all.
fn dechunk(mut rest: &[u8]) -> (bool, Vec<u8>) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (true, body);
        }
        let data = &rest[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or_default();
    }
    (false, body)
}

/// A text with the content of every envelope in it opened.
pub fn unwrapped(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).into_owned();
    let Some((_, rest)) = text.split_once("\"content\":\"") else { return text };
    let content = rest.split('"').next().unwrap();
    STANDARD.decode(content).map_or(text, |inner| String::from_utf8(inner).unwrap())
}

/// Both texts, if they differ; a line's end is a line's end at the end of a file or not.
pub fn difference(file: &str, expected: &[u8], found: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    let (expected, found) = (text(expected), text(found));
    if expected == found {
        return String::new();
    }
    let mut out = format!("  {file}\n");
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    for at in 0..old.len().max(new.len()) {
        let (old, new) = (old.get(at), new.get(at));
        if old == new {
            continue;
        }
        out.extend(old.map(|line| format!("    - {line}\n")));
        out.extend(new.map(|line| format!("    + {line}\n")));
    }
    out
}
