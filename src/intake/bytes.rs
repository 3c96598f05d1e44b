//! The file's bytes on their way in: hashed and counted as they are read, decoded to UTF-8 text that grows
//! only while one line is being put together.

use std::io::Read;

use encoding_rs::{Decoder, DecoderResult, Encoding};
use sha2::{Digest as _, Sha256};

use super::Fault;

/// Bytes read at once: large enough that a read costs nothing per row, small enough for the cache.
const CHUNK_BYTES: usize = 64 << 10;

/// A stream that is sent between threads with the source that owns it.
pub(super) type Stream = Box<dyn Read + Send>;

/// Hashes what passes.
pub(super) struct Tap {
    stream: Stream,
    sha256: Sha256,
    bytes: u64,
}

impl Tap {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, sha256: Sha256::new(), bytes: 0 }
    }

    /// Bytes so far and their SHA-256.
    pub(super) fn digest(&self) -> (u64, [u8; 32]) {
        (self.bytes, self.sha256.clone().finalize().into())
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let part = buffer.get(..count).unwrap_or_default();
        self.sha256.update(part);
        self.bytes += u64::try_from(part.len()).unwrap_or(u64::MAX);
        Ok(count)
    }
}

/// Why text could not be made of the bytes; the place is told by the length of the text before it.
#[derive(Debug)]
pub(super) enum TextFault {
    /// The stream failed.
    Io(Fault),
    /// Bytes that are no text.
    Malformed,
    /// A NUL, at this index of the text.
    Nul(usize),
}

/// Decoded text, a window of it at a time.
pub(super) struct Text {
    tap: Tap,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Bytes of `raw` that wait to be decoded.
    waiting: std::ops::Range<usize>,
    ended: bool,
    window: String,
    at: usize,
}

impl Text {
    /// Decodes a stream; `skip` bytes of byte order mark are hashed but are no text.
    pub(super) fn new(stream: Stream, encoding: &'static Encoding, skip: usize) -> Result<Self, Fault> {
        let mut tap = Tap::new(stream);
        let mut mark = [0u8; 4];
        tap.read_exact(mark.get_mut(..skip).unwrap_or_default())?;
        Ok(Self {
            tap,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; CHUNK_BYTES],
            waiting: 0..0,
            ended: false,
            window: String::with_capacity(2 * CHUNK_BYTES),
            at: 0,
        })
    }

    /// What is decoded and not yet consumed.
    pub(super) fn rest(&self) -> &str {
        self.window.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing comes after [`Text::rest`].
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What the bytes are read as.
    pub(super) fn encoding(&self) -> String {
        self.decoder.encoding().name().to_owned()
    }

    /// Marks this many bytes of the rest as used.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.window.len());
    }

    /// Bytes so far and their SHA-256; the file's when everything was read.
    pub(super) fn digest(&self) -> (u64, [u8; 32]) {
        self.tap.digest()
    }

    /// Reads on, so that the rest grows or the end is known.
    pub(super) fn fill(&mut self) -> Result<(), TextFault> {
        self.window.drain(..self.at);
        self.at = 0;
        let before = self.window.len();
        while self.window.len() == before && !self.ended {
            self.decode_some()?;
        }
        let fresh = self.window.as_bytes().get(before..).unwrap_or_default();
        match memchr::memchr(0, fresh) {
            Some(nul) => Err(TextFault::Nul(before + nul)),
            None => Ok(()),
        }
    }

    fn decode_some(&mut self) -> Result<(), TextFault> {
        if self.waiting.is_empty() {
            let count = self.tap.read(&mut self.raw).map_err(|e| TextFault::Io(e.into()))?;
            self.waiting = 0..count;
        }
        let last = self.waiting.is_empty();
        let bytes = self.raw.get(self.waiting.clone()).unwrap_or_default();
        let need =
            self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(CHUNK_BYTES);
        self.window.reserve(need);
        let (result, read) = self.decoder.decode_to_string_without_replacement(bytes, &mut self.window, last);
        self.waiting.start += read;
        match result {
            DecoderResult::InputEmpty => {
                self.ended = last;
                Ok(())
            }
            DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => Err(TextFault::Malformed),
        }
    }
}
