//! Which encoding a file has, from its first bytes: marks first, then UTF-8 by proof, then the few legacy
//! encodings its users have.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Encoding, GB18030, GBK, UTF_8, WINDOWS_1252, WINDOWS_1258};

use super::Fault;
use super::foreign::refuse_foreign;

/// What the first bytes say.
pub(super) struct Sniffed {
    pub(super) encoding: &'static Encoding,
    /// Length of the byte order mark.
    pub(super) mark: usize,
}

/// Finds the encoding by the head of the file. `whole`: the head is all of it.
pub(super) fn sniff(head: &[u8], whole: bool, named: Option<&str>) -> Result<Sniffed, Fault> {
    refuse_binary(head)?;
    refuse_foreign(head)?;
    let marked = marked(head)?;
    if let Some(label) = named {
        let encoding = Encoding::for_label(label.trim().as_bytes())
            .ok_or_else(|| Fault::UnknownEncoding(label.to_owned()))?;
        let mark = marked.filter(|sniffed| sniffed.encoding == encoding).map_or(0, |sniffed| sniffed.mark);
        return Ok(Sniffed { encoding, mark });
    }
    if let Some(sniffed) = marked {
        return Ok(sniffed);
    }
    refuse_nul(head)?;
    let encoding = if is_utf8(head, whole) { UTF_8 } else { legacy(head, whole)? };
    Ok(Sniffed { encoding, mark: 0 })
}

/// Files of other programs under a name that says CSV.
fn refuse_binary(head: &[u8]) -> Result<(), Fault> {
    const OPEN: &str = "open it in the program that made it and save it as \"CSV UTF-8\"";
    const SHEET: &str = "give it its own ending (.xlsx, .xls, .ods), or save it as \"CSV UTF-8\"";
    let kinds: [(&[u8], &'static str, &'static str); 12] = [
        (b"PK\x03\x04", "a workbook (.xlsx, .ods) or another zip archive", SHEET),
        (b"PK\x05\x06", "an empty zip archive", OPEN),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook (.xls)", SHEET),
        (b"%PDF-", "a PDF document", OPEN),
        (b"\x1F\x8B", "a gzip archive", "unpack it first"),
        (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", "unpack it first"),
        (b"Rar!\x1A\x07", "a RAR archive", "unpack it first"),
        (b"\x28\xB5\x2F\xFD", "a zstd archive", "unpack it first"),
        (b"SQLite format 3\0", "an SQLite database", OPEN),
        (b"\x89PNG\r\n\x1A\n", "a picture", OPEN),
        (b"\xFF\xD8\xFF", "a picture", OPEN),
        (b"\x7FELF", "a program", OPEN),
    ];
    match kinds.iter().find(|(magic, ..)| head.starts_with(magic)) {
        Some((_, what, advice)) => Err(Fault::Binary(what, advice)),
        None => Ok(()),
    }
}

fn marked(head: &[u8]) -> Result<Option<Sniffed>, Fault> {
    if head.starts_with(b"\xFF\xFE\0\0") || head.starts_with(b"\0\0\xFE\xFF") {
        return Err(Fault::Utf32);
    }
    Ok(Encoding::for_bom(head).map(|(encoding, mark)| Sniffed { encoding, mark }))
}

fn refuse_nul(head: &[u8]) -> Result<(), Fault> {
    let Some(at) = memchr::memchr(0, head) else { return Ok(()) };
    let nuls = memchr::memchr_iter(0, head).count();
    if nuls * 3 >= head.len() {
        return Err(Fault::Utf16WithoutMark);
    }
    let before = String::from_utf8_lossy(head.get(..at).unwrap_or_default());
    let (line, column) = end_of(&before);
    Err(Fault::Nul { line, column })
}

/// Line and column, from 1, of what comes after this text.
pub(super) fn end_of(text: &str) -> (u64, u64) {
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u64::try_from(lines).unwrap_or(u64::MAX), u64::try_from(column).unwrap_or(u64::MAX))
}

/// Whether bytes are UTF-8; one character cut off by the end of the head does not count against it.
pub(super) fn is_utf8(head: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && !whole,
    }
}

/// A legacy encoding that the bytes are. The title line decides where it can: only one reading of it makes
/// titles that are known. Else statistics decide, among encodings that users of these countries have.
pub(super) fn legacy(head: &[u8], whole: bool) -> Result<&'static Encoding, Fault> {
    let line = head.split(|b| matches!(b, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    if !line.is_ascii() {
        if let (Ok(_), Err(error)) = (std::str::from_utf8(line), std::str::from_utf8(head)) {
            // Two programs wrote this file: whatever it is read as, some names are wrong.
            let before = head.get(..error.valid_up_to()).unwrap_or_default();
            let (line, column) = end_of(&String::from_utf8_lossy(before));
            return Err(Fault::BadBytes { line, column, encoding: UTF_8.name().to_owned() });
        }
        let known = |encoding: &'static Encoding| {
            let (text, bad) = encoding.decode_without_bom_handling(line);
            if bad { 0 } else { super::dialect::known_titles(&text) }
        };
        let mut best: Vec<_> = [WINDOWS_1258, GB18030, BIG5].map(|e| (known(e), e)).into_iter().collect();
        best.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        if let [(first, encoding), (second, _), ..] = best.as_slice()
            && first > second
            && *first > known(WINDOWS_1252)
        {
            return Ok(encoding);
        }
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, whole);
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess == GBK {
        return Ok(GB18030);
    }
    if [WINDOWS_1252, WINDOWS_1258, BIG5].contains(&guess) {
        return Ok(guess);
    }
    Err(Fault::UnclearEncoding(guess.name().to_lowercase()))
}
