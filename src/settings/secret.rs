//! Secrets: `{ file = ".." }` or `{ env = ".." }`, never a literal, and never repeated in a message.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::error::SecretProblem;
use crate::domain::Secret;

/// A key of 64 KiB is no key; the bound keeps a wrong path from being read whole.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

const LITERAL: &str = "a secret must not stand in this file; write { file = \"path\" } or { env = \"NAME\" }";
const SHAPE: &str = "a secret is { file = \"path\" } or { env = \"NAME\" }, one of the two and nothing else";

/// Where a secret is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// In this file, relative to the configuration's folder.
    File(String),
    /// In this environment variable.
    Env(String),
}

/// A proxy's address: written out, or a secret because it holds a password.
#[derive(Clone)]
pub(super) enum ProxySource {
    /// As it stands.
    Plain(String),
    /// To be had elsewhere.
    Kept(SecretSource),
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

impl<'de> Deserialize<'de> for ProxySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProxyVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(SHAPE)
    }

    // Each of these has a body of its own because serde's would repeat the value.
    fn visit_str<E: Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(LITERAL))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretSource, E> {
        Err(E::custom(LITERAL))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretSource, E> {
        Err(E::custom(LITERAL))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<SecretSource, E> {
        Err(E::custom(LITERAL))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<SecretSource, A::Error> {
        Err(A::Error::custom(LITERAL))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let mut source = None;
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<Name>()?.0;
            let found = match key.as_str() {
                "file" => SecretSource::File(value),
                "env" => SecretSource::Env(value),
                _ => return Err(A::Error::custom(SHAPE)),
            };
            if source.replace(found).is_some() {
                return Err(A::Error::custom(SHAPE));
            }
        }
        source.ok_or_else(|| A::Error::custom(SHAPE))
    }
}

/// The name of a file or variable: a text that is not empty. Anything else is refused without being shown.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer).ok().filter(|name| !name.is_empty());
        name.map(Self).ok_or_else(|| D::Error::custom(SHAPE))
    }
}

struct ProxyVisitor;

impl<'de> Visitor<'de> for ProxyVisitor {
    type Value = ProxySource;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the URL of a proxy")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProxySource, E> {
        Ok(ProxySource::Plain(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProxySource, A::Error> {
        SourceVisitor.visit_map(map).map(ProxySource::Kept)
    }
}

/// Where secrets are looked up.
#[derive(Clone, Copy)]
pub(super) struct Keyring<'a> {
    /// Folder of the configuration.
    pub(super) folder: &'a Path,
    /// The environment.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Keyring<'_> {
    /// The secret itself.
    ///
    /// # Errors
    /// [`SecretProblem`] when it is not there, empty, no text, or readable by others.
    pub(super) fn fetch(self, source: &SecretSource) -> Result<Secret, SecretProblem> {
        match source {
            SecretSource::File(path) => read_file(self.folder.join(path)),
            SecretSource::Env(name) => (self.env)(name)
                .filter(|value| !value.trim().is_empty())
                .map(Secret::new)
                .ok_or_else(|| SecretProblem::NoVariable(name.clone())),
        }
    }
}

fn read_file(file: PathBuf) -> Result<Secret, SecretProblem> {
    let unreadable =
        |error: std::io::Error| SecretProblem::Unreadable { file: file.clone(), why: error.to_string() };
    let mut open = File::open(&file).map_err(unreadable)?;
    let mode = others_mode(&open).map_err(unreadable)?;
    if let Some(mode) = mode {
        return Err(SecretProblem::Open { file, mode });
    }
    let mut bytes = Vec::new();
    let limit = SECRET_BYTES_MAX.saturating_add(1);
    let read = open.by_ref().take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).ok().filter(|_| u64::try_from(read).is_ok_and(|n| n < limit));
    let Some(text) = text else { return Err(SecretProblem::NoText(file)) };
    // Editors that mark their UTF-8 files would otherwise change the key without a trace.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.trim().is_empty() { Err(SecretProblem::EmptyFile(file)) } else { Ok(Secret::new(text)) }
}

/// The permission bits, if group or others have any.
#[cfg(unix)]
fn others_mode(file: &File) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Other systems have no such bits.
#[cfg(not(unix))]
fn others_mode(_: &File) -> std::io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fetch(content: &[u8], mode: u32) -> Result<String, SecretProblem> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let keyring = Keyring { folder: folder.path(), env: &|_| None };
        keyring.fetch(&SecretSource::File("a.key".to_owned())).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn one_line_end_is_taken_off() {
        for (content, key) in [
            (&b"k1"[..], "k1"),
            (b"k1\n", "k1"),
            (b"k1\r\n", "k1"),
            (b"k1\n\n", "k1\n"),
            (b" k1 ", " k1 "),
            (b"\xef\xbb\xbfk1\n", "k1"),
        ] {
            assert_eq!(fetch(content, 0o600).unwrap(), key);
        }
    }

    #[test]
    fn a_file_others_can_read_is_refused_with_the_cure() {
        for mode in [0o640, 0o604, 0o644, 0o620, 0o601] {
            let error = fetch(b"hunter2", mode).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert!(fetch(b"hunter2", 0o400).is_ok());
    }

    #[test]
    fn no_key_in_the_file_is_refused() {
        for empty in [&b""[..], b"\n", b" \r\n"] {
            assert!(matches!(fetch(empty, 0o600), Err(SecretProblem::EmptyFile(_))));
        }
        assert!(matches!(fetch(b"\xff\xfe", 0o600), Err(SecretProblem::NoText(_))));
        assert!(matches!(fetch(&[b'k'; 65_537], 0o600), Err(SecretProblem::NoText(_))));
        assert!(fetch(&[b'k'; 65_536], 0o600).is_ok());
    }

    #[test]
    fn an_unset_or_empty_variable_is_refused() {
        let env = |name: &str| match name {
            "FULL" => Some("k1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let keyring = Keyring { folder: Path::new("/"), env: &env };
        let fetch = |name: &str| keyring.fetch(&SecretSource::Env(name.to_owned()));
        assert_eq!(fetch("FULL").unwrap().expose(), "k1");
        for name in ["EMPTY", "UNSET"] {
            assert_eq!(fetch(name).unwrap_err(), SecretProblem::NoVariable(name.to_owned()));
        }
    }
}
